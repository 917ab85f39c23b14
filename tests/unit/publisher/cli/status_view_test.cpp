#include "publisher/cli/status_view.hpp"

#include <catch2/catch.hpp>

#include "schema/holders.hpp"
#include "tests/unit/publisher/cli/view_times.hpp"

namespace status_view_test {

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::today;
using lull::publisher::test::Utc;

namespace {

StatusRow row(std::string_view node, NodeState state, WallTime since) {
    StatusRow row;
    row.software = SoftwareName::parse("kiosk").value();
    row.version = VersionName::parse("1.4.2").value();
    row.seq = Seq{7};
    row.node = NodeName::parse(node).value();
    row.state = state;
    row.since = since;
    return row;
}

Holder holder() { return {4242, 1001, "kiosk", "kiosk-browser", today(9, 12), today(10, 2)}; }

ReleaseRow release() {
    ReleaseRow row;
    row.software = SoftwareName::parse("kiosk").value();
    row.version = VersionName::parse("1.4.2").value();
    row.seq = Seq{7};
    row.time = today(9, 0);
    row.builds.push_back({ArchitectureName::parse("amd64").value(), sha256({}), Bytes(500), MiB(100), 12});
    row.active = 1;
    row.newest = true;
    return row;
}

Answer figure_five() {
    Utc const utc;
    Answer answer;
    answer.time = today(11, 0);
    answer.status.push_back(row("till-01", NodeState::active, today(10, 30)));
    answer.status.push_back(row("till-02", NodeState::fetching, today(10, 59)));
    answer.status.back().done = MiB(31);
    answer.status.back().active = VersionName::parse("1.4.1").value();
    answer.status.push_back(row("till-17", NodeState::waiting, today(10, 1)));
    answer.status.back().holders.push_back(holder());
    answer.status.push_back(row("till-18", NodeState::failed, {today(11, 0).micros - 86'400'000'000}));
    answer.status.back().why = "no \x1b[31mspace";
    answer.status.push_back(row("till-19", NodeState::undistributed, today(9, 0)));
    return answer;
}

}  // namespace

TEST_CASE("status is the table of figure 5: software, release, node, state, since, why") {
    CHECK(status_text(figure_five(), {release()}, Painting::off) ==
          "SOFTWARE  RELEASE  NODE     STATE          SINCE             WHY\n"
          "kiosk     1.4.2    till-01  active         10:30\n"
          "kiosk     1.4.2    till-02  fetching       10:59             31 % (31 MiB of at most 100 MiB); runs 1.4.1\n"
          "kiosk     1.4.2    till-17  waiting        10:01             held by pid 4242 (uid 1001 kiosk, "
          "kiosk-browser) since "
          "09:12; told 10:02\n"
          "kiosk     1.4.2    till-18  failed         2026-01-30 11:00  no ?[31mspace\n"
          "kiosk     1.4.2    till-19  undistributed  09:00\n"
          "\n"
          "1 of 5 nodes active\n");
}

TEST_CASE("a download of unknown size shows its bytes") {
    CHECK_THAT(status_text(figure_five(), {}, Painting::off),
               Catch::Contains("10:59             31 MiB; runs 1.4.1\n"));
}

TEST_CASE("states are coloured on a terminal") {
    auto const text = status_text(figure_five(), {}, Painting::on);
    CHECK_THAT(text, Catch::Contains("\x1b[32mactive\x1b[0m"));
    CHECK_THAT(text, Catch::Contains("\x1b[33mwaiting\x1b[0m"));
    CHECK_THAT(text, Catch::Contains("\x1b[31mfailed\x1b[0m"));
}

TEST_CASE("several pieces of software are summed up one by one") {
    auto answer = figure_five();
    answer.status.resize(1);
    answer.status.push_back(answer.status[0]);
    answer.status[1].software = SoftwareName::parse("agent").value();
    answer.status[1].state = NodeState::queued;
    CHECK_THAT(status_text(answer, {}, Painting::off),
               Catch::EndsWith("\n\nagent 1.4.2: 0 of 1 node active\nkiosk 1.4.2: 1 of 1 node active\n"));
}

TEST_CASE("many holders are named up to two") {
    Utc const utc;
    auto second = holder();
    second.told.reset();
    second.user.clear();
    CHECK(held_by({holder(), second, holder(), holder()}, today(11, 0)) ==
          "held by pid 4242 (uid 1001 kiosk, kiosk-browser) since 09:12; told 10:02, "
          "pid 4242 (uid 1001, kiosk-browser) since 09:12; not told yet, and 2 more");
}

TEST_CASE("status as JSON carries everything, in UTC") {
    auto const json = status_json(figure_five());
    CHECK(json["time"] == "2026-01-31T11:00:00Z");
    CHECK(json["status"].size() == 5);
    CHECK(json["status"][1]["done"] == 31u << 20);
    CHECK(json["status"][1]["active"] == "1.4.1");
    CHECK(json["status"][2].dump() ==
          R"({"software":"kiosk","release":"1.4.2","seq":7,"node":"till-17","state":"waiting",)"
          R"("since":"2026-01-31T10:01:00Z",)"
          R"("why":"","holders":[{"pid":4242,"uid":1001,"user":"kiosk","command":"kiosk-browser",)"
          R"("since":"2026-01-31T09:12:00Z","told":"2026-01-31T10:02:00Z"}]})");
}

TEST_CASE("an empty status says what to do") {
    CHECK_THAT(status_text({}, {}, Painting::off),
               Catch::Contains("lull nodes new") && Catch::Contains("lull publish"));
    CHECK(status_json({})["status"].is_array());
}

}  // namespace status_view_test
