#include "subscriber/agent/tree_care.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace tree_care_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

struct Care : Around {
    TreeCare::Trees active() {
        TreeCare::Trees trees;
        trees.active = Bench::id(1);
        trees.repairs = trees.active;
        trees.rests = true;
        return trees;
    }
    std::optional<TreeFindings> found(TreeFindings findings) {
        findings.release = Bench::id(1);
        return care.on(TreesScanned{software(), false, false, {}, {std::move(findings)}}, active(), now);
    }
    TreeCare care{settings, software(), effects, objects, std::nullopt};
};

}  // namespace

TEST_CASE("trees are scanned one scan at a time, and not during a switch") {
    Care care;
    auto switching = care.active();
    switching.switching = true;
    care.care.scan(switching, care.now);
    CHECK(care.effects.take().empty());
    care.care.scan(care.active(), care.now);
    care.care.scan(care.active(), care.now);
    CHECK(only<ScanTrees>(care.effects.take()).releases == std::vector{Bench::id(1)});
}

TEST_CASE("a scan is cancelled once, and the next one may begin when it has ended") {
    Care care;
    care.care.cancel_scan();
    CHECK(care.effects.take().empty());
    care.care.scan(care.active(), care.now);
    care.care.superseded();
    care.care.cancel_scan();
    CHECK(only<CancelJob>(care.effects.take()).job == Job::scan);
    CHECK_FALSE(care.care.on(TreesScanned{software(), false, true, {}, {}}, care.active(), care.now));
    care.care.scan(care.active(), care.now);
    CHECK(any<ScanTrees>(care.effects.take()));
}

TEST_CASE("bytes that are lacking are wanted until a scan finds the tree whole") {
    Care care;
    TreeFindings findings;
    findings.left = 1;
    findings.example = "bin/app: contents differ";
    findings.lacking = {Bench::segment(1)};
    CHECK_FALSE(care.found(findings));
    CHECK(care.care.repairing());
    CHECK(care.objects.fetcher().wants_for(software()));
    CHECK(care.care.text().find("1 paths differ") == 0);
    CHECK_FALSE(care.found({}));
    CHECK_FALSE(care.care.repairing());
    CHECK_FALSE(care.objects.fetcher().wants_for(software()));
}

TEST_CASE("what was moved out of a tree is named in the log, what stays is named once, and neither is a difference") {
    Care care;
    auto const told = [&](std::string const& text) {
        auto const actions = care.effects.take();
        return std::ranges::any_of(actions, [&](Action const& action) {
            auto const* const say = std::get_if<Say>(&action);
            return say != nullptr && say->text.find(text) != std::string::npos;
        });
    };
    TreeFindings findings;
    findings.kept = {"app.log (a process has it open)"};
    CHECK_FALSE(care.found(findings));
    CHECK(told("left alone: " + Bench::id(1).directory_name() + ": app.log (a process has it open)"));
    CHECK(care.care.text().empty());
    CHECK_FALSE(care.found(findings));
    CHECK_FALSE(told("app.log"));
    findings.kept.clear();
    findings.moved = {"run/left"};
    CHECK_FALSE(care.found(findings));
    CHECK(told("moved to lost+found, as it is no part of the release: run/left"));
    CHECK_FALSE(care.care.repairing());
}

TEST_CASE("a tree that is gone has to be installed again") {
    Care care;
    TreeFindings findings;
    findings.status = fail(Fault::not_found, "there is no such tree");
    auto const lost = care.found(findings);
    REQUIRE(lost);
    CHECK(lost->release == Bench::id(1));
    CHECK_FALSE(care.care.repairing());
}

TEST_CASE("the first scan comes after three quarters to five quarters of the interval") {
    ScanSchedule schedule(10min, 7);
    Moment now{TimePoint(1000s), WallTime{1}};
    CHECK_FALSE(schedule.due(now));
    REQUIRE(schedule.wake());
    CHECK(*schedule.wake() - now.point >= 7min + 30s);
    CHECK(*schedule.wake() - now.point <= 12min + 30s);
    now.point = *schedule.wake();
    CHECK(schedule.due(now));
    CHECK_FALSE(schedule.due(now));
}

TEST_CASE("an active tree beside a newer release that is ready is repaired, and never installed again") {
    Care care;
    auto trees = care.active();
    trees.ready = Bench::id(2);
    trees.rests = false;
    TreeFindings findings;
    findings.release = Bench::id(1);
    SECTION("bytes are lacking") {
        findings.left = 1;
        findings.lacking = {Bench::segment(1)};
        CHECK_FALSE(care.care.on(TreesScanned{software(), false, false, {}, {findings}}, trees, care.now));
        CHECK(care.objects.fetcher().wants_for(software()));
        CHECK(care.care.repairing());
    }
    SECTION("it is gone") {
        findings.status = fail(Fault::not_found, "it is not there");
        CHECK_FALSE(care.care.on(TreesScanned{software(), false, false, {}, {findings}}, trees, care.now));
    }
}

}  // namespace tree_care_test
