#include "broker/delivery/governor/path_controller.hpp"

#include <catch2/catch.hpp>

#include "synthetic_line.hpp"

namespace path_controller_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

PathController normal(PathTuning const& tuning = {}) { return {tuning, Urgency::normal}; }

double share(Course const& course, Duration from, Duration to, ByteRate of) { return course.rate(from, to) / of; }

SyntheticLine at(double mbit, Duration round_trip) {
    return {.rate = [mbit](Duration) { return Mbit(mbit); }, .round_trip = round_trip};
}

auto step_of(double before, double after, Duration at) {
    return [=](Duration t) { return Mbit(t < at ? before : after); };
}

}  // namespace

TEST_CASE(
    "an idle line is used to 90 % at least within two seconds, and stays nearly without a queue, from 10 Mbit/s to 10 "
    "Gbit/s") {
    struct Line {
        double mbit;
        Duration round_trip;
    };
    for (auto const [mbit, round_trip] :
         {Line{10, 40ms}, Line{20, 20ms}, Line{100, 4ms}, Line{1000, 1ms}, Line{10'000, 1ms}}) {
        auto controller = normal();
        auto const course = drive(controller, at(mbit, round_trip), 8s);
        INFO(mbit << " Mbit/s");
        CHECK(share(course, 2s, 8s, Mbit(mbit)) > 0.9);
        CHECK(course.queue(2s, 8s, 0.5) < 2ms);
        CHECK(course.queue(2s, 8s, 0.99) < 7ms);
        CHECK(controller.reason(TimePoint(2000s)) == Reason::none);
    }
}

TEST_CASE("clocks that drift apart by 200 ppm change nothing") {
    for (auto const drift : {-200e-6, 200e-6}) {
        auto controller = normal();
        auto line = at(20, 20ms);
        line.drift = drift;
        auto const course = drive(controller, line, 60s);
        CHECK(share(course, 5s, 60s, Mbit(20)) > 0.94);
        CHECK(course.queue(5s, 60s, 0.99) < 5ms);
    }
}

TEST_CASE(
    "a queue that others keep stops data within 0.3 s but for the minimum progress, and it comes back within a "
    "second") {
    auto controller = normal();
    auto line = at(20, 20ms);
    line.others = [](Duration t) { return t > 5s && t < 8s ? Mbit(20.5) : ByteRate(); };
    auto const course = drive(controller, line, 12s);
    CHECK(share(course, 5300ms, 8s, Mbit(20)) < 0.06);
    CHECK(share(course, 5300ms, 8s, Mbit(20)) > 0.001);
    CHECK(share(course, 9s, 12s, Mbit(20)) > 0.8);
}

TEST_CASE("with no minimum progress nothing but probes flows while others keep a queue") {
    auto controller = normal({.progress = 0});
    auto line = at(20, 20ms);
    line.others = [](Duration t) { return t > 5s ? Mbit(20.5) : ByteRate(); };
    auto const course = drive(controller, line, 12s);
    CHECK(share(course, 8s, 12s, Mbit(20)) < 0.001);
    CHECK(controller.reason(TimePoint(2000s)) == Reason::only_quiet);
}

TEST_CASE("what a constant stream leaves is used, and the stream meets hardly a queue") {
    auto controller = normal();
    auto line = at(20, 20ms);
    line.others = [](Duration t) { return t > 5s ? Mbit(10) : ByteRate(); };
    auto const course = drive(controller, line, 25s);
    CHECK(share(course, 7s, 25s, Mbit(10)) > 0.7);
    CHECK(course.queue(7s, 25s, 0.5) < 3ms);
}

TEST_CASE("a line that becomes half or twice as fast is followed, without starvation and without a lasting queue") {
    auto controller = normal();
    auto line = at(20, 20ms);
    line.rate = step_of(20, 10, 10s);
    auto const halved = drive(controller, line, 25s);
    CHECK(share(halved, 12s, 25s, Mbit(10)) > 0.6);
    CHECK(halved.queue(12s, 25s, 0.9) < 8ms);

    auto other = normal();
    line.rate = step_of(20, 40, 10s);
    auto const doubled = drive(other, line, 40s);
    CHECK(share(doubled, 30s, 40s, Mbit(40)) > 0.9);
}

TEST_CASE("stalls of wifi and the ticks of LTE do not end a transfer") {
    auto wifi = [stalled = Duration()](Duration t, std::mt19937_64& random) mutable {
        if (random() % 50 == 0) stalled = t + Duration(static_cast<std::int64_t>(random() % 12'000'000));
        return std::max<Duration>(0ms, stalled - t);
    };
    auto lte = [](Duration t, std::mt19937_64& random) {
        return (t / 5ms + 1) * 5ms - t + (random() % 20 == 0 ? 8ms : 0ms);
    };
    auto line = at(20, 40ms);
    line.jitter = wifi;
    auto first = normal();
    CHECK(share(drive(first, line, 20s), 5s, 20s, Mbit(20)) > 0.5);
    line.jitter = lte;
    auto second = normal();
    CHECK(share(drive(second, line, 20s), 5s, 20s, Mbit(20)) > 0.5);
    CHECK(second.threshold() > 3ms);
    CHECK(second.threshold() <= 15ms);
}

TEST_CASE("control: with a threshold that never adapts, and without an eye for stalls, LTE starves a transfer") {
    auto line = at(20, 40ms);
    line.jitter = [](Duration t, std::mt19937_64& random) {
        return (t / 5ms + 1) * 5ms - t + (random() % 20 == 0 ? 8ms : 0ms);
    };
    auto controller = normal({.late_factor = 0, .jitter_factor = 0, .window_factor = 0, .stall = 0});
    CHECK(share(drive(controller, line, 20s), 5s, 20s, Mbit(20)) < 0.5);
}

TEST_CASE("where a router shares fairly, no more than the own part is taken and hardly a queue stays") {
    auto controller = normal();
    auto line = at(20, 20ms);
    line.fair = true;
    line.others = [](Duration t) { return t > 5s ? Mbit(20) : ByteRate(); };
    auto const course = drive(controller, line, 30s);
    CHECK(share(course, 8s, 30s, Mbit(20)) <= 0.51);
    CHECK(course.queue(8s, 30s, 0.9) < 10ms);
}

TEST_CASE("level 2 bounds the rate at once, and zero means silence") {
    auto controller = normal();
    controller.limit(Mbit(5));
    auto const course = drive(controller, at(20, 20ms), 5s);
    CHECK(share(course, 1s, 5s, Mbit(5)) > 0.9);
    CHECK(share(course, 1s, 5s, Mbit(5)) < 1.02);
    controller.limit(ByteRate());
    CHECK(controller.turn(TimePoint(2000s)).kind == PathController::Turn::Kind::wait);
}

TEST_CASE("the urgent bear a longer queue than the normal, and these than the background") {
    CHECK(PathController({}, Urgency::urgent).threshold() > PathController({}, Urgency::normal).threshold());
    CHECK(PathController({}, Urgency::normal).threshold() > PathController({}, Urgency::background).threshold());
}

TEST_CASE("the kernel's pacing stays above what is sent, also right after a cut") {
    auto controller = normal();
    auto line = at(20, 20ms);
    line.others = [](Duration t) { return t > 5s ? Mbit(19) : ByteRate(); };
    (void)drive(controller, line, 5100ms);
    CHECK(controller.pacing() > controller.rate());
}

TEST_CASE("however little flows, a probe is not held up by the kernel's pacing") {
    auto controller = normal();
    auto line = at(20, 20ms);
    line.others = [](Duration) { return Mbit(20.5); };
    (void)drive(controller, line, 5s);
    CHECK(controller.phase() == PathController::Phase::yield);
    CHECK(time_for(Bytes(200), controller.pacing()) < 2ms);
}

TEST_CASE("congestion that never ends, however false, lets half a percent of the capacity flow") {
    auto controller = normal();
    auto line = at(20, 20ms);
    auto const busy = [](Duration t, std::mt19937_64&) { return t > 100ms && t < 20s ? 200ms : 0ms; };
    line.jitter = busy;
    CHECK(share(drive(controller, line, 19s), 2s, 19s, Mbit(20)) > 0.004);

    auto later = normal();
    line.jitter = [](Duration t, std::mt19937_64&) { return t > 5s ? 200ms : 0ms; };
    CHECK(share(drive(later, line, 19s), 7s, 19s, Mbit(20)) > 0.004);
}

TEST_CASE("control: without the minimum progress nothing flows there") {
    auto controller = normal({.progress = 0});
    auto line = at(20, 20ms);
    line.jitter = [](Duration t, std::mt19937_64&) { return t > 5s ? 200ms : 0ms; };
    CHECK(share(drive(controller, line, 19s), 7s, 19s, Mbit(20)) < 0.004);
}

}  // namespace path_controller_test
