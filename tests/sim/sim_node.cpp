#include "tests/sim/sim_node.hpp"

namespace lull::sim {

using namespace std::chrono_literals;
using namespace subscriber;

namespace {

PeerKey key_of(std::size_t number) {
    std::array<std::byte, 32> bytes{};
    bytes[0] = std::byte{1};
    bytes[30] = static_cast<std::byte>(number >> 8);
    bytes[31] = static_cast<std::byte>(number & 0xff);
    return PeerKey(bytes);
}

}  // namespace

SimNode::SimNode(Surroundings const& around, std::size_t number, Duration scan)
    : world_(around.world),
      network_(around.network),
      library_(around.library),
      checker_(around.checker),
      coverage_(around.coverage),
      name_(fmt::format("node-{}", number)),
      key_(key_of(number)),
      seed_(world_.random().below(1'000'000)),
      scan_(scan),
      allows_hooks_(number % 3 != 1),
      users_(world_, disk_, checker_, name_) {
    checker_.hooks().owned(name_, allows_hooks_ ? HookChecker::Owner::allows : HookChecker::Owner::forbids);
    users_.on_exit([this](SoftwareName const& software) {
        if (!watched_.contains(software)) return;
        later(1ms, [this, software] { raise(UseMayHaveEnded{software}); });
    });
}

std::uint64_t SimNode::sent(MessageType type) const {
    auto const found = sent_.find(type);
    return found == sent_.end() ? 0 : found->second;
}

void SimNode::set(NodeFaults const& faults) {
    faults_ = faults;
    disk_.damage = faults.damage;
}

// ---- life ----

void SimNode::start() {
    if (up() || retired_) return;
    ++life_;
    checker_.node_starts(name_, disk_);
    disk_.reconcile();
    AgentSettings settings;
    settings.node = *NodeName::parse(name_);
    settings.architecture = *ArchitectureName::parse("amd64");
    settings.program = "lull-node sim";
    settings.boot = fmt::format("boot-{}", life_);
    settings.trusted = TrustedKeys({library_.public_key()});
    settings.seed = seed_ + life_;
    settings.scan = scan_;
    settings.read_all = 20min;
    settings.rules.hooks.all = allows_hooks_ || plant_ == NodePlant::runs_hooks_anyway;
    settings.fetch = {.window = KiB(64), .checkpoint = KiB(16), .asked = 6};  // small, so that each is reached
    agent_ = std::make_unique<Agent>(std::move(settings), disk_.journal, disk_.current, known_holds());
    world_.trace("{}: starts at release {}", name_, disk_.journal.cursor.seq.value);
    network_.subscribe(*this);
    auto actions = agent_->start(moment());
    deciding_ = true;
    perform_all(actions, {});
    deciding_ = false;
    raise(Tick{});
}

Moment SimNode::moment() const {
    auto moment = world_.moment();
    moment.wall.micros += std::chrono::microseconds(clock_shift_).count();
    return moment;
}

void SimNode::set_clock(std::chrono::seconds shift) {
    clock_shift_ = shift;
    checker_.orders().clock_jumped(name_);
}

void SimNode::set_hold(bool held) {
    world_.trace("{}: {}", name_, held ? "held" : "no longer held");
    holds_.all.reset();
    if (held) holds_.all = Hold{moment().wall, std::nullopt, "somebody", ""};
    held_since_ = world_.now();
    if (up()) raise(HoldsRead{known_holds()});
}

void SimNode::stop(End end) {
    if (!up()) return;
    world_.trace("{}: {}", name_, end == End::killed ? "is killed" : "loses power");
    ++life_;
    checker_.hooks().node_stops(name_);
    agent_.reset();
    events_.clear();
    watched_.clear();
    jobs_.clear();
    failed_at_.clear();
    network_.unsubscribe(*this);
    network_.disconnect(std::exchange(connection_, 0));
    if (end == End::power_cut) {
        users_.end_all();
        disk_.cut_power(world_.random());
    }
    users_.unlock_all();
}

void SimNode::copy() {
    if (retired_) return;
    copy_ = Copy{disk_, checker_.hooks().copy(name_)};
    copy_->disk.cut_power(world_.random());
}

void SimNode::put_back() {
    if (!copy_ || retired_) return;
    stop(End::power_cut);
    world_.trace("{}: is put back to an older copy, at release {}", name_, copy_->disk.journal.cursor.seq.value);
    bool const full = disk_.full;
    disk_ = copy_->disk;
    disk_.full = full;
    disk_.damage = faults_.damage;
    said_.clear();
    checker_.node_put_back(name_);
    checker_.hooks().put_back(name_, copy_->proven);
}

void SimNode::rejoin(PeerKey const& key) {
    stop(End::killed);
    key_ = key;
    start();
}

void SimNode::retire() {
    retired_ = true;
    stop(End::power_cut);
}

void SimNode::crash_now() {
    stop(world_.random().chance(0.5) ? End::killed : End::power_cut);
    auto const life = life_;
    world_.after(world_.random().between(10ms, 20s), [this, life] {
        if (life == life_) start();
    });
}

void SimNode::later(Duration delay, std::function<void()> what) {
    world_.after(delay, [this, life = life_, what = std::move(what)] {
        if (life == life_) what();
    });
}

// ---- deciding ----

void SimNode::raise(Event event, Buffer payload) {
    if (!up()) return;
    events_.push_back({std::move(event), std::move(payload)});
    if (deciding_) return;
    deciding_ = true;
    while (!events_.empty()) {
        auto next = std::move(events_.front());
        events_.pop_front();
        auto const before = standings();
        auto actions = agent_->on(next.event, moment());
        cover(before, next.event);
        perform_all(actions, next.payload);
    }
    deciding_ = false;
    if (up()) arm();
}

std::map<SoftwareName, RolloutStatus> SimNode::standings() const {
    std::map<SoftwareName, RolloutStatus> standings;
    for (auto const& [software, update] : agent_->updates()) standings[software] = RolloutStatus::of(*agent_, software);
    return standings;
}

void SimNode::cover(std::map<SoftwareName, RolloutStatus> const& before, Event const& event) {
    for (auto const& [software, standing] : standings()) {
        auto const known = before.find(software);
        coverage_.step(known == before.end() ? RolloutStatus{} : known->second, event, standing);
    }
}

// In their order; a crash may come between any two.
void SimNode::perform_all(Actions& actions, Buffer const& payload) {
    auto const life = life_;
    payload_ = payload;
    for (auto& action : actions) {
        std::visit([this](auto& concrete) { perform(concrete); }, action);
        if (life == life_ && world_.random().chance(faults_.crash_at_action)) crash_now();
        if (life != life_) return;
    }
}

void SimNode::arm() {
    auto const wake = agent_->wake();
    checker_.decided(name_, wake);
    ++timer_;
    if (!wake || *wake == TimePoint::max()) return;
    auto const delay = std::max(*wake - world_.now(), Duration(5ms));
    later(delay, [this, timer = timer_] {
        if (timer == timer_) raise(Tick{});
    });
}

// ---- the network ----

void SimNode::connected(ConnectionId connection) {
    if (connection == connection_) raise(ExchangeReady{});
}

void SimNode::disconnected(ConnectionId connection) {
    network_.disconnect(connection);
    if (connection != connection_) return;
    connection_ = 0;
    raise(ExchangeLost{"the connection broke"});
}

void SimNode::heard(ConnectionId connection, Message const& message, Buffer const& payload) {
    if (connection != connection_) return;
    world_.trace("{}: hears {}", name_, to_text(type_of(message)));
    raise(MessageHeard{understood(message), Bytes(payload.size()), world_.now()}, payload);
}

void SimNode::announced(Message const& message) {
    if (up()) raise(AnnouncementHeard{understood(message)});
}

Message SimNode::understood(Message message) const {
    auto* orders = std::get_if<Orders>(&message);
    if (orders == nullptr || plant_ != NodePlant::ignores_rollout) return message;
    for (auto& order : orders->orders) {
        if (order.upto) order.upto = std::numeric_limits<std::uint64_t>::max();
    }
    return message;
}

bool SimNode::subscribes(Message const& message) const {
    auto const* orders = std::get_if<Orders>(&message);
    return orders == nullptr || !orders->node || orders->node->text() == name_;
}

void SimNode::perform(OpenExchange const&) {
    network_.disconnect(connection_);
    connection_ = network_.connect(*this);
}

void SimNode::perform(CloseExchange const&) { network_.disconnect(std::exchange(connection_, 0)); }

void SimNode::send(Message const& message) {
    world_.trace("{}: says {}", name_, to_text(type_of(message)));
    ++sent_[type_of(message)];
    if (auto const* fetch = std::get_if<Fetch>(&message)) checker_.asked(name_, disk_, *fetch);
    if (auto const* report = std::get_if<Report>(&message)) {
        checker_.reported(name_, disk_, *report);
        bool const again = !said_.emplace(report->software, report->revision).second;
        if (plant_ == NodePlant::says_reports_once && again) return;
    }
    network_.to_hub(connection_, message, {});
}

// ---- the journal ----

void SimNode::perform(Persist& action) {
    for (auto const& change : action.batch) {
        bool const drops = change.table == journal::objects && !change.value;
        if (drops) disk_.rewritten.insert(*Digest::from_bytes(change.key));
    }
    if (plant_ == NodePlant::cursor_without_records && world_.random().chance(0.1)) {
        std::erase_if(action.batch, [](auto const& change) { return change.table == journal::software; });
    }
    if (fails(faults_.journal_fails)) return later(Duration(1), [this] { crash_now(); });
    auto const ticket = action.ticket;
    auto const durable = journal_.pass(world_.now(), world_.random().between(1ms, 60ms));
    later(durable, [this, batch = std::move(action.batch)] {
        disk_.apply(batch);
        checker_.node_wrote(name_, disk_);
    });
    bool const early = plant_ == NodePlant::tells_batches_early;
    later(early ? Duration(1) : journal_.pass(world_.now(), durable + 500us), [this, ticket] {
        raise(BatchDone{ticket, {}});
    });
}

}  // namespace lull::sim
