#include "publisher/cli/list_view.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/cli/view_times.hpp"

namespace list_view_test {

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::today;
using lull::publisher::test::Utc;

namespace {

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

}  // namespace

TEST_CASE("list shows what is published") {
    Utc const utc;
    Answer answer;
    answer.time = today(11, 0);
    answer.releases.push_back(release());
    CHECK(list_text(answer, Sizes::hidden, Painting::off) ==
          "SOFTWARE  VERSION  SEQ  PUBLISHED     SIZE  BUILDS  ACTIVE ON\n"
          "kiosk     1.4.2      7  09:00      100 MiB  amd64           1\n");
    auto const json = list_json(answer);
    CHECK(json["releases"][0]["builds"][0]["size"] == 100u << 20);
    CHECK(json["releases"][0]["newest"] == true);
}

TEST_CASE("the list has a column for notes where there are some") {
    Utc const utc;
    Answer list;
    list.time = today(11, 0);
    ReleaseRow release;
    release.software = SoftwareName::parse("kiosk").value();
    release.version = VersionName::parse("1.4.2").value();
    release.time = today(9, 0);
    list.releases = {release};
    CHECK(list_text(list, Sizes::hidden, Painting::off).find("NOTE") == std::string::npos);
    CHECK_FALSE(list_json(list)["releases"][0].contains("note"));
    list.releases.push_back(release);
    list.releases[1].note = "paused by anna: looks wrong";
    CHECK_THAT(list_text(list, Sizes::hidden, Painting::off),
               Catch::Contains("NOTE") && Catch::Contains("paused by anna: looks wrong\n"));
    CHECK(list_json(list)["releases"][1]["note"] == "paused by anna: looks wrong");
}

TEST_CASE("an empty list says what to do") {
    CHECK_THAT(list_text({}, Sizes::hidden, Painting::off), Catch::Contains("lull publish"));
}

}  // namespace list_view_test
