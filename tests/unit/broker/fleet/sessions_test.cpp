#include "broker/fleet/sessions.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace sessions_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

struct Recording final : SessionObserver {
    std::vector<SessionId> ended;
    void session_ended(SessionId session, Moment) override { ended.push_back(session); }
    [[nodiscard]] std::size_t kept_sessions() const override { return 0; }
};

struct Alone {
    Alone() {
        for (std::uint64_t i = 0; i < 20'000; ++i)
            peers.add(peer_key(1000 + i), {fmt::format("node-{:05}", i), Role::node, std::nullopt, {}});
        sessions.observe(first);
        sessions.observe(second);
    }
    bool arrives(SessionId session, Message message) {
        return sessions.admit({session, peer_key(session), std::move(message), {}}, now);
    }
    void begin(SessionId session) {
        REQUIRE(arrives(session, Hello{}));
        sessions.begin_node(session, peer_key(session), now);
    }
    bool refused() { return !all<CloseSession>(effects.take()).empty(); }

    Moment now{TimePoint(std::chrono::hours(1)), WallTime{1'000'000'000}};
    Peers peers;
    LastSeen last_seen;
    NodeStatusTable node_status;
    Effects effects;
    Complaints complaints{peers, last_seen, effects};
    PresenceSweep presence{peers, last_seen, node_status, std::chrono::minutes(45)};
    Sessions sessions{{peers, last_seen, presence, complaints}, effects, std::chrono::minutes(3)};
    Recording first;
    Recording second;
};

}  // namespace

TEST_CASE("each way out of a session tells every heart") {
    Alone alone;
    using Way = std::function<void(Alone&)>;
    std::vector<std::pair<std::string, Way>> const ways{
        {"a key that is not enrolled", [](Alone& a) { CHECK_FALSE(a.arrives(7, Hello{})); }},
        {"a role that may not", [](Alone& a) { CHECK_FALSE(a.arrives(1001, Admin{})); }},
        {"no HELLO before", [](Alone& a) { CHECK_FALSE(a.arrives(1001, Sync{})); }},
        {"a PONG that comes too late", [](Alone& a) { CHECK_FALSE(a.arrives(1001, Pong{})); }},
        {"a first frame that is no message",
         [](Alone& a) {
             a.sessions.malformed({1001, peer_key(1001), {Fault::damaged, "?"}}, a.now);
         }},
        {"the connection is gone",
         [](Alone& a) {
             a.begin(1001);
             a.sessions.end(1001, a.now);
         }},
        {"the peer did wrong",
         [](Alone& a) {
             a.begin(1001);
             a.sessions.end(1001, "it did wrong", a.now);
         }},
        {"the node connects anew",
         [](Alone& a) {
             a.begin(1001);
             REQUIRE(a.sessions.admit({5000, peer_key(1001), Hello{}, {}}, a.now));
             a.sessions.begin_node(5000, peer_key(1001), a.now);
         }},
        {"silence", [](Alone& a) {
             a.begin(1001);
             a.now.point += std::chrono::minutes(4);
             a.sessions.look_after(a.now);
         }}};
    for (auto const& [name, way] : ways) {
        INFO(name);
        Alone fresh;
        way(fresh);
        CHECK(fresh.first.ended.size() == 1);
        CHECK(fresh.first.ended == fresh.second.ended);
        CHECK(fresh.refused());
        CHECK_FALSE(fresh.sessions.contains(1001));
    }
}

TEST_CASE("a tick looks after a fifteenth of many sessions, and fifteen ticks look after all of them") {
    Alone alone;
    for (SessionId session = 1000; session < 19'000; ++session) alone.begin(session);
    (void)alone.effects.take();
    alone.now.point += std::chrono::seconds(31);
    alone.sessions.look_after(alone.now);
    CHECK(all<Send>(alone.effects.take()).size() == 1201);
    for (int i = 0; i < 14; ++i) alone.sessions.look_after(alone.now);
    CHECK(all<Send>(alone.effects.take()).size() == 18'000 - 1201);
}

TEST_CASE("when peers were heard last is written in bounded batches, until all is written") {
    Alone alone;
    for (SessionId session = 1000; session < 6000; ++session) alone.begin(session);
    std::vector<std::size_t> sizes;
    for (int i = 0; i < 5; ++i) {
        alone.sessions.save_last_seen(alone.now.point);
        for (auto const& persist : all<Persist>(alone.effects.take())) sizes.push_back(persist.batch.size());
        alone.now.point += std::chrono::seconds(1);
    }
    CHECK(sizes == std::vector<std::size_t>{2000, 2000, 1000});
}

}  // namespace sessions_test
