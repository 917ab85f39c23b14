#include "publisher/tree/virtual_environment.hpp"

#include <algorithm>
#include <sstream>

#include "publisher/tree/publisher_files.hpp"

namespace lull::publisher {

namespace {

constexpr Bytes most_settings = KiB(64);

// python, python3, python3.11
bool is_interpreter(std::string_view name) {
    constexpr std::string_view language = "python";
    if (!name.starts_with(language)) return false;
    return std::ranges::all_of(name.substr(language.size()), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

// What stands behind "home =".
std::string home_of(std::string const& settings) {
    std::istringstream lines(settings);
    for (std::string line; std::getline(lines, line);) {
        auto const equals = line.find('=');
        if (equals == std::string::npos || trimmed(std::string_view(line).substr(0, equals)) != "home") continue;
        return std::string(trimmed(std::string_view(line).substr(equals + 1)));
    }
    return {};
}

}  // namespace

bool is_interpreter_of_environment(fs::path const& link, fs::path const& target) {
    bool const named = link.parent_path().filename() == "bin" && is_interpreter(link.filename().native()) &&
                       target.is_absolute() && is_interpreter(target.filename().native());
    if (!named) return false;
    auto const settings = read_publisher_file(link.parent_path().parent_path() / "pyvenv.cfg", most_settings);
    return settings && *settings && target.parent_path() == home_of(**settings);
}

}  // namespace lull::publisher
