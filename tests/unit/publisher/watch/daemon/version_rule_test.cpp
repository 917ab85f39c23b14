#include "publisher/watch/daemon/version_rule.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/trees.hpp"

namespace version_rule_test {

using namespace lull;
using namespace lull::publisher::watch;
using test::put_file;

namespace {

constexpr WallTime now{1'796'092'205'000'000};  // 2026-12-01T02:30:05Z

std::string choice(fs::path const& tree) {
    auto const chosen = choose_version(tree, now, {});
    return chosen ? fmt::format("{} from {}", chosen->version.text(), chosen->source) : chosen.error().message;
}

}  // namespace

TEST_CASE("the version comes from the first of the places that has one") {
    test::TemporaryDirectory temporary;
    auto const tree = temporary.path();
    CHECK(choice(tree) == "2026.12.01-023005 from time stamp");
    put_file(tree / "package.json", R"({"name": "x", "private": true})");
    CHECK(choice(tree) == "2026.12.01-023005 from time stamp");
    put_file(tree / "package.json", R"({"name": "x", "version": "3.2.1"})");
    CHECK(choice(tree) == "3.2.1 from package.json");
    put_file(tree / "VERSION", "  2.0-rc.1 \r\nwhatever follows\n");
    CHECK(choice(tree) == "2.0-rc.1 from VERSION");
    put_file(tree / ".lull-version", "1.0");
    CHECK(choice(tree) == "1.0 from .lull-version");
}

TEST_CASE("a version file that names no version is an error, not the next rule") {
    test::TemporaryDirectory temporary;
    auto const tree = temporary.path();
    for (auto const* const text : {"", "\n", "no version", "../etc", "-1"}) {
        put_file(tree / "VERSION", text);
        auto const chosen = choose_version(tree, now, {});
        REQUIRE_FALSE(chosen);
        CHECK(chosen.error().fault == Fault::usage);
        CHECK_THAT(chosen.error().message, Catch::Contains("VERSION of " + tree.string()));
    }
    put_file(tree / "VERSION", std::string(5000, '1'));
    CHECK_THAT(choice(tree), Catch::Contains("is larger than 4 KiB"));
    fs::remove(tree / "VERSION");
    put_file(tree / "package.json", "{");
    CHECK_THAT(choice(tree), Catch::Contains("is no JSON"));
    put_file(tree / "package.json", R"({"version": 3})");
    CHECK_THAT(choice(tree), Catch::Contains("is no text"));
    put_file(tree / "package.json", std::string(100'000, '['));
    CHECK_THAT(choice(tree), Catch::Contains("is no JSON"));
}

TEST_CASE("a .git that is no repository is an error, and a repository above the tree does not count") {
    test::TemporaryDirectory temporary;
    fs::create_directories(temporary / "above/.git");
    put_file(temporary / "above/tree/file", "1");
    CHECK_THAT(choice(temporary / "above/tree"), Catch::Contains("from time stamp"));
    put_file(temporary / "above/tree/.git", "gitdir: /absent\n");
    CHECK_THAT(choice(temporary / "above/tree"), Catch::Contains("git"));
    CHECK_FALSE(choose_version(temporary / "above/tree", now, {}));
}

}  // namespace version_rule_test
