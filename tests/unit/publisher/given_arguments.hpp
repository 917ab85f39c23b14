#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "core/command_line.hpp"
#include "publisher/cli/settings.hpp"
#include "tests/unit/core/captured_output.hpp"

namespace lull::publisher::test {

// No variable and no config file of the user who runs the tests reaches a command.
class CleanEnvironment {
public:
    CleanEnvironment() {
        for (auto const* const name : {"LULL_BROKER", "LULL_KEYS", "LULL_PASSPHRASE"}) unsetenv(name);
        setenv("XDG_CONFIG_HOME", nowhere_.path().c_str(), 1);
        setenv("XDG_CACHE_HOME", nowhere_.path().c_str(), 1);
    }
    ~CleanEnvironment() {
        unsetenv("XDG_CONFIG_HOME");
        unsetenv("XDG_CACHE_HOME");
    }
    CleanEnvironment(CleanEnvironment const&) = delete;
    CleanEnvironment& operator=(CleanEnvironment const&) = delete;

    [[nodiscard]] std::string make_file(std::string const& name) const {
        auto const path = nowhere_ / name;
        std::ofstream{path};
        return path.string();
    }

private:
    lull::test::TemporaryDirectory nowhere_;
};

// What a command gets that is called with these words, and with the options of every command.
inline Arguments given(Command command, std::vector<char const*> words) {
    std::optional<Arguments> got;
    command.name = "command";
    command.run = [&got](Arguments const& arguments) -> Status {
        got = arguments;
        return {};
    };
    CommandLine line("lull", "a test", {std::move(command)});
    for (auto& option : common_options()) line.add_common(std::move(option));
    words.insert(words.begin(), {"lull", "command"});
    lull::test::CapturedOutput const complaints(STDERR_FILENO);
    auto const status = line.run(static_cast<int>(words.size()), words.data());
    INFO(complaints.text());
    REQUIRE(status == 0);
    REQUIRE(got);
    return *got;
}

// The same for a command with these options only.
inline Arguments given(std::vector<Option> options, std::vector<char const*> words) {
    return given(Command{"command", "a test", {}, std::move(options), "", {}}, std::move(words));
}

}  // namespace lull::publisher::test
