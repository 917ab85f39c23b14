#include "publisher/client/older_release.hpp"

#include <catch2/catch.hpp>

namespace older_release_test {

using namespace lull;
using namespace lull::publisher;

namespace {

// A release by its version, and the letter of its contents.
ReleaseRow row(std::uint64_t seq, std::string_view version, std::string_view contents) {
    ReleaseRow made;
    made.software = SoftwareName::parse("kiosk").value();
    made.version = VersionName::parse(version).value();
    made.seq = Seq{seq};
    made.builds = {{ArchitectureName::parse("amd64").value(), sha256(as_view(contents)), Bytes(1), Bytes(1), 1}};
    return made;
}

std::string older(std::vector<ReleaseRow> const& releases, std::string const& wanted = "") {
    auto const found = older_release(releases, wanted);
    if (found) return found->version.text();
    CHECK(found.error().fault == Fault::refused);
    return found.error().message;
}

}  // namespace

TEST_CASE("a rollback returns to the release before, or to the named one") {
    std::vector const releases = {row(1, "1.0", "a"), row(4, "1.1", "b"), row(7, "1.2", "c")};
    CHECK(older(releases) == "1.1");
    CHECK(older(releases, "1.0") == "1.0");
    CHECK_THAT(older(releases, "0.9"),
               Catch::Contains("does not have kiosk 0.9") && Catch::Contains("lull list kiosk"));
    CHECK_THAT(older(releases, "1.2"), Catch::Contains("already has the contents of"));
}

// A user who is not sure of the result gives the command again.
TEST_CASE("a second rollback returns to an even older release, never to the one that was rolled back") {
    std::vector releases = {row(1, "1.0", "a"), row(2, "1.1", "b"), row(3, "1.2", "c"), row(4, "1.1+back-3", "b")};
    CHECK(older(releases) == "1.0");
    CHECK(older(releases, "1.2") == "1.2");  // unless it is meant
    releases.push_back(row(5, "1.0+back-4", "a"));
    CHECK_THAT(older(releases), Catch::Contains("has no release before kiosk 1.0"));
}

TEST_CASE("a release after a rollback returns to the release that was active before it") {
    std::vector const releases = {row(1, "1.0", "a"), row(2, "1.1", "b"), row(3, "1.0+back-2", "a"),
                                  row(4, "1.2", "c")};
    CHECK(older(releases) == "1.0+back-2");
}

TEST_CASE("the first release, or one whose predecessors left the log, has no release before it") {
    CHECK_THAT(older({row(1, "1.0", "a")}), Catch::Contains("has no release before kiosk 1.0 to return to"));
    CHECK_THAT(older({row(8, "1.1", "b"), row(9, "1.1+again", "b")}), Catch::Contains("has no release before"));
    CHECK_THAT(older({row(8, "1.1", "b"), row(9, "1.0+back-8", "a")}),
               Catch::Contains("has no release before kiosk 1.0"));
}

}  // namespace older_release_test
