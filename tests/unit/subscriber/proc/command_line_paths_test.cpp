#include "subscriber/proc/command_line_paths.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace lull::subscriber::test::command_line_paths_test {

namespace {

using Paths = std::vector<std::string_view>;

std::string line_of(std::vector<std::string> const& words) {
    std::string line;
    for (auto const& word : words) line += word + '\0';
    return line;
}

}  // namespace

TEST_CASE("every argument but the program's name and the options may be a path") {
    CHECK(command_line_paths(line_of({"python3", "-u", "app.py", "", "/data"})) == Paths{"app.py", "/data"});
    CHECK(command_line_paths(line_of({"app"})).empty());
    CHECK(command_line_paths("").empty());
}

TEST_CASE("what stands behind an equals sign may be a path as well") {
    CHECK(command_line_paths(line_of({"node", "--require=/a/b.js", "KEY=c", "--empty="})) ==
          Paths{"/a/b.js", "KEY=c", "c"});
}

TEST_CASE("a command line that the process wrote over is taken as it is") {
    CHECK(command_line_paths("worker of app") == Paths{});
    CHECK(command_line_paths(std::string("worker\0of app", 13)) == Paths{"of app"});
}

TEST_CASE("no more than the first arguments are looked at, and none that was cut off") {
    std::vector<std::string> words(most_arguments * 3, "x");
    CHECK(command_line_paths(line_of(words)).size() == most_arguments);
    auto const cut = line_of({"app", "first"}) + std::string(most_argument_bytes, 'y');
    CHECK(command_line_paths(std::string_view(cut).substr(0, most_argument_bytes)) == Paths{"first"});
}

}  // namespace lull::subscriber::test::command_line_paths_test
