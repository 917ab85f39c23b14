#include "subscriber/agent/log_follower.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace log_follower_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

struct Follower : Around {
    LogEntry entry(std::uint64_t seq, std::string_view name = "kiosk") {
        return Bench::entry_of(key, seq, Bench::info_of(seq, name));
    }
    // What the node knows: the target, release 2.
    KnownReleases known() {
        KnownReleases known;
        known.emplace(software(), KnownRelease{target.entry, target.release.version});
        return known;
    }
    LogFollower log{Cursor{epoch, Seq{2}}, effects, session};
};

}  // namespace

TEST_CASE("a follower moves its cursor by what is announced next, and leaves out what is known") {
    Follower follower;
    CHECK_FALSE(follower.log.announced(Update{epoch, follower.entry(2)}, follower.known(), follower.now));
    auto const next = follower.log.announced(Update{epoch, follower.entry(3)}, follower.known(), follower.now);
    REQUIRE(next);
    CHECK(next->fresh.at(software()).entry.seq == Seq{3});
    CHECK(follower.log.cursor().seq == Seq{3});
    CHECK(follower.log.recorded().seq == Seq{2});
    CHECK(follower.effects.take().empty());
}

TEST_CASE("a follower records nothing behind a gap, and asks for what is missing once") {
    Follower follower;
    CHECK_FALSE(follower.log.announced(Update{epoch, follower.entry(5)}, follower.known(), follower.now));
    CHECK(follower.session.catching_up(follower.now));
    follower.log.ask({}, follower.now);
    follower.log.ask({}, follower.now);
    CHECK(sent<Sync>(follower.effects.take()).size() == 1);
    follower.log.answer_lost();
    follower.log.ask({}, follower.now);
    CHECK(sent<Sync>(follower.effects.take()).size() == 1);
}

TEST_CASE("of several releases in one page only the newest of each software is recorded") {
    Follower follower;
    follower.log.ask({}, follower.now);
    LogPage const page{epoch, Seq{2}, {follower.entry(3), follower.entry(4, "bar"), follower.entry(5)}, Seq{5}};
    auto const outcome = follower.log.heard(page, follower.known(), follower.now);
    REQUIRE(outcome);
    CHECK(outcome->fresh.size() == 2);
    CHECK(outcome->fresh.at(software()).entry.seq == Seq{5});
    CHECK(follower.log.cursor().seq == Seq{5});
}

TEST_CASE("a page or a snapshot that was not asked for changes nothing") {
    Follower follower;
    CHECK_FALSE(
        follower.log.heard(LogPage{epoch, Seq{2}, {follower.entry(3)}, Seq{3}}, follower.known(), follower.now));
    CHECK_FALSE(follower.log.heard(Snapshot{Epoch{78}, std::nullopt, {follower.entry(3)}, Seq{3}, std::nullopt},
                                   follower.known(), follower.now));
    CHECK(follower.log.cursor() == Cursor{epoch, Seq{2}});
}

}  // namespace log_follower_test
