#pragma once

#include <catch2/catch.hpp>
#include <deque>

#include "subscriber/agent/agent.hpp"
#include "subscriber/journal/journal.hpp"

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
    explicit Bench(JournalState state = {}, std::map<SoftwareName, ReleaseId> installed = {},
                   SigningKey publisher = signing_key(), NodeRules rules = {}, Holds holds = {},
                   std::optional<OwnProgram> own_program = {});
    ~Bench();
    Bench(Bench const&) = delete;
    Bench& operator=(Bench const&) = delete;

    Policy policy = Policy::wait;  // of releases
    std::optional<Activation> activation;
    std::optional<Rollout> rollout;
    SigningKey key;
    Agent agent;
    Moment now{TimePoint(std::chrono::seconds(1000)), WallTime{1'750'000'000'000'000}};
    std::deque<Persist> pending;  // not durable yet
    std::vector<store::Batch> durable;
    bool answers_plans = true;  // that there is no patch

    Actions start();
    Actions on(Event event);
    Actions hear(Message message, Bytes payload = {});
    Actions announce(LogEntry const& entry);

    void pass(Duration time);
    // Passes time and ticks whenever the agent wants it.
    Actions idle(Duration time);

    // Makes the next batch durable, or all of them.
    Actions one_durable();
    Actions all_durable();

    // Opens the exchange, which the agent must want.
    Actions welcome(std::uint64_t head = 0);

    // The exchange was given up in a long silence: opens it again.
    Actions reconnect(std::uint64_t head);

    // A signed release with a manifest of 100 bytes.
    [[nodiscard]] LogEntry release(std::uint64_t seq, std::string_view name = "kiosk") const;
    [[nodiscard]] static LogEntry release_by(SigningKey const& by, std::uint64_t seq) {
        return entry_of(by, seq, info_of(seq));
    }
    [[nodiscard]] static UpdateInfo info_of(std::uint64_t seq, std::string_view name = "kiosk");
    [[nodiscard]] static LogEntry entry_of(SigningKey const& by, std::uint64_t seq, UpdateInfo const& info);
    [[nodiscard]] static VersionName version(std::uint64_t seq) {
        return *VersionName::parse(fmt::format("1.{}", seq));
    }
    [[nodiscard]] static ReleaseId id(std::uint64_t seq, std::string_view name = "kiosk") {
        return {software(name), Seq{seq}, version(seq)};
    }
    [[nodiscard]] static Digest manifest(std::uint64_t seq) { return sha256(as_view(fmt::format("manifest {}", seq))); }
    [[nodiscard]] static Segment segment(std::uint64_t seq) {
        return {sha256(as_view(fmt::format("segment {}", seq))), Bytes(50)};
    }

    // The whole object comes and is good.
    Actions object_comes(Digest const& object, Bytes size);

    // From an announcement that is durable and an open session to each further phase.
    Actions to_fetching(std::uint64_t seq, std::string_view name = "kiosk");
    Actions to_staged(std::uint64_t seq, std::string_view name = "kiosk");
    Actions to_active(std::uint64_t seq, std::string_view name = "kiosk");
    // Announces, records, opens the exchange if it is closed.
    Actions record(std::uint64_t seq, std::string_view name = "kiosk");

    [[nodiscard]] SoftwareRecord state(std::string_view name = "kiosk") const {
        return agent.updates().at(software(name)).record();
    }

    // The noise of a session that is closed at the start: HELLO, WELCOME.
    void check_in(std::uint64_t head = 0);

    static void append(Actions& to, Actions from);

private:
    static SigningKey signing_key() { return SigningKey::generate(); }
    static AgentSettings settings(SigningKey const& key, NodeRules rules, std::optional<OwnProgram> own_program);
    Actions take(Actions actions);
};

}  // namespace lull::subscriber::test
