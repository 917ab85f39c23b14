#include "publisher/tree/excludes.hpp"

#include <catch2/catch.hpp>

#include "publisher/tree/source.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace excludes_test {

using namespace lull;
using namespace lull::publisher;
using test::put_file;

namespace {

Excludes excludes(std::vector<std::string> const& patterns) { return Excludes::parse(patterns).value(); }

using Paths = std::vector<std::string>;

Paths paths_of(Result<SourceTree> const& tree) {
    REQUIRE(tree);
    Paths paths;
    for (auto const& entry : tree->entries) paths.push_back(entry.path);
    return paths;
}

}  // namespace

TEST_CASE("a pattern without a slash is compared with the last component, one with a slash with the whole path") {
    auto const name = excludes({"*.log", "core"});
    for (auto const* const path : {"a.log", "sub/deep/a.log", "core", "sub/core"}) CHECK(name.match(path));
    for (auto const* const path : {"a.log.txt", "score", "core/a.txt"}) CHECK_FALSE(name.match(path));
    auto const whole = excludes({"build/*.o", "/top", "cache/"});
    for (auto const* const path : {"build/a.o", "build/sub/a.o", "top", "cache", "sub/cache"}) CHECK(whole.match(path));
    for (auto const* const path : {"sub/build/a.o", "sub/top"}) CHECK_FALSE(whole.match(path));
    CHECK_FALSE(Excludes().match("anything"));
}

TEST_CASE("patterns that are empty, too long, or could take very long are refused") {
    for (auto const& pattern :
         {std::string(), std::string("/"), std::string(257, 'a'), std::string("*a*a*a*a*a*a*a*a*a")}) {
        auto const parsed = Excludes::parse({pattern});
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().fault == Fault::usage);
        CHECK_THAT(parsed.error().message, Catch::Contains("--exclude"));
    }
    CHECK(Excludes::parse({std::string("*a*a*a*a*a*a*a*a")}));
    CHECK_FALSE(Excludes::parse(std::vector<std::string>(257, "a")));
}

TEST_CASE("what is excluded is not scanned, nor what is below it") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "tree/run", "1");
    put_file(temporary / "tree/a.log", "1");
    put_file(temporary / "tree/tmp/deep/file", "1");
    put_file(temporary / "tree/sub/tmp/file", "1");
    CHECK(paths_of(open_source(temporary / "tree", TopDirectory::keep, {excludes({"*.log", "/tmp"}), {}})) ==
          Paths{"run", "sub", "sub/tmp", "sub/tmp/file"});
    auto const nothing = open_source(temporary / "tree", TopDirectory::keep, {excludes({"*"}), {}});
    REQUIRE_FALSE(nothing);
    CHECK_THAT(nothing.error().message, Catch::Contains("nothing to publish"));
}

TEST_CASE("git's data, lull.conf and .lull-version are no part of a directory's release") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "tree/run", "1");
    put_file(temporary / "tree/lull.conf", "policy = now\n");
    put_file(temporary / "tree/.lull-version", "1\n");
    put_file(temporary / "tree/.git/HEAD", "ref");
    put_file(temporary / "tree/sub/.git", "gitdir: elsewhere");
    put_file(temporary / "tree/sub/lull.conf", "of somebody else");
    put_file(temporary / "tree/.gitignore", "x");
    CHECK(paths_of(open_source(temporary / "tree", TopDirectory::keep)) ==
          Paths{".gitignore", "run", "sub", "sub/lull.conf"});
    CHECK(is_of_publisher(".git"));
    CHECK_FALSE(is_of_publisher(".github"));
}

}  // namespace excludes_test
