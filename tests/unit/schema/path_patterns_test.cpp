#include "schema/path_patterns.hpp"

#include <catch2/catch.hpp>

#include "schema/limits.hpp"

namespace path_patterns_test {

using namespace lull;

namespace {

bool fits(std::string const& pattern, std::string_view path) {
    auto const patterns = PathPatterns::parse({pattern});
    REQUIRE(patterns);
    return patterns->match(path);
}

}  // namespace

TEST_CASE("a pattern without '/' fits a component of a path and all below it") {
    CHECK(fits("__pycache__", "__pycache__"));
    CHECK(fits("__pycache__", "pkg/__pycache__/mod.pyc"));
    CHECK(fits("__pycache__/", "pkg/__pycache__"));
    CHECK(fits("*.log", "var/app.log"));
    CHECK_FALSE(fits("*.log", "var/app.logs"));
    CHECK_FALSE(fits("pycache", "__pycache__"));
    CHECK(fits("?.pid", "a.pid"));
    CHECK_FALSE(fits("?.pid", ".pid"));
}

TEST_CASE("a pattern with '/' fits a path and what is below it") {
    CHECK(fits("var/log", "var/log/app.log"));
    CHECK(fits("/var/*.log", "var/app.log"));
    CHECK_FALSE(fits("var/log", "srv/var/log"));
    CHECK_FALSE(fits("var/log", "var/logs"));
    CHECK(fits("/cache", "cache/x"));
    CHECK_FALSE(fits("/cache", "sub/cache"));
}

TEST_CASE("stars are matched in every way, and in time that is short") {
    CHECK(fits("a*b*c", "aXbYc"));
    CHECK(fits("a*b*c", "abbcbc"));
    CHECK_FALSE(fits("a*b*c", "abcb"));
    CHECK(fits("**", "x"));
    std::string const stars = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    CHECK_FALSE(fits(stars, std::string(4000, 'a')));
}

TEST_CASE("patterns are bounded, and no pattern matches nothing") {
    for (auto const& bad : {std::string(), std::string("/"), std::string("a\nb"), std::string("\xff"),
                            std::string(limits::path_pattern_bytes + 1, 'x')})
        CHECK(PathPatterns::parse({bad}).error().fault == Fault::refused);
    CHECK_FALSE(PathPatterns::parse(std::vector<std::string>(limits::path_patterns + 1, "x")));
    CHECK_FALSE(PathPatterns().match("x"));
}

}  // namespace path_patterns_test
