#include "schema/manifest.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "core/text.hpp"
#include "schema/path_patterns.hpp"

namespace lull {

namespace {

constexpr std::uint32_t permission_bits = 0777;
constexpr std::uint32_t execute_bits = 0111;
constexpr std::uint32_t usual_data_mode = 0700;

tl::unexpected<Error> refuse(std::string_view path, std::string_view reason) {
    return fail(Fault::refused, "the release cannot hold {}: {}", lull::quoted(path), reason);
}

tl::unexpected<Error> refuse_manifest(std::string_view reason) {
    return fail(Fault::refused, "the manifest breaks a rule: {}", reason);
}

std::string_view parent_of(std::string_view path) {
    auto const slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// Takes the part up to the next '/' off the front.
std::string_view take_component(std::string_view& path) {
    auto const slash = path.find('/');
    auto const component = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return component;
}

Status validate_component(std::string_view path, std::string_view component) {
    if (component.empty()) return refuse(path, "it has an empty component ('/' at an end, or '//')");
    if (component == "." || component == "..") return refuse(path, "it has a component '.' or '..'");
    if (component.size() > limits::path_component) {
        return refuse(path, fmt::format("a component is longer than {} bytes", limits::path_component));
    }
    return {};
}

// The entry with this path, or null. Entries before `end` are sorted.
Entry const* find_entry(std::span<Entry const> sorted, std::string_view path) {
    auto const found = std::lower_bound(
        sorted.begin(), sorted.end(), path,
        [](Entry const& entry, std::string_view wanted) { return entry.path < wanted; });
    return found != sorted.end() && found->path == path ? &*found : nullptr;
}

// Where each segment begins in the contents laid end to end, and which segments files use.
class Contents {
public:
    explicit Contents(std::vector<Segment> const& segments) : begins_(segments.size() + 1), uses_(segments.size() + 1) {
        // Cannot wrap: counts and sizes were checked before, and give at most 2^42 bytes.
        for (std::size_t i = 0; i < segments.size(); ++i) begins_[i + 1] = begins_[i] + segments[i].size.count();
    }

    // Makes sure that `size` bytes from `offset` of segment number `first` are there, and notes the segments they lie
    // in.
    [[nodiscard]] Status use(Entry const& file, std::uint64_t first, std::uint64_t offset) {
        auto const segments = begins_.size() - 1;
        if (first >= segments) return refuse(file.path, fmt::format("it begins in segment {} of {}", first, segments));
        auto const start = begins_[first];
        if (offset >= begins_[first + 1] - start) return refuse(file.path, "it begins behind the end of its segment");
        if (file.size.count() > begins_.back() - start - offset) {
            return refuse(file.path, "the segments end before it does");
        }
        auto const end = start + offset + file.size.count();
        auto const behind = std::lower_bound(begins_.begin(), begins_.end(), end);
        ++uses_[first];
        --uses_[static_cast<std::size_t>(behind - begins_.begin())];
        return {};
    }

    [[nodiscard]] Status all_used() const {
        std::int64_t files = 0;
        for (std::size_t i = 0; i + 1 < begins_.size(); ++i) {
            files += uses_[i];
            if (files == 0) return refuse_manifest(fmt::format("no file uses segment {}", i));
        }
        return {};
    }

private:
    std::vector<std::uint64_t> begins_;
    std::vector<std::int64_t> uses_;  // files that begin in a segment, less those that ended before it
};

bool is_second(Manifest const& manifest) { return manifest.format.has_value(); }

Status validate_allowed_links(std::vector<std::string> const& links) {
    if (links.size() > limits::allowed_links)
        return refuse_manifest(fmt::format("{} allowed links are more than {}", links.size(), limits::allowed_links));
    for (std::size_t i = 0; i < links.size(); ++i) {
        if (auto status = validate_allowed_link(links[i]); !status) return status;
        if (i > 0 && links[i - 1] >= links[i]) return refuse_manifest("its allowed links are not sorted");
    }
    return {};
}

// What stands in manifests of format 2 only.
Status validate_format(Manifest const& manifest) {
    if (!is_second(manifest)) {
        if (!manifest.allowed_links && !manifest.strays && !manifest.data_mode) return {};
        return refuse_manifest("a manifest of format 1 holds fields of format 2");
    }
    if (*manifest.format != static_cast<std::uint32_t>(ManifestFormat::second)) {
        return refuse_manifest(
            fmt::format("its format {} is not known here; update this program first", *manifest.format));
    }
    if (manifest.allowed_links) {
        if (auto status = validate_allowed_links(*manifest.allowed_links); !status) return status;
    }
    if (manifest.strays) {
        if (auto const patterns = PathPatterns::parse(*manifest.strays); !patterns)
            return refuse_manifest(patterns.error().message);
    }
    return manifest.data_mode ? validate_data_mode(*manifest.data_mode) : Status();
}

Status validate_head(Manifest const& manifest) {
    if (auto status = validate_format(manifest); !status) return status;
    if (manifest.software.unset() || manifest.version.unset() || manifest.architecture.unset()) {
        return refuse_manifest("software, version or architecture is not set");
    }
    if (manifest.entries.size() > limits::files_per_manifest) {
        return refuse_manifest(
            fmt::format("{} paths are more than {}", manifest.entries.size(), limits::files_per_manifest));
    }
    if (manifest.segments.size() > limits::segments_per_manifest) {
        return refuse_manifest(
            fmt::format("{} segments are more than {}", manifest.segments.size(), limits::segments_per_manifest));
    }
    return {};
}

Status validate_segments(std::vector<Segment> const& segments) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        auto const& segment = segments[i];
        if (segment.digest.unset()) return refuse_manifest(fmt::format("segment {} has no digest", i));
        if (segment.size.zero() || segment.size > limits::segment) {
            return refuse_manifest(fmt::format("segment {} has {} bytes instead of 1 to {}", i, segment.size.count(),
                                               limits::segment.count()));
        }
    }
    // The same contents may stand there several times, but they have one size.
    std::vector<std::size_t> order(segments.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return segments[a].digest < segments[b].digest; });
    auto const clash = std::adjacent_find(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return segments[a].digest == segments[b].digest && segments[a].size != segments[b].size;
    });
    if (clash == order.end()) return {};
    return refuse_manifest(fmt::format("segments {} and {} have one digest and two sizes", clash[0], clash[1]));
}

Status validate_file(Entry const& file, Contents& contents) {
    if (file.target) return refuse(file.path, "a file has no link target");
    if (!file.digest || file.digest->unset()) return refuse(file.path, "a file needs the digest of its contents");
    if (file.size.zero()) {
        if (file.segment || file.offset) return refuse(file.path, "an empty file lies in no segment");
        return {};
    }
    if (!file.segment || !file.offset) return refuse(file.path, "a file with contents needs a segment and an offset");
    return contents.use(file, *file.segment, file.offset->count());
}

Status validate_mode(Entry const& entry) {
    bool const file = entry.type == EntryType::file;
    if (!entry.mode) return refuse(entry.path, "it has no mode");
    if ((*entry.mode & ~permission_bits) != 0) return refuse(entry.path, "its mode has more than the permission bits");
    auto const least = file ? 0400U : 0500U;
    if ((*entry.mode & least) != least) return refuse(entry.path, "its mode keeps its owner out");
    if (file && entry.executable != ((*entry.mode & execute_bits) != 0))
        return refuse(entry.path, "mode and executable bit contradict each other");
    return {};
}

// What an entry has in format 2 only.
Status validate_attributes(Entry const& entry, ManifestFormat format) {
    if (format == ManifestFormat::first) {
        if (!entry.mode && !entry.modified && !entry.data) return {};
        return refuse(entry.path, "it has a mode or time, which format 1 does not have");
    }
    if (entry.type == EntryType::symlink) {
        if (!entry.mode && !entry.modified && !entry.data) return {};
        return refuse(entry.path, "a symlink has neither mode nor time");
    }
    if (auto status = validate_mode(entry); !status) return status;
    bool const file = entry.type == EntryType::file;
    if (file != entry.modified.has_value()) return refuse(entry.path, "files, and only files, have a time");
    if (file && *entry.modified > last_modified) return refuse(entry.path, "its time is after 2106");
    if (!entry.data) return {};
    auto const whole = (entry.size.count() + sparse_block.count() - 1) / sparse_block.count() * sparse_block.count();
    if (!file || entry.data->count() > whole) return refuse(entry.path, "only a file can be sparse, up to its size");
    return {};
}

bool is_allowed_link(Entry const& link, std::span<std::string const> allowed) {
    return std::binary_search(allowed.begin(), allowed.end(), *link.target);
}

Status validate_entry(Entry const& entry, Contents& contents, std::span<std::string const> allowed_links) {
    if (entry.type == EntryType::file) return validate_file(entry, contents);
    if (entry.executable || !entry.size.zero() || entry.digest || entry.segment || entry.offset) {
        return refuse(entry.path, "only a file has a size, contents or the executable bit");
    }
    if (entry.type == EntryType::directory) {
        if (entry.target) return refuse(entry.path, "a directory has no link target");
        return {};
    }
    if (entry.type != EntryType::symlink) return refuse(entry.path, "it is neither file, directory nor symlink");
    if (!entry.target) return refuse(entry.path, "a symlink needs a target");
    return is_allowed_link(entry, allowed_links) ? Status() : validate_link(entry.path, *entry.target);
}

// `before` is what the manifest lists before this path.
Status validate_place(std::span<Entry const> before, std::string_view path) {
    if (!before.empty() && before.back().path == path) return refuse(path, "it is listed twice");
    if (!before.empty() && before.back().path > path) {
        return refuse(path, fmt::format("it is listed behind {}; paths have to be sorted bytewise",
                                        lull::quoted(before.back().path)));
    }
    auto const parent = parent_of(path);
    // Most paths lie beside the one before them.
    if (parent.empty() || (!before.empty() && parent_of(before.back().path) == parent)) return {};
    auto const* const found = find_entry(before, parent);
    if (found == nullptr) return refuse(path, "the directory that it lies in is not listed");
    if (found->type != EntryType::directory)
        return refuse(path, fmt::format("{} is no directory", lull::quoted(parent)));
    return {};
}

// Which link has to be followed first to follow another one.
class LinkOrder {
public:
    explicit LinkOrder(std::vector<Entry> const& entries) : entries_(entries) {
        links_.reserve(static_cast<std::size_t>(std::count_if(entries.begin(), entries.end(), is_link)));
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (is_link(entries[i])) links_.emplace(entries[i].path, i);
        }
    }

    // The first link on the way from entry `link` to its target; nothing if there is none in the release.
    [[nodiscard]] std::optional<std::size_t> first_on_way(std::size_t link) const {
        if (entries_[link].target->starts_with('/')) return std::nullopt;  // an allowed one, which leaves the release
        std::string way(parent_of(entries_[link].path));
        for (std::string_view rest = *entries_[link].target; !rest.empty();) {
            auto const component = take_component(rest);
            if (component.empty() || component == ".") continue;
            if (component == "..") {
                way.resize(parent_of(way).size());
                continue;
            }
            if (!way.empty()) way += '/';
            way += component;
            if (auto const found = links_.find(way); found != links_.end()) return found->second;
        }
        return std::nullopt;
    }

    // No link may be on its own way: nobody could follow it.
    [[nodiscard]] Status validate() const {
        std::vector<std::size_t> round(entries_.size());  // in which a link was seen first; 0: not yet
        for (std::size_t first = 0; first < entries_.size(); ++first) {
            std::optional<std::size_t> link = first;
            while (link && is_link(entries_[*link]) && round[*link] == 0) {
                round[*link] = first + 1;
                link = first_on_way(*link);
                if (link && round[*link] == first + 1)
                    return refuse(smallest_of(*link), "its target leads round in a circle");
            }
        }
        return {};
    }

private:
    [[nodiscard]] static bool is_link(Entry const& entry) { return entry.type == EntryType::symlink; }

    // Of the links of a circle, the one whose path comes first: a message does not depend on where the search began.
    [[nodiscard]] std::string_view smallest_of(std::size_t circle) const {
        auto smallest = circle;
        for (auto link = *first_on_way(circle); link != circle; link = *first_on_way(link))
            smallest = std::min(smallest, link);
        return entries_[smallest].path;
    }

    std::vector<Entry> const& entries_;
    std::unordered_map<std::string_view, std::size_t> links_;
};

Status validate_start(Manifest const& manifest) {
    auto const& start = manifest.start;
    if (start.empty()) return {};
    if (start.size() > limits::start_words) {
        return refuse_manifest(
            fmt::format("the start command has {} words, more than {}", start.size(), limits::start_words));
    }
    for (auto const& word : start) {
        bool const good = word.size() <= limits::text && is_utf8(word) && word.find('\0') == std::string::npos;
        if (!good) {
            return refuse_manifest(
                fmt::format("the start command holds {}, which is too long or no text", lull::quoted(word)));
        }
    }
    auto const* const program = find_entry(manifest.entries, start.front());
    if (program == nullptr) {
        return refuse_manifest(fmt::format("the program to start, {}, is not in the release; name its path in the tree",
                                           lull::quoted(start.front())));
    }
    if (program->type == EntryType::symlink || (program->type == EntryType::file && program->executable)) return {};
    return refuse_manifest(
        fmt::format("the program to start, {}, is no executable file; run: chmod +x", lull::quoted(start.front())));
}

}  // namespace

Bytes Manifest::content_size() const {
    Bytes sum;
    for (auto const& entry : entries) sum += entry.size;
    return sum;
}

std::size_t Manifest::file_count() const {
    auto const count = std::count_if(entries.begin(), entries.end(),
                                     [](Entry const& e) { return e.type == EntryType::file; });
    return static_cast<std::size_t>(count);
}

bool belongs_to(Manifest const& manifest, SoftwareName const& software, VersionName const& version) {
    return manifest.software == software && (manifest.version == version || manifest.version == contents_of(version));
}

Status validate_path(std::string_view path) {
    if (path.empty()) return refuse(path, "the path is empty");
    if (path.size() > limits::path_bytes) {
        return refuse(path, fmt::format("the path is longer than {} bytes", limits::path_bytes));
    }
    if (path.front() == '/') return refuse(path, "the path is absolute");
    if (!is_utf8(path)) return refuse(path, "the path is not UTF-8; rename it");
    if (has_controls(path)) return refuse(path, "the path holds a control character; rename it");
    if (path.back() == '/') return validate_component(path, "");
    for (auto rest = path; !rest.empty();) {
        if (auto status = validate_component(path, take_component(rest)); !status) return status;
    }
    return {};
}

// Since no listed path leads through a link, the link's own directory is real; ".." at the front only therefore means
// the same to the kernel as here, and what follows can only lead down or through links that keep the same rule.
Status validate_link(std::string_view path, std::string_view target) {
    auto const bad = [&](std::string_view why) {
        return refuse(path, fmt::format("it points to {}, and {}", lull::quoted(target), why));
    };
    if (target.empty()) return refuse(path, "it is a symlink to nothing");
    if (target.size() > limits::path_bytes) return bad(fmt::format("that is longer than {} bytes", limits::path_bytes));
    if (!is_utf8(target) || has_controls(target)) return bad("that is not UTF-8, or holds a control character");
    if (target.front() == '/') return bad("a symlink has to be relative");
    auto levels = std::count(path.begin(), path.end(), '/');  // between the tree's root and the link
    bool downward = false;
    for (auto rest = target; !rest.empty();) {
        auto const component = take_component(rest);
        if (component.size() > limits::path_component) return bad("a component of that is too long");
        if (component.empty() || component == ".") continue;
        if (component != "..") {
            downward = true;
        } else if (downward) {
            return bad("'..' is allowed only at the front; shorten it");
        } else if (levels-- == 0) {
            return bad("that is outside of the release");
        }
    }
    return {};
}

Status validate_allowed_link(std::string_view target) {
    auto const bad = [&](std::string_view why) {
        return fail(Fault::refused, "no link to {} can be allowed: {}", lull::quoted(target), why);
    };
    if (!target.starts_with('/') || target.size() == 1) return bad("it is no absolute path to a file or directory");
    auto const path = validate_path(target.substr(1));
    return path ? Status() : bad("it is too long, no text, or has an empty component, '.' or '..'");
}

Status validate_data_mode(std::uint32_t mode) {
    if ((mode & ~permission_bits) == 0 && (mode & 0700U) == 0700U) return {};
    return fail(Fault::refused, "the mode {:04o} of the data directory is not one of 0700 to 0777", mode);
}

std::uint32_t mode_of(Entry const& entry) {
    if (entry.mode) return *entry.mode;
    return entry.type == EntryType::directory || entry.executable ? 0755 : 0644;
}

std::uint32_t data_mode_of(Manifest const& manifest) { return manifest.data_mode.value_or(usual_data_mode); }

std::string_view domain_of(Manifest const& manifest) {
    return is_second(manifest) ? domain::manifest_2 : domain::manifest;
}

Status validate(Manifest const& manifest) {
    if (auto status = validate_head(manifest); !status) return status;
    if (auto status = validate_segments(manifest.segments); !status) return status;
    Contents contents(manifest.segments);
    std::span<Entry const> const entries(manifest.entries);
    auto const format = is_second(manifest) ? ManifestFormat::second : ManifestFormat::first;
    auto const allowed = manifest.allowed_links ? std::span<std::string const>(*manifest.allowed_links)
                                                : std::span<std::string const>();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (auto status = validate_path(entries[i].path); !status) return status;
        if (auto status = validate_place(entries.first(i), entries[i].path); !status) return status;
        if (auto status = validate_entry(entries[i], contents, allowed); !status) return status;
        if (auto status = validate_attributes(entries[i], format); !status) return status;
    }
    if (auto status = contents.all_used(); !status) return status;
    if (auto status = LinkOrder(manifest.entries).validate(); !status) return status;
    return validate_start(manifest);
}

Result<Manifest> decode_manifest(View payload) {
    auto manifest = decode<Manifest>(payload, limits::manifest_payload);
    if (!manifest) return manifest;
    if (auto const status = validate(*manifest); !status) return pass(status.error());
    return manifest;
}

Result<Manifest> open_manifest(View envelope, Digest const& digest, TrustedKeys const& trusted) {
    if (envelope.size() > limits::envelope.count()) {
        return fail(Fault::damaged, "a manifest of {} bytes is larger than {}", envelope.size(),
                    limits::envelope.count());
    }
    if (sha256(envelope) != digest) {
        return fail(Fault::damaged, "a manifest does not have the digest {} that was announced", digest.hex());
    }
    auto const opened = decode<Envelope>(envelope, limits::envelope);
    if (!opened) return pass(opened.error());
    auto signed_as = domain::manifest_2;
    if (!check_signature(*opened, signed_as, trusted)) {
        signed_as = domain::manifest;
        if (auto const status = check_signature(*opened, signed_as, trusted); !status) return pass(status.error());
    }
    auto manifest = decode_manifest(opened->payload);
    if (manifest && domain_of(*manifest) != signed_as)
        return fail(Fault::refused, "a manifest is signed as '{}', which is not its format", signed_as);
    return manifest;
}

}  // namespace lull
