#include "bench/large_fleet/fleet.hpp"

#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <numeric>

namespace lull::bench {

using namespace broker;

namespace {

constexpr SessionId first_node_session = 1000;

// CPU time of this thread: other processes of the machine do not count.
Duration cpu_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::string name_of(std::size_t node) { return fmt::format("node-{:05}", node); }

// Keys are spread like real ones.
PeerKey key_of(std::size_t node) {
    auto const text = name_of(node);
    std::array<std::byte, 32> bytes{};
    std::ranges::copy(sha256(as_view(text)).view(), bytes.begin());
    return PeerKey(bytes);
}

PeerKey operator_key() { return key_of(1'000'000'000); }
SoftwareName software_of(std::size_t number) { return *SoftwareName::parse(fmt::format("software-{:02}", number)); }

UpdateInfo release_of(std::size_t software, std::size_t version, bool newest) {
    UpdateInfo info;
    info.software = software_of(software);
    info.version = *VersionName::parse(fmt::format("{}.0", version));
    auto const manifest = sha256(as_view(fmt::format("manifest {} {}", software, version)));
    info.builds = {{*ArchitectureName::parse("amd64"), manifest, Bytes(1000), MiB(100), 100}};
    if (newest) info.rollout = Rollout{{1000, all_nodes}, 24 * 3600, 500};
    return info;
}

}  // namespace

// ---- figures ----

void Timings::add(Duration spent) { all_.push_back(spent); }

double Timings::mean_us() const {
    auto const sum = std::accumulate(all_.begin(), all_.end(), Duration());
    return std::chrono::duration<double, std::micro>(sum).count() /
           static_cast<double>(std::max<std::size_t>(1, count()));
}

double Timings::longest_ms() const {
    return all_.empty() ? 0 : std::chrono::duration<double, std::milli>(*std::ranges::max_element(all_)).count();
}

double LargeFleet::allocated_mb() {
    auto const heap = ::mallinfo2();
    return static_cast<double>(heap.uordblks + heap.hblkhd) / 1e6;
}

// ---- the broker ----

LargeFleet::LargeFleet(FleetSize size) : size_(size) { begin(state()); }

void LargeFleet::begin(BrokerState state) {
    auto const begun = cpu_time();
    broker_ = std::make_unique<Broker>(std::move(state), index_, BrokerSettings{});
    broker_->start(now_.wall);
    timings_["start, before peers are served"].add(cpu_time() - begun);
}

BrokerState LargeFleet::state() const {
    auto const signing = SigningKey::generate();
    BrokerState state(LogIdentity{Epoch{77}});
    state.peers.add(operator_key(), {"anna", Role::operator_, signing.public_key(), now_.wall});
    for (std::size_t i = 0; i < size_.nodes; ++i) {
        state.peers.add(key_of(i), {name_of(i), Role::node, std::nullopt, now_.wall});
    }
    std::uint64_t seq = 0;
    for (std::size_t version = 1; version <= size_.releases; ++version) {
        for (std::size_t software = 0; software < size_.software; ++software) {
            auto const info = release_of(software, version, version == size_.releases);
            ++seq;
            LogEntry const entry{Seq{seq}, Seq{seq - 1}, now_.wall, seal(encode(info), domain::update_info, signing)};
            auto const change = ReleaseLog::change(entry);
            LULL_INVARIANT(state.release_log.load(change.key, *change.value).has_value());
        }
    }
    return state;
}

Seq LargeFleet::newest(std::size_t software) const { return Seq{(size_.releases - 1) * size_.software + software + 1}; }

void LargeFleet::start_anew() { begin(broker_->state()); }

Actions LargeFleet::on(std::string_view kind, Event event) {
    Actions all;
    std::deque<std::pair<std::string, Event>> events;
    events.emplace_back(kind, std::move(event));
    while (!events.empty()) {
        auto [name, next] = std::move(events.front());
        events.pop_front();
        auto const begun = cpu_time();
        auto actions = broker_->on(std::move(next), now_);
        timings_[name].add(cpu_time() - begun);
        for (auto const& action : actions) {
            if (auto const* persist = std::get_if<Persist>(&action)) {
                events.emplace_back(fmt::format("{}, durable", kind), BatchDone{persist->ticket, {}});
            }
        }
        std::ranges::move(actions, std::back_inserter(all));
        if (events.empty() && broker_->wake() && *broker_->wake() <= now_.point) {
            events.emplace_back("turn due", TurnDue{});
        }
    }
    return all;
}

void LargeFleet::from_node(std::string_view kind, std::size_t node, Message message) {
    (void)on(kind, MessageArrived{first_node_session + node, key_of(node), std::move(message), {}});
}

// ---- what happens ----

void LargeFleet::connect_all() {
    for (std::size_t i = 0; i < size_.nodes; ++i) {
        from_node("hello", i,
                  Hello{*NodeName::parse(name_of(i)), *ArchitectureName::parse("amd64"), "lull-node 0.1.0", "boot",
                        Epoch{77}, newest(size_.software - 1)});
    }
}

void LargeFleet::report(std::size_t node, std::size_t software, Report report) {
    report.software = software_of(software);
    report.revision = ++revision_;
    report.since = now_.wall;
    from_node("report", node, std::move(report));
}

void LargeFleet::report_all() {
    for (std::size_t software = 0; software < size_.software; ++software) {
        auto const before = Seq{newest(software).value - size_.software};
        for (std::size_t node = 0; node < size_.nodes; ++node) {
            Report active;
            active.seq = before;
            active.state = NodeState::active;
            active.active = before;
            report(node, software, std::move(active));
        }
    }
}

void LargeFleet::report_newest(std::size_t node, std::size_t software) {
    Report active;
    active.seq = newest(software);
    active.state = NodeState::active;
    active.active = active.seq;
    report(node, software, std::move(active));
}

void LargeFleet::fetch(std::size_t node) {
    Fetch fetch{software_of(0), newest(0), {}};
    for (std::size_t i = 0; i < 4; ++i) fetch.items.push_back({sha256(as_view(fmt::format("object {}", i))), Bytes()});
    from_node("fetch", node, std::move(fetch));
}

void LargeFleet::disconnect(std::size_t node) { (void)on("session gone", SessionGone{first_node_session + node}); }

void LargeFleet::pass(Duration time) {
    now_.point += time;
    now_.wall.micros += std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

void LargeFleet::second() {
    pass(std::chrono::seconds(1));
    (void)on("tick", Tick{});
}

void LargeFleet::follow(std::size_t software) {
    (void)on("follow", MessageArrived{at_operator, operator_key(), Follow{software_of(software), {}}, {}});
}

std::size_t LargeFleet::ask_all(std::string_view kind, Admin question) {
    std::size_t rows = 0;
    while (true) {
        auto const actions = on(kind, MessageArrived{at_operator, operator_key(), question, {}});
        std::optional<std::uint64_t> next;
        for (auto const& action : actions) {
            auto const* send = std::get_if<Send>(&action);
            auto const* answer = send == nullptr ? nullptr : std::get_if<Answer>(&send->message);
            if (answer == nullptr) continue;
            rows += answer->status.size() + answer->releases.size() + answer->nodes.size();
            next = answer->next;
        }
        if (!next) return rows;
        question.cursor = *next;
    }
}

}  // namespace lull::bench
