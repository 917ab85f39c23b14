#include <algorithm>

#include "core/command_line.hpp"

// The texts of --help.

namespace lull {

namespace {

constexpr std::size_t widest_name = 32;

// A line of two columns; a long name gets a line of its own.
std::string row(std::string const& name, std::string const& text, std::size_t width) {
    if (name.size() > width) return fmt::format("  {}\n  {:{}}  {}\n", name, "", width, text);
    return fmt::format("  {:{}}  {}\n", name, width, text);
}

std::string table(std::vector<std::pair<std::string, std::string>> const& rows) {
    std::size_t width = 0;
    for (auto const& [name, text] : rows) width = std::max(width, name.size() > widest_name ? 0 : name.size());
    std::string lines;
    for (auto const& [name, text] : rows) lines += row(name, text, width);
    return lines;
}

// "(required; default: x; environment: LULL_X)", or nothing.
std::string remarks(Option const& option) {
    std::vector<std::string> parts;
    if (option.required) parts.push_back("required");
    if (option.many) parts.push_back("may be repeated");
    if (option.fallback) parts.push_back("default: " + *option.fallback);
    if (!option.environment.empty()) parts.push_back("environment: " + option.environment);
    return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, "; "));
}

std::string options_table(std::string const& title, std::vector<Option> const& options) {
    if (options.empty()) return "";
    std::vector<std::pair<std::string, std::string>> rows;
    for (auto const& option : options) {
        auto const name = "--" + option.name + (option.placeholder.empty() ? "" : " " + option.placeholder);
        rows.emplace_back(name, option.help + remarks(option));
    }
    return fmt::format("\n{}:\n{}", title, table(rows));
}

std::string example_lines(std::string const& example) {
    return example.empty() ? "" : fmt::format("\nexample:\n  {}\n", example);
}

}  // namespace

std::string CommandLine::help() const {
    std::vector<std::pair<std::string, std::string>> rows;
    for (auto const& command : commands_) rows.emplace_back(command.name, command.summary);
    return fmt::format("{}: {}\n\nusage: {} COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:\n{}", program_, summary_,
                       program_, table(rows)) +
           options_table("options of every command", common_) +
           (commands_.empty() ? "" : example_lines(commands_.front().example)) +
           fmt::format("\nmore:\n  {} COMMAND --help\n  {} --version\n", program_, program_);
}

std::string CommandLine::help(Command const& command) const {
    auto usage = fmt::format("usage: {} {}", program_, command.name);
    for (auto const& placeholder : command.positional) usage += " " + placeholder;
    if (!command.options.empty() || !common_.empty()) usage += " [OPTIONS]";
    if (!command.rest.empty()) usage += fmt::format(" [-- {}...]", command.rest);
    return fmt::format("{}\n\n{}\n", usage, command.summary) + options_table("options", command.options) +
           options_table("options of every command", common_) + example_lines(command.example);
}

}  // namespace lull
