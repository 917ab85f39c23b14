#include "publisher/older_release.hpp"

#include <catch2/catch.hpp>

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

TEST_CASE("going back leads to the release before, or to the one that is named") {
    std::vector const releases = {row(1, "1.0", "a"), row(4, "1.1", "b"), row(7, "1.2", "c")};
    CHECK(older(releases) == "1.1");
    CHECK(older(releases, "1.0") == "1.0");
    CHECK_THAT(older(releases, "0.9"), Catch::Contains("has no kiosk 0.9 any more, or never had it") && Catch::Contains("lull list kiosk"));
    CHECK_THAT(older(releases, "1.2"), Catch::Contains("what the newest release has already"));
}

// Whoever is not sure that it worked says it once more.
TEST_CASE("going back twice goes back further, and never to what it was to get away from") {
    std::vector releases = {row(1, "1.0", "a"), row(2, "1.1", "b"), row(3, "1.2", "c"), row(4, "1.1+back-3", "b")};
    CHECK(older(releases) == "1.0");
    CHECK(older(releases, "1.2") == "1.2");  // unless it is meant
    releases.push_back(row(5, "1.0+back-4", "a"));
    CHECK_THAT(older(releases), Catch::Contains("there is no release before kiosk 1.0"));
}

TEST_CASE("what was published after going back goes back to what was live before it") {
    std::vector const releases = {row(1, "1.0", "a"), row(2, "1.1", "b"), row(3, "1.0+back-2", "a"), row(4, "1.2", "c")};
    CHECK(older(releases) == "1.0+back-2");
}

TEST_CASE("the first release, or one whose elders were removed, has nothing before it") {
    CHECK_THAT(older({row(1, "1.0", "a")}), Catch::Contains("there is no release before kiosk 1.0 to go back to"));
    CHECK_THAT(older({row(8, "1.1", "b"), row(9, "1.1+again", "b")}), Catch::Contains("there is no release before"));
    CHECK_THAT(older({row(8, "1.1", "b"), row(9, "1.0+back-8", "a")}), Catch::Contains("there is no release before kiosk 1.0"));
}
