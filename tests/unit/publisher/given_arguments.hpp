#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/command_line.hpp"
#include "tests/unit/core/captured_output.hpp"

namespace lull::publisher::test {

// What a command with these options gets that is called with these words.
inline Arguments given(std::vector<Option> options, std::vector<char const*> words) {
    std::optional<Arguments> got;
    auto const keep = [&got](Arguments const& arguments) -> Status {
        got = arguments;
        return {};
    };
    CommandLine line("lull", "a test", {{"publish", "a test", {}, std::move(options), "", keep}});
    words.insert(words.begin(), {"lull", "publish"});
    lull::test::CapturedOutput const complaints(STDERR_FILENO);
    INFO(complaints.text());
    REQUIRE(line.run(static_cast<int>(words.size()), words.data()) == 0);
    REQUIRE(got);
    return *got;
}

}  // namespace lull::publisher::test
