#include "core/log.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <regex>

#include "tests/unit/core/captured_output.hpp"

namespace log_test {

using namespace lull;
using test::CapturedOutput;

TEST_CASE("a log line has time, level, name and text") {
    std::string text;
    {
        CapturedOutput const output(STDERR_FILENO);
        Log log("lull-broker");
        log.info("{} nodes", 3);
        text = output.text();
    }
    CHECK(std::regex_match(text, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info lull-broker: 3 nodes\n)")));
}

TEST_CASE("lines below the least level are not written") {
    auto const write_all = [](LogLevel least) {
        CapturedOutput const output(STDERR_FILENO);
        Log log("x", least);
        log.debug("D");
        log.info("I");
        log.warn("W");
        log.error("E");
        return output.text();
    };
    auto const at_debug = write_all(LogLevel::debug);
    auto const at_warn = write_all(LogLevel::warn);
    auto const at_error = write_all(LogLevel::error);
    CHECK(std::count(at_debug.begin(), at_debug.end(), '\n') == 4);
    CHECK(std::count(at_warn.begin(), at_warn.end(), '\n') == 2);
    CHECK(std::count(at_error.begin(), at_error.end(), '\n') == 1);
    CHECK(at_debug.find("debug x: D") != std::string::npos);
    CHECK(at_warn.find("warn x: W") != std::string::npos);
    CHECK(at_error.find("error x: E") != std::string::npos);
}

TEST_CASE("text from elsewhere can neither forge a line nor steer a terminal") {
    std::string text;
    {
        CapturedOutput const output(STDERR_FILENO);
        Log log("x");
        log.warn("{}", "a\n2026-01-31 error x: forged\x1b[2J\r\x7f ü %v {}");
        text = output.text();
    }
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.find("a\\n2026-01-31 error x: forged\\x1b[2J\\x0d\\x7f ü %v {}\n") != std::string::npos);
}

TEST_CASE("log levels are read by name") {
    CHECK(parse_log_level("debug") == LogLevel::debug);
    CHECK(parse_log_level("info") == LogLevel::info);
    CHECK(parse_log_level("warn") == LogLevel::warn);
    CHECK(parse_log_level("error") == LogLevel::error);
    for (auto const* text : {"", "Info", "warning", "trace"}) {
        auto const level = parse_log_level(text);
        REQUIRE_FALSE(level);
        CHECK(level.error().fault == Fault::usage);
    }
}

}  // namespace log_test
