#include "broker/delivery/governor/line_governor.hpp"

#include <catch2/catch.hpp>

namespace line_governor_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
constexpr Duration poll = 20ms;
constexpr ByteRate plenty(1e9);

// A governor whose line carries what it is told to.
struct Line {
    explicit Line(LineSettings settings) : governor(settings) {}

    void run(Duration time, ByteRate ours, ByteRate others) {
        for (Duration t{}; t < time; t += poll) {
            now += poll;
            our_bytes += flowing(ours, poll);
            all += flowing(ours, poll) + flowing(others, poll);
            governor.on({now, all, our_bytes});
        }
    }

    LineGovernor governor;
    TimePoint now = start;
    Bytes all;
    Bytes our_bytes;
};

LineSettings known(double mbit) { return {.link_speed = Mbit(mbit)}; }

std::vector<PathClaim> claims(std::size_t count, Urgency urgency = Urgency::normal) {
    std::vector<PathClaim> result;
    for (PathId path = 0; path < count; ++path) result.push_back({path, urgency, plenty});
    return result;
}

double total(std::vector<LineShare> const& grants) {
    double sum = 0;
    for (auto const& grant : grants) sum += grant.rate.per_second();
    return sum;
}

}  // namespace

TEST_CASE("a quiet line is given out but for 3 %, from 10 Mbit/s to 10 Gbit/s") {
    for (auto const mbit : {10, 100, 1000, 10'000}) {
        Line line(known(mbit));
        line.run(2s, Mbit(mbit) * 0.5, ByteRate());
        CHECK(total(line.governor.divide(claims(3), {})) == Approx(Mbit(mbit).per_second() * 0.97).epsilon(0.001));
        CHECK(!line.governor.active());
    }
}

TEST_CASE("what others send is left to them at once, and something always flows") {
    Line line(known(100));
    line.run(2s, Mbit(90), ByteRate());
    line.run(2 * poll, Mbit(90), Mbit(40));
    CHECK(line.governor.active());
    auto const grants = line.governor.divide(claims(2), {});
    CHECK(total(grants) == Approx(Mbit(57).per_second()).epsilon(0.02));
    CHECK(grants[0].reason == Reason::line_busy);
    line.run(2s, Mbit(0), Mbit(100));
    CHECK(total(line.governor.divide(claims(2), {})) == Approx(Mbit(0.5).per_second()).epsilon(0.01));
}

TEST_CASE("with --only-quiet nothing flows while others fill the line, and the reason says so") {
    auto settings = known(100);
    settings.progress = 0;
    Line line(settings);
    line.run(2s, ByteRate(), Mbit(100));
    auto const grants = line.governor.divide(claims(1), {});
    CHECK(grants[0].rate.zero());
    CHECK(grants[0].reason == Reason::only_quiet);
}

TEST_CASE("a line counts as quiet again a second after the others have nearly stopped") {
    Line line(known(100));
    line.run(2s, ByteRate(), Mbit(10));
    CHECK(line.governor.active());
    line.run(500ms, ByteRate(), ByteRate());
    CHECK(line.governor.active());
    line.run(6s, ByteRate(), ByteRate());
    CHECK(!line.governor.active());
}

TEST_CASE(
    "a line whose speed nobody tells is learned upwards, and others that fill it to what was seen starve nobody") {
    Line line({});
    line.run(1s, Mbit(1), Mbit(30));
    auto const first = total(line.governor.divide(claims(1), {}));
    CHECK(first > Mbit(5).per_second());
    for (int i = 0; i < 20; ++i) {
        line.run(1s, ByteRate(total(line.governor.divide(claims(1), {}))), Mbit(30));
    }
    CHECK(total(line.governor.divide(claims(1), {})) > Mbit(100).per_second());
}

TEST_CASE("queues on the way while the line carries its most are taken for its end, for half a minute") {
    Line line({});
    line.run(3s, Mbit(18), Mbit(2));
    CHECK(total(line.governor.divide(claims(1), {})) > Mbit(20).per_second());
    line.governor.path_congested(line.now);
    CHECK(total(line.governor.divide(claims(1), {})) == Approx(Mbit(17.4).per_second()).epsilon(0.01));
    line.run(31s, Mbit(17), Mbit(2));
    CHECK(total(line.governor.divide(claims(1), {})) > Mbit(20).per_second());
}

TEST_CASE("more than the allowed transfers queue, the urgent come first, and each knows its place") {
    auto settings = known(100);
    settings.transfers = 2;
    Line line(settings);
    line.run(1s, ByteRate(), ByteRate());
    auto wanting = claims(4);
    wanting[3].urgency = Urgency::urgent;
    auto const grants = line.governor.divide(wanting, {});
    CHECK(grants[3].position == 0);
    CHECK(grants[0].position == 0);
    CHECK(grants[1].position == 1);
    CHECK(grants[2].position == 2);
    CHECK(grants[2].rate.zero());
    CHECK(grants[2].reason == Reason::place_in_queue);
    CHECK(grants[3].rate.per_second() == Approx(4 * grants[0].rate.per_second()));
}

TEST_CASE("windows, caps of groups and an operator's own reading bound what is given, and are named") {
    Line line(known(100));
    line.run(1s, ByteRate(), ByteRate());
    auto const night_only = line.governor.divide(claims(2), {.window = 0.1});
    CHECK(total(night_only) == Approx(Mbit(10).per_second()));
    CHECK(night_only[0].reason == Reason::window);
    CHECK(total(line.governor.divide(claims(2), {.window = 0})) == 0);

    auto grouped = claims(3);
    grouped[2].group = 1;
    auto const capped = line.governor.divide(grouped, {.caps = {ByteRate(1e12), Mbit(5)}});
    CHECK(capped[2].rate.per_second() == Approx(Mbit(5).per_second()));
    CHECK(capped[2].reason == Reason::cap);
    CHECK(total(capped) == Approx(Mbit(97).per_second()).epsilon(0.001));

    auto const elsewhere = line.governor.divide(claims(1), {.cross_traffic_elsewhere = Mbit(60)});
    CHECK(total(elsewhere) == Approx(Mbit(37).per_second()).epsilon(0.001));
    CHECK(elsewhere[0].reason == Reason::line_busy);
}

TEST_CASE("the operator's figure is never exceeded") {
    auto settings = known(1000);
    settings.configured = Mbit(50);
    Line line(settings);
    line.run(1s, Mbit(40), ByteRate());
    CHECK(total(line.governor.divide(claims(5), {})) == Approx(Mbit(48.5).per_second()));
}

}  // namespace line_governor_test
