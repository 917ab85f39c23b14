#include "tests/sim/simulation.hpp"

#include <algorithm>
#include <cstdlib>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

PeerKey publisher_key(std::size_t number) {
    std::array<std::byte, 32> bytes{};
    bytes[0] = std::byte{2};
    bytes[31] = static_cast<std::byte>(number);
    return PeerKey(bytes);
}

// In whatever order they stand.
bool same_orders(OrderSet const& a, OrderSet const& b) {
    return a.revision == b.revision && std::ranges::is_permutation(a.orders, b.orders);
}

PeerKey further_key(std::size_t number) {
    std::array<std::byte, 32> bytes{};
    bytes[0] = std::byte{6};
    bytes[31] = static_cast<std::byte>(number);
    return PeerKey(bytes);
}

PeerKey operator_key() {
    std::array<std::byte, 32> bytes{};
    bytes[0] = std::byte{3};
    return PeerKey(bytes);
}

}  // namespace

std::uint64_t environment_number(char const* name, std::uint64_t otherwise) {
    auto const* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

Simulation::Simulation(Scenario const& scenario, std::uint64_t seed, Coverage& coverage)
    : scenario_(scenario),
      world_(seed, environment_number("LULL_SIM_TRACE", 0) != 0),
      library_(world_.random()),
      checker_(world_, library_),
      network_(world_),
      broker_(world_, network_, library_, checker_, coverage),
      operator_(world_, network_, checker_, operator_key()) {
    broker_.enrol(operator_key(), {"operator", Role::operator_, library_.public_key(), {}});
    library_.set_staged(scenario.staged);
    library_.set_lies(scenario.patch_lies);
    if (scenario.broken) library_.set_broken(*scenario.broken);
    for (std::size_t i = 0; i < scenario.software; ++i) {
        operator_.knows(software(i));
        auto const key = publisher_key(i);
        broker_.enrol(key, {fmt::format("publisher-{}", i), Role::publisher, library_.public_key(), {}});
        publishers_.push_back(std::make_unique<SimPublisher>(world_, network_, broker_, library_, checker_, key));
    }
    for (std::size_t i = 0; i < scenario.nodes; ++i) {
        SimNode::Surroundings const around{world_, network_, library_, checker_, coverage};
        nodes_.push_back(std::make_unique<SimNode>(around, i, scenario.scan));
        auto& node = *nodes_.back();
        broker_.enrol(node.key(), {node.name(), Role::node, std::nullopt, {}});
        operator_.knows(*NodeName::parse(node.name()));
        node.plant(scenario.node_plant);
        if (scenario.small_disks) node.set_small_disk();
    }
    broker_.plant(scenario.broker_plant);
    if (scenario.hidden_breaks) network_.hide_breaks();
}

SoftwareName Simulation::software(std::size_t i) const { return *SoftwareName::parse(fmt::format("software-{}", i)); }

void Simulation::start() {
    broker_.start();
    for (auto& node : nodes_) {
        node->set(scenario_.node);
        world_.after(world_.random().between(0s, 5s), [&node] { node->start(); });
    }
    network_.set(scenario_.network);
}

void Simulation::publish(std::size_t i, std::size_t number) { publishers_[i]->publish(software(i), number); }

void Simulation::pass(Duration time) { world_.run_until(world_.now() + time); }

// ---- trouble ----

void Simulation::plan_releases() {
    for (std::size_t i = 0; i < scenario_.software; ++i) {
        std::vector<Duration> times(scenario_.releases);
        for (auto& time : times) time = sometime();
        std::sort(times.begin(), times.end());
        for (std::size_t number = 0; number < times.size(); ++number) {
            bool const back = scenario_.back > 0 && world_.random().chance(scenario_.back);
            world_.after(times[number], [this, i, number, back] {
                if (back) return publishers_[i]->go_back(software(i), number + 1);
                publish(i, number + 1);
            });
        }
    }
}

void Simulation::plan_crashes() {
    auto& random = world_.random();
    for (std::size_t i = 0; i < scenario_.broker_crashes; ++i) {
        auto const when = sometime();
        world_.after(when, [this] { broker_.crash(); });
        world_.after(when + random.between(10ms, 40s), [this] {
            if (!broker_.up()) broker_.start();
        });
    }
    for (std::size_t i = 0; i < scenario_.node_crashes + scenario_.node_holidays; ++i) {
        bool const holiday = i >= scenario_.node_crashes;
        auto const when = sometime();
        auto* node = &some_node();
        auto const end = random.chance(0.5) ? SimNode::End::killed : SimNode::End::power_cut;
        world_.after(when, [node, end] { node->stop(end); });
        world_.after(when + (holiday ? random.between(2min, 10min) : random.between(10ms, 30s)),
                     [node] { node->start(); });
    }
    for (std::size_t i = 0; i < scenario_.put_back; ++i) {
        auto* node = &some_node();
        auto const copied = sometime();
        world_.after(copied, [node] { node->copy(); });
        auto const lost = copied + random.between(10s, 5min);
        world_.after(lost, [node] { node->put_back(); });
        world_.after(lost + random.between(10ms, 30s), [node] { node->start(); });
    }
    if (!scenario_.restored) return;
    auto const copied = sometime();
    auto const lost = copied + random.between(1s, 10min);
    world_.after(copied, [this] { broker_.back_up(*scenario_.restored); });
    world_.after(lost, [this] { broker_.crash(); });
    world_.after(lost + 1s, [this] {
        broker_.crash();  // it may have been started meanwhile
        broker_.restore();
        broker_.start();
    });
}

void Simulation::plan_disks() {
    auto& random = world_.random();
    for (std::size_t i = 0; i < scenario_.full_disks; ++i) {
        auto const when = sometime();
        auto* node = &some_node();
        world_.after(when, [node] { node->disk().full = true; });
        world_.after(when + random.between(1s, 5min), [node] { node->disk().full = false; });
    }
    if (scenario_.broker_disk_full) {
        auto const when = sometime();
        world_.after(when, [this] { broker_.set_disk_full(true); });
        world_.after(when + random.between(1s, 1min), [this] { broker_.set_disk_full(false); });
    }
    for (std::size_t i = 0; i < scenario_.meddling; ++i) {
        world_.after(sometime(), [node = &some_node()] { node->meddle(); });
    }
}

void Simulation::plan_removals() {
    auto& random = world_.random();
    for (std::size_t i = 0; i < scenario_.removed; ++i) {
        auto const when = sometime();
        auto* node = &some_node();
        auto const again = random.chance(0.5) ? std::optional(random.between(1s, 5min)) : std::nullopt;
        world_.after(when, [this, node] { remove(*node); });
        if (again) world_.after(when + *again, [this, node] { enrol_again(*node); });
    }
}

void Simulation::remove(SimNode& node) {
    if (!removed_.insert(&node).second) return;
    operator_.remove(*NodeName::parse(node.name()), {});
}

void Simulation::enrol_again(SimNode& node) {
    if (removed_.erase(&node) == 0) return;
    auto const key = further_key(++keys_);
    operator_.enrol(*NodeName::parse(node.name()), key, [&node, key] { node.rejoin(key); });
}

// A broker that was restored has the register of its copy; and what was asked may have been given up.
void Simulation::put_register_right() {
    if (!operator_.idle()) return;
    for (auto const& node : nodes_) {
        auto const name = *NodeName::parse(node->name());
        auto const known = broker_.state().peers.key_of(name);
        bool const wanted = !removed_.contains(node.get());
        if (known && (!wanted || *known != node->key())) return operator_.remove(name, {});
        if (!known && wanted) {
            auto const key = further_key(++keys_);
            return operator_.enrol(name, key, [node = node.get(), key] { node->rejoin(key); });
        }
    }
}

std::vector<SimNode*> Simulation::lasting() {
    std::vector<SimNode*> lasting;
    for (std::size_t i = calm_ ? scenario_.gone : 0; i < nodes_.size(); ++i) {
        if (!removed_.contains(nodes_[i].get())) lasting.push_back(nodes_[i].get());
    }
    return lasting;
}

void Simulation::plan_surroundings() {
    auto& random = world_.random();
    for (std::size_t i = 0; i < scenario_.partitions; ++i) {
        auto const when = sometime();
        auto* node = &some_node();
        world_.after(when, [this, node] { network_.cut_off(*node); });
        world_.after(when + random.between(1s, 8min), [this, node] { network_.reconnect(*node); });
    }
    for (std::size_t i = 0; i < scenario_.clock_jumps; ++i) {
        auto const widest = random.chance(0.3) ? std::chrono::seconds(10 * 365 * 24h) : std::chrono::seconds(2h);
        auto const span = static_cast<std::uint64_t>(2 * widest.count());
        auto const shift = std::chrono::seconds(static_cast<std::int64_t>(random.below(span))) - widest;
        auto* node = random.chance(0.1) ? nullptr : &some_node();
        world_.after(sometime(), [this, node, shift] {
            if (node == nullptr) return broker_.set_clock(shift);
            node->set_clock(shift);
        });
    }
    for (std::size_t i = 0; i < scenario_.holds; ++i) {
        auto const when = sometime();
        auto* node = &some_node();
        world_.after(when, [node] { node->set_hold(true); });
        world_.after(when + random.between(10s, 10min), [node] { node->set_hold(false); });
    }
    for (std::size_t i = 0; i < scenario_.orders; ++i) world_.after(sometime(), [this] { operator_.act(); });
    for (auto& node : nodes_) {
        if (!scenario_.users) break;
        for (std::size_t i = 0; i < scenario_.software; ++i) node->users().come_and_go(software(i));
    }
}

void Simulation::plan_trouble() {
    plan_crashes();
    plan_disks();
    plan_surroundings();
    plan_removals();
}

// Everything works again; clocks stay as wrong as they are.
void Simulation::calm() {
    world_.trace("---- calm ----");
    network_.set({});
    for (auto& node : nodes_) network_.reconnect(*node);
    broker_.set_disk_full(false);
    if (!broker_.up()) broker_.start();
    calm_ = true;
    for (std::size_t i = 0; i < scenario_.gone; ++i) nodes_[i]->retire();
    for (auto* node : lasting()) {
        node->set({});
        node->disk().full = false;
        node->users().calm();
        node->set_hold(false);
        node->start();
    }
    if (scenario_.orders > 0) operator_.make_peace();
}

// What is withdrawn, or has failed so often that its rollout has halted, needs somebody who publishes something better.
void Simulation::replace_stopped() {
    if (!operator_.idle()) return;
    auto const& orders = broker_.state().orders.for_all();
    for (std::size_t i = 0; i < publishers_.size(); ++i) {
        auto const* newest = broker_.state().release_log.newest(software(i));
        if (newest == nullptr || !publishers_[i]->idle()) continue;
        auto const seq = newest->entry.seq;
        bool const stopped = orders.find(OrderKind::withdraw, software(i), seq) != nullptr ||
                             orders.find(OrderKind::pause, software(i), seq) != nullptr;
        if (!stopped || !replaced_.insert(seq).second) continue;
        library_.set_staged(false);
        publish(i, 1000 + seq.value);
    }
}

// What a restored log has lost comes again as a new release, when the nodes have had the time to say that they are
// ahead.
void Simulation::publish_once_more() {
    for (auto waited = 0s; waited < 3h && !publishers_idle(); waited += 1s) pass(1s);
    pass(45min);
    // Of a copy without a mark, until the numbers have passed those that were given before.
    auto const rounds = scenario_.restored == SimBroker::Copy::marked ? 1 : scenario_.releases + 1;
    for (std::size_t round = 1; round <= rounds; ++round) {
        for (std::size_t i = 0; i < scenario_.software; ++i) publish(i, scenario_.releases + round);
        pass(2min);
    }
}

std::optional<std::string> Simulation::run() {
    start();
    plan_releases();
    plan_trouble();
    pass(scenario_.trouble + (scenario_.restored ? Duration(11min) : Duration()));
    calm();
    if (scenario_.restored) publish_once_more();
    // The longest pause after failures is one hour, and so is that of each stage of a rollout some of whose nodes are
    // gone for ever.
    auto const most = 6h;
    if (!checker_.violation() && !converge(most)) checker_.violated("{}", missing());
    // Once more from what is durable: nothing may have been said that is not.
    broker_.crash();
    broker_.start();
    checker_.broker_has(broker_.state());
    return checker_.violation();
}

// ---- convergence ----

std::optional<std::string> Simulation::behind(SimNode& node, SoftwareName const& software, Committed const& newest) {
    auto const current = node.disk().current.find(software);
    auto const at = current == node.disk().current.end() ? 0 : current->second.seq.value;
    if (node.disk().ended.contains(software))
        return fmt::format("{}: users of {} were ended and not started again", node.name(), software.text());
    auto const found = broker_.state().node_status.find(software, node.key());
    auto const* row = found ? &*found : nullptr;
    if (at != newest.seq.value && went_back(node, software, newest, row)) return std::nullopt;
    if (at != newest.seq.value && keeps_off(node, software, newest, row)) return std::nullopt;
    if (at != newest.seq.value)
        return fmt::format("{} has release {} of {}, the newest is {}", node.name(), at, software.text(),
                           newest.seq.value);
    bool const works = works_on(node, current->second);
    if (!works && row != nullptr && row->state == NodeState::failed) return std::nullopt;  // nothing to go back to
    if (!works) return fmt::format("{} has release {} of {}, which does not work", node.name(), at, software.text());
    bool const told = row != nullptr && row->seq == newest.seq && row->state == NodeState::active &&
                      row->active == newest.seq;
    if (!told)
        return fmt::format("the ledger does not say that {} has release {} of {}", node.name(), newest.seq.value,
                           software.text());
    if (!node.disk().versions.contains(current->second))
        return fmt::format("{} has no tree of {}", node.name(), software.text());
    if (node.disk().drift.contains(current->second))
        return fmt::format("{}: {} differs from its manifest", node.name(), software.text());
    return std::nullopt;
}

// The newest release does not work there, and the broker knows.
bool Simulation::went_back(SimNode& node, SoftwareName const& software, Committed const& newest,
                           broker::NodeStatus const* row) const {
    auto const current = node.disk().current.find(software);
    bool const whole = current != node.disk().current.end() && node.disk().versions.contains(current->second);
    return whole && row != nullptr && row->seq == newest.seq && row->state == NodeState::rolled_back &&
           row->active == current->second.seq;
}

// A hook of the newest release keeps it from becoming live there, and the broker knows.
bool Simulation::keeps_off(SimNode& node, SoftwareName const& software, Committed const& newest,
                           broker::NodeStatus const* row) {
    auto const release = ReleaseId{software, newest.seq, newest.version};
    return checker_.hooks().fails(node.name(), release, HookTime::before) && row != nullptr && row->seq == newest.seq &&
           row->state == NodeState::failed;
}

bool Simulation::works_on(SimNode& node, ReleaseId const& release) {
    return !library_.is_broken(release) && !checker_.hooks().fails(node.name(), release, HookTime::after);
}

// Orders that have not come to a node.
std::optional<std::string> Simulation::unheard(SimNode& node) {
    auto const& orders = broker_.state().orders;
    auto const& journal = node.disk().journal;
    auto const own = orders.copy(*NodeName::parse(node.name()));
    if (!same_orders(journal.orders, orders.for_all()))
        return fmt::format("{} has not heard what is ordered", node.name());
    if (!same_orders(journal.own_orders, own)) return fmt::format("{} has not heard what it is ordered", node.name());
    return std::nullopt;
}

// The broker's table of a node has to be what the node's journal says, to the revision.
std::optional<std::string> Simulation::table_differs(SimNode& node) const {
    auto const& state = broker_.state();
    for (auto const& [software, record] : node.disk().journal.software) {
        if (state.release_log.newest(software) == nullptr) continue;  // a log that was restored may not know it
        auto const row = state.node_status.find(software, node.key());
        auto const active = record.active ? std::optional(record.active->seq) : std::nullopt;
        bool const same = row && row->revision == record.revision && row->seq == record.entry.seq &&
                          row->state == node_state(record.phase) && row->active == active;
        if (!same) {
            return fmt::format("{}: the table has revision {} of {}, the node's journal has {}", node.name(),
                               row ? row->revision : 0, software.text(), record.revision);
        }
    }
    return std::nullopt;
}

bool Simulation::publishers_idle() const {
    return std::all_of(publishers_.begin(), publishers_.end(), [](auto const& publisher) { return publisher->idle(); });
}

std::string Simulation::missing() {
    if (!operator_.idle()) return "the operator has no answer";
    for (std::size_t i = 0; i < publishers_.size(); ++i) {
        if (!publishers_[i]->idle()) return fmt::format("{} is not published", software(i).text());
        for (auto const& [name, newest] : publishers_[i]->newest()) {
            for (auto* node : lasting()) {
                if (auto why = behind(*node, name, newest)) return *why;
            }
        }
    }
    for (auto* node : lasting()) {
        if (auto why = unheard(*node)) return *why;
        if (auto why = table_differs(*node)) return *why;
    }
    return {};
}

bool Simulation::converged() { return missing().empty(); }

std::optional<Duration> Simulation::converge(Duration most) {
    auto const begin = world_.now();
    while (world_.now() - begin < most && !checker_.violation()) {
        replace_stopped();
        put_register_right();
        if (converged()) return world_.now() - begin;
        pass(1s);
    }
    return converged() ? std::optional(world_.now() - begin) : std::nullopt;
}

}  // namespace lull::sim
