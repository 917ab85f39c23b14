#include "publisher/release/tree_options.hpp"

#include <algorithm>
#include <charconv>

#include "core/shell_words.hpp"
#include "publisher/tree/publisher_files.hpp"
#include "schema/path_patterns.hpp"

namespace lull::publisher {

namespace {

constexpr Bytes most_options = KiB(64);

Result<std::vector<std::string>> links_of(Arguments const& arguments) {
    auto links = arguments.all("allow-link");
    for (auto const& link : links) {
        if (auto const valid = validate_allowed_link(link); !valid)
            return fail(Fault::usage, "--allow-link: {}", valid.error().message);
    }
    std::ranges::sort(links);
    links.erase(std::unique(links.begin(), links.end()), links.end());
    if (links.size() > limits::allowed_links)
        return fail(Fault::usage, "--allow-link is given {} times, and {} is the most", links.size(),
                    limits::allowed_links);
    return links;
}

Result<std::optional<std::uint32_t>> data_mode_of(Arguments const& arguments) {
    if (!arguments.has("data-mode")) return std::optional<std::uint32_t>();
    auto const text = arguments.text("data-mode");
    std::uint32_t mode = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    bool const number = problem == std::errc() && end == text.data() + text.size();
    if (number && validate_data_mode(mode)) return std::optional(mode);
    return fail(Fault::usage, "--data-mode '{}' has to be an octal number from 0700 to 0777 that begins with 7", text);
}

// What nodes are allowed and told about the tree.
Status read_permissions(Arguments const& arguments, TreeOptions& options) {
    auto links = links_of(arguments);
    if (!links) return pass(links.error());
    options.allowed_links = std::move(*links);
    options.strays = arguments.all("allow-stray");
    if (auto const patterns = PathPatterns::parse(options.strays); !patterns)
        return fail(Fault::usage, "--allow-stray: {}", patterns.error().message);
    auto const mode = data_mode_of(arguments);
    if (!mode) return pass(mode.error());
    options.data_mode = *mode;
    return {};
}

}  // namespace

std::vector<Option> tree_options() {
    std::vector<Option> options = {
        {.name = "arch", .help = "architecture (default: that of its ELF files, else any)", .placeholder = "ARCH"},
        {.name = "start",
         .help = "program in the tree, and arguments, that 'lull-node run' starts",
         .placeholder = "COMMAND"},
        {.name = "callable",
         .help = "program of the release that other nodes may have run by an executor (lull-node call)",
         .placeholder = "PATH",
         .many = true},
        {.name = "exclude",
         .help =
             "leave out paths whose last component fits, or, if there is a '/' in the pattern, whose whole path fits",
         .placeholder = "PATTERN",
         .many = true},
        {.name = "allow-link",
         .help = "absolute path that symlinks of the release may point to, like /usr/bin/python3; it has to be on the "
                 "nodes",
         .placeholder = "PATH",
         .many = true},
        {.name = "allow-stray",
         .help = "leave files in the installed tree alone that are not part of the release and fit, like "
                 "'__pycache__' (a component of the path) or 'var/*.log' (a whole path)",
         .placeholder = "PATTERN",
         .many = true},
        {.name = "data-mode",
         .help = "mode of the data directory that nodes make for the software (LULL_DATA; default: 0700)",
         .placeholder = "MODE"}};
    for (auto& option : distribution_options()) options.push_back(std::move(option));
    return options;
}

BuildRequest TreeOptions::request_for(SoftwareName const& software, VersionName const& version) const {
    return {software, version, architecture, start, allowed_links, strays, data_mode};
}

Result<TreeOptions> tree_options_of(Arguments const& arguments) {
    TreeOptions options;
    if (arguments.has("arch")) {
        auto architecture = parse_architecture(arguments.text("arch"));
        if (!architecture) return pass(architecture.error());
        options.architecture = std::move(*architecture);
    }
    auto start = split_words(arguments.text("start"));
    if (!start) return fail(Fault::usage, "--start: {}", start.error().message);
    options.start = std::move(*start);
    auto excludes = Excludes::parse(arguments.all("exclude"));
    if (!excludes) return pass(excludes.error());
    options.excludes = std::move(*excludes);
    if (auto read = read_permissions(arguments, options); !read) return pass(std::move(read.error()));
    auto distribution = distribution_of(arguments);
    if (!distribution) return pass(distribution.error());
    options.distribution = std::move(*distribution);
    options.distribution.callable = arguments.all("callable");
    if (auto const valid = validate_callable(options.distribution.callable); !valid)
        return fail(Fault::usage, "--callable: {}", valid.error().message);
    return options;
}

Result<Arguments> read_tree_file(fs::path const& path) {
    auto const file = path / options_file;
    auto const text = read_publisher_file(file, most_options);
    if (!text) return pass(text.error());
    auto arguments = parse_options(text->value_or(""), tree_options());
    if (!arguments) return fail(arguments.error().fault, "{}: {}", file.string(), arguments.error().message);
    return arguments;
}

}  // namespace lull::publisher
