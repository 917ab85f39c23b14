#include "broker/delivery/governor/governor.hpp"

#include <catch2/catch.hpp>

namespace governor_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr Bytes frame(1400);

// A governor with sessions on a line that delays every frame by 10 ms each way, and a clock.
struct Bench {
    Governor governor;
    TimePoint now{100s};
    std::map<SessionId, Bytes> sent;

    explicit Bench(GovernorSettings settings = {}) : governor(std::move(settings)) {}

    PathController::Turn turn(SessionId session, Urgency urgency = Urgency::normal) {
        return governor.turn(session, urgency, now);
    }
    void send(SessionId session, Bytes size, Urgency urgency = Urgency::normal) {
        governor.decided(session, size, urgency, now);
        governor.left({.session = session, .size = size, .at = now});
        sent[session] += size;
    }
    void acknowledge(SessionId session, Duration queue = {}) {
        auto const at = now.time_since_epoch() + 10ms + queue;
        governor.acknowledged(session, sent[session], {at, {}}, now + 20ms + queue);
    }
    // Thirty probes and packets, as at the beginning of every path.
    void measure(SessionId session) {
        (void)turn(session);
        while (governor.view(session, now)->reason == Reason::measuring) {
            auto const kind = turn(session).kind;
            if (kind == PathController::Turn::Kind::data) {
                send(session, frame);
                acknowledge(session);
            } else if (kind == PathController::Turn::Kind::probe) {
                auto const number = governor.probing(session, now);
                governor.left({.session = session, .probe = number, .at = now});
                governor.answered(session, number, {now.time_since_epoch() + 10ms, {}}, now + 20ms);
            }
            now += 1ms;
        }
        now += 100ms;
    }
};

Route way(std::string site, std::string line = {}) { return {std::move(site), std::move(line)}; }

}  // namespace

TEST_CASE("a session flows freely while its way is not known, and always if the governor is off") {
    Bench bench;
    CHECK(bench.turn(1).kind == PathController::Turn::Kind::data);
    CHECK(bench.turn(1).size > GiB(1));
    Bench off({.on = false});
    off.governor.open(1, way("a"));
    CHECK(off.turn(1).size > GiB(1));
    CHECK_FALSE(off.governor.view(1, off.now).has_value());
}

TEST_CASE("a new path is probed before data flows, and data comes in small frames") {
    Bench bench;
    bench.governor.open(1, way("a"));
    CHECK(bench.turn(1).kind == PathController::Turn::Kind::probe);
    CHECK(bench.governor.view(1, bench.now)->reason == Reason::measuring);
    bench.measure(1);
    CHECK(bench.turn(1).size <= KiB(64));
    CHECK(bench.governor.view(1, bench.now)->reason == Reason::none);
}

TEST_CASE("bytes of immediate urgency ask nobody, and hold nobody up afterwards") {
    Bench bench;
    bench.governor.open(1, way("a"));
    CHECK(bench.turn(1, Urgency::immediate).size > GiB(1));
    bench.send(1, MiB(200), Urgency::immediate);
    bench.acknowledge(1);
    bench.measure(1);
    CHECK(bench.now < TimePoint(101s));  // 200 MiB at the first rate would be a quarter of an hour
}

TEST_CASE("sessions of one site share what it learned; other sites are on their own") {
    Bench bench;
    bench.governor.open(1, way("a"));
    bench.governor.open(2, way("a"));
    bench.governor.open(3, way("b"));
    bench.measure(1);
    CHECK(bench.turn(2).kind == PathController::Turn::Kind::data);
    CHECK(bench.turn(3).kind == PathController::Turn::Kind::probe);
    bench.send(1, frame);
    CHECK(bench.turn(2).kind == PathController::Turn::Kind::wait);  // the frame of 1 was the site's
}

TEST_CASE("what a session had in flight when it ended does not weigh on its site") {
    Bench bench;
    bench.governor.open(1, way("a"));
    bench.governor.open(2, way("a"));
    bench.measure(1);
    for (int i = 0; i < 1000 && bench.turn(1).kind == PathController::Turn::Kind::data; ++i) {
        bench.send(1, frame);
        bench.now += 10ms;
    }
    CHECK(bench.turn(2).kind ==
          PathController::Turn::Kind::wait);  // nothing comes back: no more than this may be on its way
    bench.governor.close(1, bench.now);
    CHECK(bench.turn(2).kind == PathController::Turn::Kind::data);
}

TEST_CASE("a site's knowledge outlives its sessions for a while") {
    Bench bench;
    bench.governor.open(1, way("a"));
    bench.measure(1);
    bench.governor.close(1, bench.now);
    bench.governor.forget_idle(bench.now + 10min);
    CHECK(bench.governor.sites() == 1);
    bench.governor.open(2, way("a"));
    CHECK(bench.turn(2).kind == PathController::Turn::Kind::data);
    bench.governor.close(2, bench.now);
    bench.governor.forget_idle(bench.now + 31min);
    CHECK(bench.governor.sites() == 0);
}

TEST_CASE("an acknowledgement that stands for several frames, or for none, harms nothing") {
    Bench bench;
    bench.governor.open(1, way("a"));
    bench.measure(1);
    for (int i = 0; i < 3; ++i) bench.send(1, frame);
    bench.acknowledge(1);
    bench.acknowledge(1);
    bench.governor.acknowledged(1, GiB(5), {}, bench.now);
    bench.governor.answered(1, 4711, {}, bench.now);
    bench.now += 1s;
    CHECK(bench.turn(1).kind == PathController::Turn::Kind::data);
}

TEST_CASE("a line is divided by urgency, up to the caps of sites and the share of the hour") {
    GovernorSettings settings;
    settings.line.configured = Mbit(100);
    settings.schedule = Schedule::parse("00:00-12:00 UTC 50%, else 100%").value();
    settings.caps = {{"capped", Mbit(8)}};
    Bench bench(settings);
    bench.governor.open(1, way("capped", "eth0"));
    bench.governor.open(2, way("b", "eth0"));
    for (SessionId session : {1, 2}) bench.measure(session);
    for (int i = 0; i < 4; ++i) {
        bench.governor.on({"eth0", {bench.now, Bytes(1000U * static_cast<unsigned>(i)), Bytes()}});
        bench.now += 20ms;
    }
    auto const noon = WallTime{std::int64_t{12} * 3600 * 1'000'000};
    bench.governor.divide({{1, Urgency::urgent}, {2, Urgency::background}}, {bench.now, noon});
    CHECK(bench.governor.lines().at("eth0").budget > Mbit(90));
    bench.governor.divide({{1, Urgency::urgent}, {2, Urgency::background}}, {bench.now, WallTime{}});
    CHECK(bench.governor.lines().at("eth0").budget <= Mbit(50));
    CHECK(bench.governor.view(1, bench.now)->rate <= Mbit(8));
}

TEST_CASE("the kernel is told of a pacing rate when it changes by a tenth") {
    Bench bench;
    CHECK_FALSE(bench.governor.repace(1, Urgency::normal).has_value());
    bench.governor.open(1, way("a"));
    (void)bench.turn(1);
    auto const first = bench.governor.repace(1, Urgency::normal);
    REQUIRE(first.has_value());
    CHECK(*first >= ByteRate(250'000));
    CHECK_FALSE(bench.governor.repace(1, Urgency::normal).has_value());
    CHECK(bench.governor.repace(1, Urgency::immediate).value_or(ByteRate()) > Mbit(100'000));
}

TEST_CASE("a session that begins anew while frames are on their way is none the worse") {
    Bench bench;
    bench.governor.open(1, way("a"));
    bench.measure(1);
    bench.governor.decided(1, frame, Urgency::normal, bench.now);
    bench.governor.restart(1, bench.now);
    bench.governor.left({.session = 1, .size = frame, .at = bench.now});  // nobody is there
    (void)bench.turn(1);
    for (int i = 0; i < 3; ++i) bench.governor.left({.session = 1, .size = frame, .at = bench.now});
    bench.governor.acknowledged(1, Bytes(3 * 1400), {}, bench.now);
    bench.now += 1s;
    CHECK(bench.turn(1).kind == PathController::Turn::Kind::data);
}

TEST_CASE("a session that is sent nothing costs no more than its way") {
    Bench bench;
    for (SessionId session = 1; session <= 1000; ++session)
        bench.governor.open(session, way(fmt::format("site {}", session)));
    CHECK(bench.governor.sites() == 0);
    CHECK_FALSE(bench.governor.view(7, bench.now).has_value());
}

}  // namespace governor_test
