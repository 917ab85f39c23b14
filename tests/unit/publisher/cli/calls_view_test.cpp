#include "publisher/cli/calls_view.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/cli/view_times.hpp"

namespace calls_view_test {

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::today;
using lull::publisher::test::Utc;

namespace {

CallRow ended() {
    CallRow row;
    row.id[15] = std::byte{0xab};
    row.caller = NodeName::parse("till-17").value();
    row.software = SoftwareName::parse("solver").value();
    row.version = VersionName::parse("1.4.2").value();
    row.seq = Seq{8};
    row.program = "bin/solve";
    row.executor = NodeName::parse("farm-1").value();
    row.phase = CallPhase::ended;
    row.asked = today(9, 12);
    row.took = 1'234'567;
    row.result = CallResult{3, {}, 500'000, 1'200'000};
    row.input = Bytes(5);
    row.output = Bytes(700);
    return row;
}

CallRow stopped() {
    auto row = ended();
    row.result = CallResult{{}, 9, 0, 600'000'000};
    row.took = 600'000'000;
    row.reason = CallReason::time_limit;
    row.text = "it ran for 10 min\x1b[2J";
    return row;
}

CallRow queued() {
    auto row = ended();
    row.phase = CallPhase::queued;
    row.executor.reset();
    row.result.reset();
    row.took = 20'000;
    row.text = "number 1 of the calls that wait for solver";
    return row;
}

Answer answer() {
    Utc const utc;
    Answer made;
    made.time = today(11, 0);
    made.calls = {queued(), stopped(), ended()};
    return made;
}

}  // namespace

TEST_CASE("calls are a table of who asked, for what, who ran it, and how it ended") {
    CHECK(
        calls_text(answer(), Painting::off) ==
        "CALLER   SOFTWARE      PROGRAM    EXECUTOR  STATE   RESULT    ASKED  TOOK    DETAILS\n"
        "till-17  solver 1.4.2  bin/solve  -         queued  -         09:12  0.02 s  number 1 of the calls that wait "
        "for solver\n"
        "till-17  solver 1.4.2  bin/solve  farm-1    ended   signal 9  09:12  10 min  time-limit: it ran for 10 "
        "min?[2J\n"
        "till-17  solver 1.4.2  bin/solve  farm-1    ended   status 3  09:12  1.23 s\n");
    CHECK(calls_text({}, Painting::off) == "there has been no call since the broker was started\n");
}

TEST_CASE("calls as JSON carry everything, in UTC") {
    auto const json = calls_json(answer());
    CHECK(json["time"] == "2026-01-31T11:00:00Z");
    REQUIRE(json["calls"].size() == 3);
    CHECK_FALSE(json["calls"][0].contains("executor"));
    CHECK_FALSE(json["calls"][0].contains("status"));
    CHECK(json["calls"][1]["signal"] == 9);
    CHECK(json["calls"][1]["reason"] == "time-limit");
    CHECK(
        json["calls"][2].dump() ==
        R"({"id":"000000000000000000000000000000ab","caller":"till-17","software":"solver","version":"1.4.2","seq":8,)"
        R"("program":"bin/solve","state":"ended","asked":"2026-01-31T09:12:00Z","took_us":1234567,"input":5,)"
        R"("output":700,"text":"","executor":"farm-1","status":3,"cpu_us":500000,"duration_us":1200000})");
    CHECK(calls_json({})["calls"].empty());
}

}  // namespace calls_view_test
