#include "publisher/release/tree_options.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/unit/publisher/trees.hpp"

namespace tree_options_test {

using namespace lull;
using namespace lull::publisher;
using lull::test::put_file;

namespace {

std::string error_of(fs::path const& tree, std::string_view text) {
    put_file(tree / "lull.conf", text);
    auto const file = read_tree_file(tree);
    REQUIRE_FALSE(file);
    CHECK(file.error().fault == Fault::usage);
    CHECK_THAT(file.error().message, Catch::Contains((tree / "lull.conf").string()));
    return file.error().message;
}

}  // namespace

TEST_CASE("lull.conf has the options of 'lull publish' by their names") {
    lull::test::TemporaryDirectory temporary;
    put_file(
        temporary / "lull.conf",
        "# how to publish\nurgency = urgent\narch = arm64\nstart = bin/run --fast\nexclude = *.log\nexclude = /tmp\n"
        "unit = kiosk.service\nhealth = bin/check\n");
    auto const file = read_tree_file(temporary.path());
    REQUIRE(file);
    CHECK(file->given() == std::set<std::string>{"arch", "exclude", "health", "start", "unit", "urgency"});
    auto const options = tree_options_of(*file);
    REQUIRE(options);
    CHECK(options->architecture->text() == "arm64");
    CHECK(options->start == std::vector<std::string>{"bin/run", "--fast"});
    CHECK(options->excludes.match("sub/a.log"));
    CHECK(options->excludes.match("tmp"));
    CHECK(options->distribution.urgency == Urgency::urgent);
    CHECK(options->distribution.activation->units == std::vector<std::string>{"kiosk.service"});
    CHECK(options->distribution.activation->health->program == "bin/check");
}

TEST_CASE("without lull.conf all options have their usual values, and a path that is no directory has none") {
    lull::test::TemporaryDirectory temporary;
    put_file(temporary / "file", "1");
    for (auto const& path : {temporary.path(), temporary / "file", temporary / "nothing"}) {
        auto const file = read_tree_file(path);
        REQUIRE(file);
        CHECK(file->given().empty());
        CHECK(tree_options_of(*file)->distribution == Distribution{});
    }
}

TEST_CASE("an error in lull.conf names file, line and option") {
    lull::test::TemporaryDirectory temporary;
    auto const tree = temporary.path();
    CHECK_THAT(error_of(tree, "urgency = urgent\n\npolcy = now\n"),
               Catch::Contains("line 3: unknown option polcy; did you mean policy?"));
    CHECK_THAT(error_of(tree, "policy = now\npolicy = wait\n"),
               Catch::Contains("line 2: policy is given more than once"));
    CHECK_THAT(error_of(tree, "# a\nnonsense\n"), Catch::Contains("line 2: 'nonsense' is no line"));
    for (auto const* const option : {"name", "version", "broker", "keys", "config", "json", "wait", "dry-run"})
        CHECK_THAT(error_of(tree, fmt::format("{} = x\n", option)), Catch::Contains("line 1: unknown option"));
}

TEST_CASE("a lull.conf that is no regular file is neither followed nor waited for") {
    lull::test::TemporaryDirectory temporary;
    REQUIRE(mkfifo((temporary / "lull.conf").c_str(), 0600) == 0);
    CHECK_THAT(read_tree_file(temporary.path()).error().message, Catch::Contains("is no regular file"));
    fs::remove(temporary / "lull.conf");
    fs::create_symlink("/etc/passwd", temporary / "lull.conf");
    CHECK_THAT(read_tree_file(temporary.path()).error().message, Catch::Contains("is no regular file"));
    fs::remove(temporary / "lull.conf");
    put_file(temporary / "lull.conf", std::string(70'000, '#'));
    CHECK_THAT(read_tree_file(temporary.path()).error().message, Catch::Contains("is larger than 64 KiB"));
}

}  // namespace tree_options_test
