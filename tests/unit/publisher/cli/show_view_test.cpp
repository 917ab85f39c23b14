#include "publisher/cli/show_view.hpp"

#include <catch2/catch.hpp>

#include "view_times.hpp"

namespace show_view_test {

using namespace lull;
using namespace lull::publisher;

namespace {

UpdateInfo plain() {
    UpdateInfo info;
    info.software = SoftwareName::parse("kiosk").value();
    info.version = VersionName::parse("1.4").value();
    info.builds = {{ArchitectureName::parse("amd64").value(), sha256(as_view("m")), KiB(1), MiB(12), 812}};
    return info;
}

ReleaseRow row_of(UpdateInfo const& info) {
    ReleaseRow row;
    row.software = info.software;
    row.version = info.version;
    row.builds = info.builds;
    row.seq = Seq{17};
    row.active = 97;
    row.newest = true;
    row.update = Envelope{{}, {}};
    return row;
}

UpdateInfo full() {
    auto info = plain();
    info.urgency = Urgency::urgent;
    info.policy = Policy::restart;
    auto& how = info.activation.emplace();
    how.grace = 7;
    how.deadline = 7200;
    how.windows = "22:00-05:00 UTC";
    how.units = {"kiosk.service", "b"};
    how.health = HealthCheck{"bin/check", {"--quick"}, 5, 2, 1};
    how.hooks = {{HookTime::before, "bin/migrate", {"all"}, 60}};
    info.rollout = Rollout{{100, 1'000, all_nodes}, 600, 200};
    info.callable = {"bin/solve"};
    return info;
}

}  // namespace

TEST_CASE("a release is shown with what its publisher signed, and without what is as usual") {
    auto const info = plain();
    auto const text = show_text(row_of(info), info, WallTime());
    CHECK_THAT(text, Catch::StartsWith("kiosk 1.4, number 17 in the broker's log, the newest release\n"));
    CHECK_THAT(text, Catch::Contains("policy       wait\n") &&
                         Catch::Contains("amd64: 12 MiB in 812 files, manifest ") &&
                         Catch::Contains("active on    97 nodes\n"));
    for (auto const* const absent : {"deadline", "health", "rollout", "callable", "switch", "note", "units"})
        CHECK_THAT(text, !Catch::Contains(absent));
}

TEST_CASE("each option of a release is shown") {
    auto const info = full();
    auto const text = show_text(row_of(info), info, WallTime());
    for (auto const* const line :
         {"urgency      urgent\n", "policy       restart, 7 s between SIGTERM and SIGKILL\n",
          "deadline     users are ended after 2 h\n", "activate at  22:00-05:00 UTC\n",
          "units        kiosk.service, b\n", "health       bin/check --quick; up to 5 s a try, 2 tries\n",
          "before switch bin/migrate all; up to 1 min\n",
          "rollout      1 %, 10 %, 100 %; pauses if it fails on more than 2 %; each stage lasts 10 min or longer\n",
          "callable     bin/solve\n"})
        CHECK_THAT(text, Catch::Contains(line));
}

TEST_CASE("the JSON of a release has each option, times in seconds and shares in percent") {
    auto const info = full();
    auto const json = show_json(row_of(info), info);
    CHECK(json["urgency"] == "urgent");
    CHECK(json["policy"] == "restart");
    CHECK(json["activation"]["deadline"] == 7200);
    CHECK(json["activation"]["activate_at"] == "22:00-05:00 UTC");
    CHECK(json["activation"]["units"] == Json({"kiosk.service", "b"}));
    CHECK(json["activation"]["health"]["tries"] == 2);
    CHECK(json["activation"]["hooks"][0]["when"] == "before");
    CHECK(json["rollout"]["stages"] == Json({1.0, 10.0, 100.0}));
    CHECK(json["rollout"]["halt_on"] == 2.0);
    CHECK(json["rollout"]["stage_time"] == 600);
    CHECK(json["callable"] == Json({"bin/solve"}));
    CHECK(json["builds"][0]["files"] == 812);
    CHECK_FALSE(show_json(row_of(plain()), plain()).contains("rollout"));
}

}  // namespace show_view_test
