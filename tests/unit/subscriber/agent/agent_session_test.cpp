// The session with the broker, and reports.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_session_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

TEST_CASE("a report is repeated until it is noted, and never sent before it is durable") {
    Bench bench;
    bench.check_in();
    auto actions = bench.announce(bench.release(1));
    CHECK(sent<Report>(bench.idle(14s)).empty());  // the disk takes its time
    auto const report = last_report(bench.all_durable());
    CHECK(sent<Report>(bench.idle(14s)).empty());
    CHECK(sent<Report>(bench.idle(2s)) == std::vector{report});
    CHECK(sent<Report>(bench.idle(15s)) == std::vector{report});
    bench.hear(ReportAck{software(), report.revision + 1});  // not this one
    CHECK(sent<Report>(bench.idle(15s)) == std::vector{report});
    bench.hear(ReportAck{software(), report.revision});
    CHECK(bench.agent.state().outbox.empty());
    CHECK(sent<Report>(bench.idle(40s)).empty());
}

TEST_CASE("a report that was not noted is sent again in the next session and after a restart") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.on(ExchangeLost{"broken"});
    auto const opened = bench.idle(2s);
    REQUIRE(any<OpenExchange>(opened));
    CHECK(sent<Report>(bench.welcome(1)) == std::vector{report});

    Bench after(bench.agent.state(), {}, *SigningKey::from_pem(bench.key.to_pem(""), ""));
    REQUIRE(any<OpenExchange>(after.start()));
    CHECK(sent<Report>(after.welcome(1)) == std::vector{report});
}

TEST_CASE("HELLO names only what is recorded durably") {
    Bench bench;
    bench.start();
    bench.announce(bench.release(1));
    auto const hello = sent<Hello>(bench.on(ExchangeReady{}));
    REQUIRE(hello.size() == 1);
    CHECK(hello[0].cursor == Seq{0});
}

TEST_CASE("bytes that are lost on the way are asked for again in a new session") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.hear(ReportAck{software(), report.revision});
    bench.all_durable();
    for (int i = 0; i < 8; ++i) {  // FETCH was lost; pings are answered
        CHECK_FALSE(any<CloseExchange>(bench.idle(20s)));
        bench.hear(Pong{});
    }
    auto const given_up = bench.idle(21s);
    CHECK(any<CloseExchange>(given_up));
    CHECK(any<OpenExchange>(given_up));
    CHECK(sent<Fetch>(bench.welcome(1)).size() == 1);
}

TEST_CASE("whoever is in the queue waits as long as the broker says so") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.hear(ReportAck{software(), report.revision});
    bench.all_durable();
    for (int i = 0; i < 60; ++i) {
        bench.hear(Queued{7, "64 transfers are being served"});
        CHECK_FALSE(any<CloseExchange>(bench.idle(59s)));
    }
}

TEST_CASE("whoever is told that nothing may flow waits; whoever is promised bytes and gets none does not") {
    auto const rate = GENERATE(std::uint64_t{0}, std::uint64_t{1000});
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.hear(ReportAck{software(), report.revision});
    bench.all_durable();
    bool left = false;
    for (int i = 0; i < 60 && !left; ++i) {
        auto const actions = bench.hear(Grant{rate, "others use the way to this node"});
        CHECK(any<ShowFlow>(actions));
        left = any<CloseExchange>(bench.idle(59s));
    }
    CHECK(left == (rate > 0));
}

TEST_CASE("a broken peer is left") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    auto const actions = bench.hear(Data{{Bench::manifest(1), ObjectCodec::raw, Bytes(100), Bytes(100)}, Bytes(50)},
                                    Bytes(10));
    CHECK(any<CloseExchange>(actions));
    CHECK_FALSE(any<StoreFrame>(actions));
}

TEST_CASE("an idle session is closed although the broker pings") {
    Bench bench;
    bench.check_in();
    for (int i = 0; i < 2; ++i) {
        CHECK_FALSE(any<CloseExchange>(bench.idle(29s)));
        CHECK(sent<Pong>(bench.hear(Ping{})).size() == 1);
    }
    CHECK(any<CloseExchange>(bench.idle(3s)));
}

TEST_CASE("whatever was told, the agent never wants to be woken in the past") {
    Bench bench;
    bench.check_in();
    auto const well = [&] {
        auto const wake = bench.agent.wake();
        return !wake || *wake > bench.now.point;
    };
    CHECK(well());
    bench.announce(bench.release(1));
    CHECK(well());
    bench.idle(16s);  // the batch is still not durable
    CHECK(well());
    bench.all_durable();
    CHECK(well());
    bench.to_staged(1);
    CHECK(well());
    bench.on(SwitchEnded{Bench::id(1), {}});
    CHECK(well());
    for (int i = 0; i < 200; ++i) {
        bench.idle(20s);
        CHECK(well());
        bench.on(Tick{});
        CHECK(well());
    }
}

}  // namespace agent_session_test
