#include <catch2/catch.hpp>

#include "schema/ids.hpp"
#include "schema/manifest.hpp"
#include "tests/unit/schema/samples.hpp"

namespace going_back_test {

// Versions that go back to an older one.

using namespace lull;
using namespace lull::test;

namespace {

VersionName version(std::string_view text) { return named<VersionName>(text); }

}  // namespace

TEST_CASE("a version that goes back says to what, and from which release") {
    CHECK(version_back_to(version("1.4.1"), 8) == version("1.4.1+back-8"));
    CHECK(contents_of(version("1.4.1+back-8")) == version("1.4.1"));
    CHECK(contents_of(version("1.4.1")) == version("1.4.1"));
    CHECK(contents_of(version("1.4.1+b7")) == version("1.4.1+b7"));
}

TEST_CASE("going back to a version that went back itself does not make it longer") {
    CHECK(version_back_to(version("1.4.1+back-8"), 12) == version("1.4.1+back-12"));
    auto const seqs = {std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()};
    for (auto const seq : seqs) CHECK(contents_of(*version_back_to(version("1+b"), seq)) == version("1+b"));
}

TEST_CASE("what only resembles a way back is a version of its own") {
    for (std::string const text : {"1+back-", "1+back-x", "1+back-8x", "1+back-8.1", "1+back--8", "1+back8", "1back-8",
                                   "1+BACK-8", "1-back-8"}) {
        CAPTURE(text);
        CHECK(contents_of(version(text)) == version(text));
    }
    CHECK_FALSE(VersionName::parse("+back-8").has_value());
}

// Nobody makes these; somebody may announce them. Only the last mark counts, and what is left is always a version.
TEST_CASE("hostile ways back lead to a version and nowhere else") {
    CHECK(contents_of(version("1+back-2+back-3")) == version("1+back-2"));
    CHECK(contents_of(version("1+back-x+back-3")) == version("1+back-x"));
    CHECK(contents_of(version("1+back-3+back-x")) == version("1+back-3+back-x"));
    auto const digits = "1+back-" + std::string(57, '9');  // more than any number has
    CHECK(contents_of(version(digits)) == version("1"));
}

TEST_CASE("there is no way back to a version whose name leaves no room for it") {
    CHECK(version_back_to(version(std::string(57, 'v')), 8).has_value());
    auto const tight = version_back_to(version(std::string(57, 'v')), 10);
    REQUIRE_FALSE(tight.has_value());
    CHECK(tight.error().fault == Fault::usage);
}

TEST_CASE("a manifest belongs to its own release and to those that go back to it") {
    auto mine = manifest();
    mine.version = version("1.4.1");
    CHECK(belongs_to(mine, mine.software, version("1.4.1")));
    CHECK(belongs_to(mine, mine.software, version("1.4.1+back-8")));
    CHECK_FALSE(belongs_to(mine, mine.software, version("1.4.2")));
    CHECK_FALSE(belongs_to(mine, mine.software, version("1.4.2+back-8")));
    CHECK_FALSE(belongs_to(mine, named<SoftwareName>("other"), version("1.4.1")));
    mine.version = version("1.4.1+back-8");
    CHECK_FALSE(belongs_to(mine, mine.software, version("1.4.1")));
    CHECK_FALSE(belongs_to(mine, mine.software, version("1.4.1+back-9")));
}

}  // namespace going_back_test
