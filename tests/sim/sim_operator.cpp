#include "tests/sim/sim_operator.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

Admin about(AdminVerb verb, OrderKind kind, OrderScope software) {
    Admin admin;
    admin.verb = verb;
    admin.order.emplace();
    admin.order->kind = kind;
    admin.order->software = std::move(software);
    return admin;
}

}  // namespace

// ---- what there is to say ----

Admin SimOperator::hold() {
    auto& random = world_.random();
    auto const software = random.chance(0.3) ? OrderScope() : OrderScope(software_[random.below(software_.size())]);
    auto admin = about(AdminVerb::order, OrderKind::hold, software);
    if (random.chance(0.5)) admin.node = some_node();
    if (random.chance(0.5)) {
        auto const length = random.between(10s, 10min);
        admin.order->until = WallTime{world_.moment().wall.micros +
                                      std::chrono::duration_cast<std::chrono::microseconds>(length).count()};
    }
    held_.emplace_back(admin.node, software);
    return admin;
}

Admin SimOperator::something() {
    auto& random = world_.random();
    auto const& software = software_[random.below(software_.size())];
    auto const what = random.below(100);
    if (what < 25) return hold();
    if (what < 40 && !held_.empty()) {
        auto const& [node, scope] = held_[random.below(held_.size())];
        auto admin = about(AdminVerb::take_back, OrderKind::hold, scope);
        admin.node = node;
        return admin;
    }
    if (what < 47) {
        auto admin = about(AdminVerb::order, OrderKind::retry, software);
        if (random.chance(0.5)) admin.node = some_node();
        return admin;
    }
    if (what < 65) {
        auto admin = about(AdminVerb::order, OrderKind::force, software);
        if (random.chance(0.6)) admin.node = some_node();
        if (random.chance(0.5)) admin.order->restart = true;
        return admin;
    }
    if (what < 80) return about(AdminVerb::order, OrderKind::pause, software);
    if (what < 94) return about(AdminVerb::take_back, OrderKind::pause, software);
    return about(AdminVerb::order, OrderKind::withdraw, software);
}

// Some things are thought better of at once.
void SimOperator::act() {
    if (peaceful_) return;
    ask(something());
    if (world_.random().chance(0.3)) world_.after(world_.random().between(0s, 20s), [this] { act(); });
}

// Somebody has the same few nodes in mind all day.
NodeName SimOperator::some_node() {
    auto& random = world_.random();
    return nodes_[random.below(random.chance(0.5) ? std::min<std::size_t>(2, nodes_.size()) : nodes_.size())];
}

void SimOperator::remove(NodeName const& node, Done done) {
    Admin admin;
    admin.verb = AdminVerb::nodes_remove;
    admin.nodes = {node};
    ask(std::move(admin), std::move(done));
}

void SimOperator::enrol(NodeName const& node, PeerKey const& key, Done done) {
    Admin admin;
    admin.verb = AdminVerb::nodes_new;
    admin.node = node;
    admin.key = key;
    ask(std::move(admin), std::move(done));
}

void SimOperator::make_peace() {
    peaceful_ = true;
    waiting_.clear();
    done_.clear();
    Admin question;
    question.verb = AdminVerb::orders;
    ask(question);
}

// ---- saying it ----

void SimOperator::ask(Admin admin, Done done) {
    if (admin.verb == AdminVerb::order) admin.order->why = fmt::format("order {}", ++given_);
    waiting_.push_back(std::move(admin));
    done_.push_back(std::move(done));
    if (waiting_.size() == 1) begin();
}

void SimOperator::begin() {
    if (connection_ != 0) network_.disconnect(std::exchange(connection_, 0));
    if (waiting_.empty()) return;
    connection_ = network_.connect(*this);
    again_after(10s);
}

void SimOperator::again_after(Duration delay) {
    world_.after(delay, [this, attempt = ++attempt_] {
        if (attempt == attempt_) begin();
    });
}

void SimOperator::connected(ConnectionId connection) {
    if (connection != connection_ || waiting_.empty()) return;
    checker_.orders().ordering(waiting_.front());
    network_.to_hub(connection_, waiting_.front(), {});
}

void SimOperator::disconnected(ConnectionId connection) {
    if (connection == connection_) again_after(2s);
}

void SimOperator::heard(ConnectionId connection, Message const& message, Buffer const&) {
    if (connection != connection_ || waiting_.empty()) return;
    if (auto const* answer = std::get_if<Answer>(&message)) return answered(*answer);
    auto const* refused = std::get_if<Refused>(&message);
    if (refused == nullptr) return;
    world_.trace("operator: refused: {}", refused->text);
    if (refused->reason == Refusal::invalid) return done();
    if (refused->reason == Refusal::conflict) {  // the name has another key: what was given up before came late
        done_.front() = {};
        return done();
    }
    again_after(3s);
}

void SimOperator::answered(Answer const& answer) {
    auto const admin = waiting_.front();
    if (answer.verb != admin.verb) return;  // to what was asked before
    if (answer.verb == AdminVerb::nodes_remove) checker_.removed(admin.nodes->front());
    if (answer.verb == AdminVerb::nodes_remove || answer.verb == AdminVerb::nodes_new) return done();
    if (answer.verb != AdminVerb::orders) {
        auto const& order = answer.orders->front().order;
        world_.trace("operator: {} {} of {} on {}: {}",
                     answer.verb == AdminVerb::order ? "ordered" : "taken back:", to_text(order.kind),
                     order.software ? order.software->text() : "all", admin.node ? admin.node->text() : "all nodes",
                     order.why);
        checker_.orders().answered(admin, order);
        return done();
    }
    // Asked for to make peace: once more, until there is nothing to take back.
    for (auto const& row : *answer.orders) {
        if (row.order.kind != OrderKind::hold && row.order.kind != OrderKind::pause) continue;
        auto take_back = about(AdminVerb::take_back, row.order.kind, row.order.software);
        take_back.node = row.node;
        waiting_.push_back(std::move(take_back));
        done_.emplace_back();
    }
    if (waiting_.size() > 1) {
        waiting_.push_back(admin);
        done_.emplace_back();
    }
    done();
}

void SimOperator::done() {
    waiting_.pop_front();
    auto const then = std::move(done_.front());
    done_.pop_front();
    ++attempt_;
    begin();
    if (then) then();
}

}  // namespace lull::sim
