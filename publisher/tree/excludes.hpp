#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace lull::publisher {

// Patterns of paths that are left out of a release, with everything below them. A pattern without '/' is compared with
// the last component of a path, at any depth; one with '/' with the whole path from the top of the tree. '*' stands for
// any characters, '/' included, '?' for one, '[a-z]' for one of these (fnmatch(3)).
class Excludes {
public:
    static constexpr std::size_t most_patterns = 256;
    static constexpr std::size_t longest_pattern = 256;

    Excludes() = default;
    // Fault::usage for a pattern that is empty or too long, and for too many of them.
    [[nodiscard]] static Result<Excludes> parse(std::vector<std::string> const& patterns);

    // `path`: relative, as in a manifest.
    [[nodiscard]] bool match(std::string const& path) const;
    bool operator==(Excludes const&) const = default;

private:
    std::vector<std::string> of_names_;
    std::vector<std::string> of_paths_;
};

// Whether this path of a directory belongs to the publisher and not to the release: `.git` at any depth, and
// `lull.conf` and `.lull-version` at the top.
[[nodiscard]] bool is_of_publisher(std::string_view path);

inline constexpr std::string_view options_file = "lull.conf";
inline constexpr std::string_view version_file = ".lull-version";

}  // namespace lull::publisher
