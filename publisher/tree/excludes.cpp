#include "publisher/tree/excludes.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace lull::publisher {

namespace {

std::string_view last_component(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// fnmatch(3) tries each place for each '*': a pattern with many of them could take very long.
constexpr std::ptrdiff_t most_stars = 8;

}  // namespace

Result<Excludes> Excludes::parse(std::vector<std::string> const& patterns) {
    if (patterns.size() > most_patterns)
        return fail(Fault::usage, "--exclude is given {} times, and {} is the most", patterns.size(), most_patterns);
    Excludes excludes;
    for (auto const& text : patterns) {
        std::string_view pattern = text;
        while (pattern.ends_with('/')) pattern.remove_suffix(1);
        bool const of_path = pattern.find('/') != std::string_view::npos;
        if (pattern.starts_with('/')) pattern.remove_prefix(1);
        if (pattern.empty() || pattern.size() > longest_pattern || std::ranges::count(pattern, '*') > most_stars) {
            return fail(Fault::usage, "--exclude '{}': a pattern has 1 to {} characters, at most {} of them '*'", text,
                        longest_pattern, most_stars);
        }
        (of_path ? excludes.of_paths_ : excludes.of_names_).emplace_back(pattern);
    }
    return excludes;
}

bool Excludes::match(std::string const& path) const {
    auto const fits = [](std::string const& pattern, char const* text) {
        return fnmatch(pattern.c_str(), text, 0) == 0;
    };
    auto const* const name = path.c_str() + (path.size() - last_component(path).size());
    return std::ranges::any_of(of_names_, [&](auto const& pattern) { return fits(pattern, name); }) ||
           std::ranges::any_of(of_paths_, [&](auto const& pattern) { return fits(pattern, path.c_str()); });
}

bool is_of_publisher(std::string_view path) {
    return path == options_file || path == version_file || last_component(path) == ".git";
}

}  // namespace lull::publisher
