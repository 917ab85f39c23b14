#pragma once

#include <catch2/catch.hpp>
#include <deque>

#include "subscriber/agent.hpp"

namespace lull::subscriber::test {

inline constexpr Epoch epoch{77};

inline SoftwareName software(std::string_view name = "kiosk") { return *SoftwareName::parse(name); }

// All actions of one kind.
template <class A>
std::vector<A> all(Actions const& actions) {
    std::vector<A> found;
    for (auto const& action : actions) {
        if (auto const* one = std::get_if<A>(&action)) found.push_back(*one);
    }
    return found;
}

template <class A>
bool any(Actions const& actions) {
    return !all<A>(actions).empty();
}

// The one action of this kind.
template <class A>
A only(Actions const& actions) {
    auto const found = all<A>(actions);
    REQUIRE(found.size() == 1);
    return found.front();
}

// All messages of one kind that go to the broker.
template <class M>
std::vector<M> sent(Actions const& actions) {
    std::vector<M> found;
    for (auto const& send : all<Send>(actions)) {
        if (auto const* one = std::get_if<M>(&send.message)) found.push_back(*one);
    }
    return found;
}

// An agent and what it is surrounded by, moved by hand. Batches become durable only when a test says so.
class Bench {
public:
    explicit Bench(JournalState state = {}, std::map<SoftwareName, ReleaseId> installed = {}, SigningKey publisher = signing_key(), NodeRules rules = {},
                   Holds holds = {})
        : key(std::move(publisher)), agent(settings(key, std::move(rules)), std::move(state), std::move(installed), std::move(holds)) {}

    Policy policy = Policy::wait;  // of releases
    std::optional<Activation> activation;
    std::optional<Rollout> rollout;
    SigningKey key;
    Agent agent;
    Moment now{TimePoint(std::chrono::seconds(1000)), WallTime{1'750'000'000'000'000}};
    std::deque<Persist> pending;  // not durable yet
    std::vector<store::Batch> durable;
    bool answers_plans = true;    // that there is no patch

    Actions start() { return take(agent.start(now)); }
    Actions on(Event event) { return take(agent.on(std::move(event), now)); }
    Actions hear(Message message, Bytes payload = {}) { return on(MessageHeard{std::move(message), payload}); }
    Actions announce(LogEntry const& entry) { return on(AnnouncementHeard{Update{epoch, entry}}); }

    void pass(Duration time) {
        now.point += time;
        now.wall.micros += std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    }
    // Passes time and ticks whenever the agent wants it.
    Actions idle(Duration time) {
        Actions everything;
        auto const end = now.point + time;
        for (auto wake = agent.wake(); wake && *wake <= end; wake = agent.wake()) {
            pass(*wake - now.point);
            append(everything, on(Tick{}));
        }
        pass(end - now.point);
        return everything;
    }

    // Makes the next batch durable, or all of them.
    Actions one_durable() {
        REQUIRE_FALSE(pending.empty());
        auto const persist = std::move(pending.front());
        pending.pop_front();
        durable.push_back(persist.batch);
        return on(BatchDone{persist.ticket, {}});
    }
    Actions all_durable() {
        Actions everything;
        while (!pending.empty()) append(everything, one_durable());
        return everything;
    }

    // Opens the exchange, which the agent must want.
    Actions welcome(std::uint64_t head = 0) {
        auto actions = on(ExchangeReady{});
        REQUIRE(sent<Hello>(actions).size() == 1);
        append(actions, hear(Welcome{epoch, Seq{head}, now.wall}));
        return actions;
    }

    // The exchange was given up in a long silence: opens it again.
    Actions reconnect(std::uint64_t head) {
        if (agent.link().state() == Link::State::closed) idle(std::chrono::minutes(2));
        return welcome(head);
    }

    // A signed release with a manifest of 100 bytes.
    [[nodiscard]] LogEntry release(std::uint64_t seq, std::string_view name = "kiosk") const {
        auto info = info_of(seq, name);
        info.policy = policy;
        info.activation = activation;
        info.rollout = rollout;
        return entry_of(key, seq, info);
    }
    [[nodiscard]] static LogEntry release_by(SigningKey const& by, std::uint64_t seq) { return entry_of(by, seq, info_of(seq)); }
    [[nodiscard]] static UpdateInfo info_of(std::uint64_t seq, std::string_view name = "kiosk") {
        return {software(name), version(seq), {}, {{*ArchitectureName::parse("any"), manifest(seq), Bytes(100), Bytes(50), 1}}, {}};
    }
    [[nodiscard]] static LogEntry entry_of(SigningKey const& by, std::uint64_t seq, UpdateInfo const& info) {
        return {Seq{seq}, Seq{seq - 1}, {}, seal(encode(info), domain::update_info, by)};
    }
    [[nodiscard]] static VersionName version(std::uint64_t seq) { return *VersionName::parse(fmt::format("1.{}", seq)); }
    [[nodiscard]] static ReleaseId id(std::uint64_t seq, std::string_view name = "kiosk") { return {software(name), Seq{seq}, version(seq)}; }
    [[nodiscard]] static Digest manifest(std::uint64_t seq) { return sha256(as_view(fmt::format("manifest {}", seq))); }
    [[nodiscard]] static Segment segment(std::uint64_t seq) { return {sha256(as_view(fmt::format("segment {}", seq))), Bytes(50)}; }

    // The whole object comes and is good.
    Actions object_comes(Digest const& object, Bytes size) {
        auto actions = hear(Data{{object, ObjectCodec::raw, size, size}, Bytes()}, size);
        REQUIRE(only<StoreFrame>(actions).then == StoreFrame::Then::finish);
        append(actions, on(ObjectFinished{object, {}}));
        append(actions, all_durable());
        return actions;
    }

    // From an announcement that is durable and an open session to each further phase.
    Actions to_fetching(std::uint64_t seq, std::string_view name = "kiosk") {
        auto actions = object_comes(manifest(seq), Bytes(100));
        REQUIRE(only<MakePlan>(actions).materials.release == id(seq, name));
        return on(PlanMade{id(seq, name), Plan{{segment(seq)}}});
    }
    Actions to_staged(std::uint64_t seq, std::string_view name = "kiosk") {
        to_fetching(seq, name);
        auto const actions = object_comes(segment(seq).digest, Bytes(50));
        REQUIRE(only<StageRelease>(actions).materials.release == id(seq, name));
        on(StageEnded{id(seq, name), {}, {}});
        return all_durable();
    }
    Actions to_active(std::uint64_t seq, std::string_view name = "kiosk") {
        auto actions = to_staged(seq, name);
        if (any<ProbeUse>(actions)) {
            on(UseFound{software(name), UseAnswer::free, {}, ""});
            actions = all_durable();
        }
        REQUIRE(only<SwitchCurrent>(actions).release == id(seq, name));
        on(SwitchEnded{id(seq, name), {}});
        return all_durable();
    }
    // Announces, records, opens the exchange if it is closed.
    Actions record(std::uint64_t seq, std::string_view name = "kiosk") {
        auto actions = announce(release(seq, name));
        append(actions, all_durable());
        if (any<OpenExchange>(actions)) append(actions, welcome(seq));
        return actions;
    }

    [[nodiscard]] SoftwareRecord const& state(std::string_view name = "kiosk") const { return agent.state().software.at(software(name)); }

    // The noise of a session that is closed at the start: HELLO, WELCOME.
    void check_in(std::uint64_t head = 0) {
        REQUIRE(any<OpenExchange>(start()));
        welcome(head);
    }

    static void append(Actions& to, Actions from) { to.insert(to.end(), from.begin(), from.end()); }

private:
    static SigningKey signing_key() { return SigningKey::generate(); }
    static AgentSettings settings(SigningKey const& key, NodeRules rules) {
        AgentSettings settings;
        settings.rules = std::move(rules);
        settings.node = *NodeName::parse("till-17");
        settings.architecture = *ArchitectureName::parse("amd64");
        settings.trusted = TrustedKeys({key.public_key()});
        return settings;
    }
    Actions take(Actions actions) {
        if (answers_plans) {
            for (auto const& plan : sent<PlanQuery>(actions)) {
                append(actions, agent.on(MessageHeard{Steps{plan.software, plan.from, plan.to, std::nullopt, Bytes(), 0}, Bytes()}, now));
            }
        }
        for (auto const& persist : all<Persist>(actions)) pending.push_back(persist);
        return actions;
    }
};

}  // namespace lull::subscriber::test
