#include "schema/path_patterns.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "schema/limits.hpp"

namespace lull {

namespace {

// Only the last '*' is ever tried again: what an earlier one could take more, the last one can take as well.
bool fits(std::string_view pattern, std::string_view text) {
    std::size_t at = 0;
    std::size_t star = std::string_view::npos;
    std::size_t taken = 0;  // of the text, by what stands before the last '*' and by the '*' itself
    for (std::size_t i = 0; i < text.size();) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            taken = i;
        } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
            ++at;
            ++i;
        } else if (star != std::string_view::npos) {
            at = star + 1;
            i = ++taken;
        } else {
            return false;
        }
    }
    return std::ranges::all_of(pattern.substr(at), [](char rest) { return rest == '*'; });
}

}  // namespace

Result<PathPatterns> PathPatterns::parse(std::vector<std::string> const& patterns) {
    if (patterns.size() > limits::path_patterns)
        return fail(Fault::refused, "{} patterns are more than {}", patterns.size(), limits::path_patterns);
    PathPatterns parsed;
    for (auto const& text : patterns) {
        std::string_view pattern = text;
        while (pattern.ends_with('/')) pattern.remove_suffix(1);
        bool const of_path = pattern.find('/') != std::string_view::npos;
        if (pattern.starts_with('/')) pattern.remove_prefix(1);
        bool const good = !pattern.empty() && text.size() <= limits::path_pattern_bytes && is_utf8(text) &&
                          !has_controls(text);
        if (!good) {
            return fail(Fault::refused, "the pattern {} is not a text of 1 to {} bytes", quoted(text),
                        limits::path_pattern_bytes);
        }
        (of_path ? parsed.of_paths_ : parsed.of_names_).emplace_back(pattern);
    }
    return parsed;
}

bool PathPatterns::match(std::string_view path) const {
    for (std::size_t begin = 0; begin <= path.size();) {
        auto const end = std::min(path.find('/', begin), path.size());
        auto const name = path.substr(begin, end - begin);
        auto const above = path.substr(0, end);
        if (std::ranges::any_of(of_names_, [&](auto const& pattern) { return fits(pattern, name); })) return true;
        if (std::ranges::any_of(of_paths_, [&](auto const& pattern) { return fits(pattern, above); })) return true;
        begin = end + 1;
    }
    return false;
}

}  // namespace lull
