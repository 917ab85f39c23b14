#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

// The home of Boost.Program_options: commands with options, config files of the same names, environment variables.

namespace lull {

// One option of a command. Its value comes from the command line, else from `environment`, else from the config file,
// else it is `fallback`.
struct Option {
    std::string name;           // long name, "listen"
    std::string help;           // one line
    std::string placeholder{};  // "ADDRESS"; empty: the option is a switch without a value
    std::optional<std::string> fallback{};
    std::string environment{};  // "LULL_BROKER", or empty
    bool required = false;
    bool many = false;  // may be given several times
};

// The options and positional arguments of one call, after parsing.
class Arguments {
public:
    [[nodiscard]] bool has(std::string const& name) const;          // given, or with a fallback
    [[nodiscard]] bool flag(std::string const& name) const;         // a switch that was given
    [[nodiscard]] std::string text(std::string const& name) const;  // "" if absent
    [[nodiscard]] std::vector<std::string> all(std::string const& name) const;
    [[nodiscard]] Result<std::uint64_t> number(std::string const& name) const;
    [[nodiscard]] std::vector<std::string> const& positional() const { return positional_; }
    [[nodiscard]] std::vector<std::string> const& rest() const { return rest_; }  // what follows "--"
    // Options whose value is no fallback, by name.
    [[nodiscard]] std::set<std::string> const& given() const { return given_; }

    // These arguments with the options that `file` gives, but for those of the command line and the environment.
    [[nodiscard]] Arguments filled_from(Arguments const& file) const;

private:
    friend class CommandLine;
    friend Result<Arguments> parse_options(std::string_view text, std::vector<Option> const& options);
    std::map<std::string, std::vector<std::string>> values_;
    std::set<std::string> given_;
    std::set<std::string> fixed_;  // by the command line or the environment
    std::vector<std::string> positional_;
    std::vector<std::string> rest_;
};

// The arguments of a text with options, one 'name = value' a line, which may be empty; the rest has its fallbacks. Only
// these options may stand there. Fault::usage names line and option.
[[nodiscard]] Result<Arguments> parse_options(std::string_view text, std::vector<Option> const& options);

struct Command {
    std::string name;     // "publish", or two words: "nodes new"
    std::string summary;  // one line for the list of commands
    std::vector<std::string>
        positional;  // placeholders: {"PATH"}; one that ends in "..." takes the rest; in "[]" optional
    std::vector<Option> options;
    std::string example;  // a call that works
    std::function<Status(Arguments const&)> run;
    std::string rest{};  // placeholder of what may stand behind "--"; empty: nothing
};

// A program with commands. Handles --help, --version, unknown words (with the nearest known one), and missing options.
class CommandLine {
public:
    CommandLine(std::string program, std::string summary, std::vector<Command> commands);

    // Options that every command has, for example --config and --log-level.
    void add_common(Option option);

    // Parses, runs, prints an error to standard error, and returns the exit status (0, 1, 2, 3, 4).
    [[nodiscard]] int run(int argc, char const* const* argv);

private:
    [[nodiscard]] Result<Arguments> parse(Command const& command, std::vector<std::string> words) const;
    [[nodiscard]] std::string help() const;
    [[nodiscard]] std::string help(Command const& command) const;

    std::string program_;
    std::string summary_;
    std::vector<Command> commands_;
    std::vector<Option> common_;
};

}  // namespace lull
