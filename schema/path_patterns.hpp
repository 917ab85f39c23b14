#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace lull {

// Patterns of paths, bounded so that matching takes time in proportion to pattern and path. A pattern without '/' is
// compared with each component of a path, one with '/' with the path and each directory above it; so a pattern that
// fits a directory fits all that is in there. '*' stands for any characters, '/' included, '?' for one.
class PathPatterns {
public:
    PathPatterns() = default;
    // Fault::refused for a pattern that is empty, too long or no text, and for too many of them.
    [[nodiscard]] static Result<PathPatterns> parse(std::vector<std::string> const& patterns);

    // `path`: relative, '/' between components.
    [[nodiscard]] bool match(std::string_view path) const;
    bool operator==(PathPatterns const&) const = default;

private:
    std::vector<std::string> of_names_;
    std::vector<std::string> of_paths_;
};

}  // namespace lull
