#include "subscriber/agent/link.hpp"

#include <catch2/catch.hpp>

namespace link_test {

using namespace lull;
using namespace lull::subscriber;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
constexpr Link::Need nothing{};
constexpr Link::Need wanted{.wanted = true, .owed = false};
constexpr Link::Need owed{.wanted = true, .owed = true};

Link fresh(std::uint64_t seed = 1) { return Link(LinkTimes{}, seed); }

void open(Link& link, TimePoint now) {
    link.opening(now);
    link.ready(now);
    link.welcomed(now);
}

// A link that said HELLO at `start` and closed again.
Link greeted(std::uint64_t seed = 1) {
    auto link = fresh(seed);
    open(link, start);
    link.closed(start);
    return link;
}

}  // namespace

TEST_CASE("a node says HELLO when it starts") { CHECK(fresh().advise(nothing, start) == Link::Advice::open); }

TEST_CASE("an exchange that does not answer is given up after the time for answers") {
    auto link = fresh();
    link.opening(start);
    CHECK(link.state() == Link::State::connecting);
    CHECK(link.advise(wanted, start + 14s) == Link::Advice::nothing);
    CHECK(link.wake(wanted) == start + 15s);
    CHECK(link.advise(wanted, start + 15s) == Link::Advice::give_up);

    link.ready(start + 10s);
    CHECK(link.state() == Link::State::greeting);
    CHECK(link.advise(wanted, start + 24s) == Link::Advice::nothing);
    CHECK(link.advise(wanted, start + 25s) == Link::Advice::give_up);
}

TEST_CASE("pauses after failures are random, at most doubled each time, and bounded") {
    Duration longest{};
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        auto link = fresh(seed);
        TimePoint now = start;
        Duration most = 1s;
        for (int failure = 0; failure < 12; ++failure) {
            link.opening(now);
            link.lost(now);
            auto const pause = link.wake(wanted) - now;
            CHECK(pause >= 0s);
            CHECK(pause <= most);
            if (pause > 0s) CHECK(link.advise(wanted, now + pause - Duration(1)) == Link::Advice::nothing);
            CHECK(link.advise(wanted, now + pause) == Link::Advice::open);
            longest = std::max(longest, pause);
            most = std::min<Duration>(most * 2, 2min);
            now += pause;
        }
    }
    CHECK(longest > 100s);
}

TEST_CASE("a session that brought nothing does not shorten the pauses, one that brought something does") {
    auto link = fresh();
    TimePoint now = start;
    Duration longest{};
    for (int i = 0; i < 30; ++i) {  // WELCOME comes each time, and then the broker refuses what is said
        open(link, now);
        link.lost(now);
        longest = std::max(longest, link.wake(wanted) - now);
        now = link.wake(wanted);
    }
    CHECK(longest > 20s);

    open(link, now);
    link.useful(now);
    link.lost(now);
    CHECK(link.wake(wanted) - now <= 1s);
}

TEST_CASE("BUSY is obeyed") {
    auto link = fresh();
    link.opening(start);
    link.lost(start);
    link.busy(start + 10min);
    CHECK(link.advise(wanted, start + 10min - 1s) == Link::Advice::nothing);
    CHECK(link.wake(wanted) == start + 10min);
    CHECK(link.advise(wanted, start + 10min) == Link::Advice::open);
}

TEST_CASE("a session with nothing to say is closed after a minute, and pings do not keep it") {
    auto link = fresh();
    open(link, start);
    link.spoke(start + 5s);
    CHECK(link.advise(nothing, start + 64s) == Link::Advice::nothing);
    link.heard(start + 40s);  // the broker looks whether we are there
    CHECK(link.wake(nothing) == start + 65s);
    CHECK(link.advise(nothing, start + 65s) == Link::Advice::close);
    CHECK(link.advise(wanted, start + 65s) == Link::Advice::nothing);
}

TEST_CASE("an open session is closed when idle even if the time to check in has come meanwhile") {
    auto link = fresh();
    open(link, start);
    link.spoke(start + 20min);  // a long transfer
    CHECK(link.wake(nothing) == start + 21min);
    CHECK(link.advise(nothing, start + 21min) == Link::Advice::close);
}

TEST_CASE("a node checks in within the interval, at a random moment of its second half") {
    Duration earliest = 1h;
    Duration latest{};
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        auto const link = greeted(seed);
        auto const pause = link.wake(nothing) - start;
        CHECK(link.advise(nothing, start + pause - Duration(1)) == Link::Advice::nothing);
        CHECK(link.advise(nothing, start + pause) == Link::Advice::open);
        earliest = std::min(earliest, pause);
        latest = std::max(latest, pause);
    }
    CHECK(earliest >= 7min + 30s);
    CHECK(latest <= 15min);
    CHECK(latest - earliest > 5min);
}

TEST_CASE("whoever has missed something catches up within the spread, not all at once") {
    Duration earliest = 1h;
    Duration latest{};
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        auto link = greeted(seed);
        link.gap(start, 100s);
        CHECK(link.gap_known());
        auto const pause = link.wake(nothing) - start;
        link.gap(start + 1s, 100s);  // heard again: the moment stays
        CHECK(link.wake(nothing) - start == pause);
        CHECK_FALSE(link.catching_up(start + pause - Duration(1)));
        CHECK(link.catching_up(start + pause));
        CHECK(link.advise(nothing, start + pause) == Link::Advice::open);
        earliest = std::min(earliest, pause);
        latest = std::max(latest, pause);
    }
    CHECK(latest <= 100s);
    CHECK(latest - earliest > 60s);
}

TEST_CASE("a gap that has closed needs no session") {
    auto link = greeted();
    link.gap(start, 0s);
    CHECK(link.advise(nothing, start) == Link::Advice::open);
    link.no_gap();
    CHECK(link.advise(nothing, start) == Link::Advice::nothing);
}

TEST_CASE("silence while something is owed is pinged, and in the end the session is given up") {
    auto link = fresh();
    open(link, start);
    CHECK(link.advise(owed, start + 19s) == Link::Advice::nothing);
    CHECK(link.wake(owed) == start + 20s);
    CHECK(link.advise(owed, start + 20s) == Link::Advice::ping);
    link.pinged(start + 20s);
    CHECK(link.advise(owed, start + 21s) == Link::Advice::nothing);
    CHECK(link.wake(owed) == start + 40s);
    CHECK(link.advise(owed, start + 60s) == Link::Advice::give_up);
    link.heard(start + 59s);
    CHECK(link.advise(owed, start + 78s) == Link::Advice::nothing);
    CHECK(link.advise(owed, start + 79s) == Link::Advice::ping);
    CHECK(link.advise(owed, start + 119s) == Link::Advice::give_up);
}

TEST_CASE("bytes that are owed and do not come end the session although pings are answered") {
    auto link = fresh();
    open(link, start);
    Link::Need const bytes{.wanted = true, .owed = true, .bytes = true};
    link.spoke(start + 10s);
    link.moved(start + 10s);
    link.heard(start + 3min);
    CHECK(link.advise(bytes, start + 3min + 9s) == Link::Advice::nothing);
    CHECK(link.advise(bytes, start + 3min + 10s) == Link::Advice::give_up);
    CHECK(link.advise(owed, start + 3min + 10s) == Link::Advice::nothing);  // only a report is owed
    link.moved(start + 3min);
    CHECK(link.advise(bytes, start + 3min + 10s) == Link::Advice::nothing);
}

TEST_CASE("the link never asks to be woken before or at a moment at which it has nothing to say") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        auto link = fresh(seed);
        std::mt19937_64 random(seed);
        TimePoint now = start;
        for (int i = 0; i < 500; ++i) {
            Link::Need const need{.wanted = random() % 2 == 0, .owed = random() % 2 == 0, .bytes = false};
            if (random() % 8 == 0) link.gap(now, 30s);
            switch (link.advise(need, now)) {
                case Link::Advice::nothing: {
                    if (link.open() && link.catching_up(now)) {  // SYNC goes out, LOG comes
                        link.no_gap();
                        link.useful(now);
                    }
                    auto const wake = link.wake(need);
                    CHECK(wake > now);
                    now = wake == TimePoint::max() ? now + 1s : wake;
                    break;
                }
                case Link::Advice::open: link.opening(now); break;
                case Link::Advice::ping: link.pinged(now); break;
                case Link::Advice::close: link.closed(now); break;
                case Link::Advice::give_up: link.lost(now); break;
            }
            if (link.state() == Link::State::connecting && random() % 2 == 0) {
                link.ready(now);
                link.welcomed(now);
            }
        }
    }
}

}  // namespace link_test
