#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/command_line.hpp"

// Checks that each option of a command reaches the setting that it names, and no other one.

namespace lull::test {

// Words that give an option a value unlike its fallback, and what they change in the settings.
template <class Settings>
struct OptionRow {
    std::string option;  // without "--"
    std::vector<std::string> words;
    std::function<void(Settings&)> change;
    std::vector<std::string> with{};  // words that the option needs beside it
};

template <class Settings>
struct OptionTable {
    Command command;
    std::function<Result<Settings>(Arguments const&)> settings;  // what the program makes of the arguments
    std::vector<std::string> base;                               // the words that the command cannot do without
    std::vector<OptionRow<Settings>> rows;
    std::vector<Option> common{};      // the options of every command of the program
    std::vector<std::string> apart{};  // options that other tests compare
};

// The arguments of one call of a command, which does not run.
inline Result<Arguments> arguments_of(Command command, std::vector<Option> const& common,
                                      std::vector<std::string> const& words) {
    Result<Arguments> parsed = fail(Fault::usage, "the command line is refused, as standard error tells");
    command.name = "command";
    command.run = [&parsed](Arguments const& arguments) {
        parsed = arguments;
        return Status();
    };
    CommandLine program("program", "", {std::move(command)});
    for (auto const& option : common) program.add_common(option);
    std::vector<char const*> call{"program", "command"};
    for (auto const& word : words) call.push_back(word.c_str());
    (void)program.run(static_cast<int>(call.size()), call.data());
    return parsed;
}

// The words of `base` without the option and its value.
inline std::vector<std::string> without_option(std::vector<std::string> base, std::string const& option) {
    auto const place = std::ranges::find(base, "--" + option);
    if (place != base.end()) base.erase(place, std::min(place + 2, base.end()));
    return base;
}

inline std::vector<std::string> joined(std::vector<std::string> words, std::vector<std::string> const& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

template <class Settings>
Result<Settings> settings_of(OptionTable<Settings> const& table, std::vector<std::string> const& words) {
    auto const arguments = arguments_of(table.command, table.common, words);
    if (!arguments) return pass(arguments.error());
    return table.settings(*arguments);
}

// Why this row fails; empty if the option reaches its setting and nothing else.
template <class Settings>
std::string problem_of(OptionTable<Settings> const& table, OptionRow<Settings> const& row) {
    if (std::ranges::find(row.words, "--" + row.option) == row.words.end()) return "its row does not give it";
    auto const usual = settings_of(table, joined(table.base, row.with));
    if (!usual) return "the words beside it: " + usual.error().message;
    auto expected = *usual;
    row.change(expected);
    if (expected == *usual) return "its row changes nothing";
    auto const settings = settings_of(table,
                                      joined(joined(without_option(table.base, row.option), row.with), row.words));
    if (!settings) return settings.error().message;
    return *settings == expected ? "" : "it does not reach its setting with this value, or changes another one";
}

// One line for each option of the table that has no row, and for each row that fails. Settings compare by ==, which
// has to cover all members.
template <class Settings>
std::vector<std::string> wrong_options(OptionTable<Settings> const& table) {
    if (auto const usual = settings_of(table, table.base); !usual) return {"the base: " + usual.error().message};
    std::vector<std::string> wrong;
    auto options = table.command.options;
    options.insert(options.end(), table.common.begin(), table.common.end());
    for (auto const& option : options) {
        bool const has_row = std::ranges::find(table.rows, option.name, &OptionRow<Settings>::option) !=
                             table.rows.end();
        bool const is_apart = std::ranges::find(table.apart, option.name) != table.apart.end();
        if (!has_row && !is_apart) wrong.push_back("--" + option.name + ": no row tests it");
    }
    for (auto const& row : table.rows) {
        if (auto const problem = problem_of(table, row); !problem.empty()) {
            wrong.push_back("--" + row.option + ": " + problem);
        }
    }
    return wrong;
}

}  // namespace lull::test
