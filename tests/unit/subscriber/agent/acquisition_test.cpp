#include "subscriber/agent/acquisition.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace acquisition_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

struct Getting : Around {
    // The broker has no patch; the manifest is wanted.
    void without_patch() {
        CHECK_FALSE(acquisition.plan().begun);
        REQUIRE(acquisition.query(now));
        CHECK(acquisition.on(PatchOffer{software(), Seq{1}, Seq{2}, std::nullopt, Bytes(), 0}, now).then ==
              Happening::Then::reconcile);
        CHECK_FALSE(acquisition.plan().begun);
    }
    Acquisition acquisition{parts()};
};

}  // namespace

TEST_CASE("an acquisition asks for a patch once a session, and waits for the answer no longer than two minutes") {
    Getting getting;
    CHECK_FALSE(getting.acquisition.plan().begun);
    auto const query = getting.acquisition.query(getting.now);
    REQUIRE(query);
    CHECK(query->from == Seq{1});
    CHECK(query->to == Seq{2});
    CHECK_FALSE(getting.acquisition.query(getting.now));
    getting.acquisition.ask_again(Acquisition::Session::fresh);
    CHECK(getting.acquisition.query(getting.now));
    CHECK(getting.acquisition.wake() == getting.now.point + 2min);
    CHECK_FALSE(getting.acquisition.end_waiting(getting.now));
    getting.now.point += 2min;
    CHECK(getting.acquisition.end_waiting(getting.now));
    CHECK_FALSE(getting.acquisition.searching());
}

TEST_CASE("an acquisition wants the manifest where there is no patch, and forgets it on demand") {
    Getting getting;
    getting.without_patch();
    CHECK(getting.objects.fetcher().wanted_by(Bench::manifest(2)) == std::vector<Wanter>{software()});
    getting.acquisition.forget();
    CHECK(getting.objects.fetcher().wanted_by(Bench::manifest(2)).empty());
    CHECK_FALSE(getting.acquisition.plan().begun);  // the search begins anew
    CHECK(getting.acquisition.query(getting.now));
}

TEST_CASE("an acquisition stages when all objects of its plan are here, and remembers when it first did") {
    Getting getting;
    getting.without_patch();
    getting.objects.fetcher().unwant(software());  // the manifest is here
    CHECK(getting.acquisition.on(PlanMade{Bench::id(2), Plan{}}).transition == Transition::plan_made);
    CHECK(getting.acquisition.fetch(getting.now).begun == Work::staging);
    CHECK(only<StageRelease>(getting.effects.take()).materials.release == Bench::id(2));
    CHECK(getting.acquisition.on(StageEnded{Bench::id(2), {}, {}}, getting.now).transition == Transition::tree_staged);
    auto const first = getting.now.wall;
    getting.now.wall.micros += 1;
    CHECK(getting.acquisition.on(StageEnded{Bench::id(2), {}, {}}, getting.now).transition == Transition::tree_staged);
    CHECK(getting.acquisition.staged() == first);
}

TEST_CASE("a release that is not signed by a trusted key, or has no build for this machine, is given up") {
    Getting getting;
    getting.settings.trusted = TrustedKeys({SigningKey::generate().public_key()});
    CHECK(getting.acquisition.plan().failure);
    Getting other;
    other.target.info.builds.clear();
    CHECK(other.acquisition.plan().failure);
}

}  // namespace acquisition_test
