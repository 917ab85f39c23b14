#pragma once

#include "publisher/release/distribution.hpp"

namespace lull::publisher {

// What the publisher of a tree says about it: on the command line of `lull publish`, or in the file lull.conf at the
// top of the tree.
struct TreeOptions {
    std::optional<ArchitectureName> architecture;  // nothing: from the tree's ELF files
    std::vector<std::string> start;
    Distribution distribution;
    Excludes excludes;
    std::vector<std::string> allowed_links;  // sorted
    std::vector<std::string> strays;
    std::optional<std::uint32_t> data_mode;

    [[nodiscard]] TreeRules rules() const { return {excludes, allowed_links}; }
    [[nodiscard]] BuildRequest request_for(SoftwareName const& software, VersionName const& version) const;
    bool operator==(TreeOptions const&) const = default;
};

// --arch, --start, --exclude, --allow-link, --allow-stray, --data-mode and the options of the distribution.
[[nodiscard]] std::vector<Option> tree_options();
// The values of these options. Fault::usage names the option.
[[nodiscard]] Result<TreeOptions> tree_options_of(Arguments const& arguments);

// The arguments that lull.conf gives for these options, if the path is a directory with such a file; else only their
// fallbacks. Fault::usage names file, line and option.
[[nodiscard]] Result<Arguments> read_tree_file(fs::path const& path);

}  // namespace lull::publisher
