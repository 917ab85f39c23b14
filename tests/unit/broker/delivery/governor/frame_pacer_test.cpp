#include "broker/delivery/governor/frame_pacer.hpp"

#include <catch2/catch.hpp>

namespace frame_pacer_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
using Mode = FramePacer::Mode;
using Kind = Turn::Kind;

FramePacer::Flow flowing_at(double mbit) { return {Mode::flowing, Mbit(mbit), 20ms, 30}; }

// What goes in a second if every frame is acknowledged at once.
Bytes in_a_second(FramePacer& pacer, FramePacer::Flow const& flow) {
    Bytes sum;
    for (auto now = start; now < start + 1s;) {
        auto const turn = pacer.turn(flow, now);
        if (turn.kind == Kind::wait) {
            now = std::max(turn.again, now + 1us);
            continue;
        }
        pacer.sent(turn.size, flow.rate, now);
        pacer.acknowledged(turn.size);
        sum += turn.size;
    }
    return sum;
}

}  // namespace

TEST_CASE("frames of two milliseconds go at the rate, within 1.4 kB and 256 kB") {
    for (auto const mbit : {0.2, 20.0, 1000.0, 10'000.0}) {
        FramePacer pacer{{}};
        CHECK(rate_of(in_a_second(pacer, flowing_at(mbit)), 1s) / Mbit(mbit) == Approx(1).epsilon(0.08));
    }
    FramePacer pacer{{}};
    CHECK(pacer.turn(flowing_at(0.1), start).size == Bytes(1400));
    CHECK(pacer.turn(flowing_at(20), start).size == Bytes(5000));
    CHECK(pacer.turn(flowing_at(100'000), start).size == KiB(256));
}

TEST_CASE("no more than a round trip and some slack is on its way") {
    FramePacer pacer{{}};
    auto const flow = flowing_at(20);
    Bytes sum;
    for (auto now = start; now < start + 1s; now += 1ms) {
        auto const turn = pacer.turn(flow, now);
        if (turn.kind != Kind::data) continue;
        pacer.sent(turn.size, flow.rate, now);
        sum += turn.size;
    }
    CHECK(sum <= flowing(flow.rate, 50ms) + KiB(10));
    pacer.acknowledged(Bytes(5000));
    CHECK(pacer.turn(flow, start + 1s).kind == Kind::data);
}

TEST_CASE("in a pause only probes go, and data again at its end") {
    FramePacer pacer{{}};
    pacer.pause(start + 20ms);
    CHECK(pacer.turn(flowing_at(20), start).kind == Kind::probe);
    pacer.sent(FramePacer::probe_size, Mbit(20), start);
    auto const turn = pacer.turn(flowing_at(20), start + 1ms);
    CHECK(turn.kind == Kind::wait);
    CHECK(turn.again == start + 5ms);
    CHECK(pacer.turn(flowing_at(20), start + 20ms).kind == Kind::data);
}

TEST_CASE("the minimum progress of a stopped path goes on in a pause") {
    FramePacer pacer{{}};
    pacer.pause(start + 1h);
    CHECK(pacer.turn({Mode::yielding, Mbit(0.2), 20ms, 30}, start).kind == Kind::data);
}

TEST_CASE("without a rate nothing but probes goes while data has stopped") {
    FramePacer pacer{{}};
    CHECK(pacer.turn({Mode::yielding, ByteRate(), 20ms, 30}, start).kind == Kind::probe);
    pacer.sent(FramePacer::probe_size, ByteRate(), start);
    CHECK(pacer.turn({Mode::yielding, ByteRate(), 20ms, 30}, start + 49ms).kind == Kind::wait);
    CHECK(pacer.turn({Mode::yielding, ByteRate(), 20ms, 30}, start + 50ms).kind == Kind::probe);
}

TEST_CASE("the kernel's pacing follows a falling rate two rounds later") {
    FramePacer pacer{{}};
    pacer.begin_round(Mbit(200));
    pacer.begin_round(Mbit(50));
    CHECK(pacer.pacing(Mbit(50)) > Mbit(200));
    pacer.begin_round(Mbit(50));
    CHECK(pacer.pacing(Mbit(50)) < Mbit(70));
    pacer.begin_round(Mbit(1));
    pacer.begin_round(Mbit(1));
    CHECK(pacer.pacing(Mbit(1)) > Mbit(20));  // or the second packet of a frame would seem to be in a queue
}

}  // namespace frame_pacer_test
