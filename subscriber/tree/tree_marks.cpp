#include "subscriber/tree/tree_marks.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "schema/limits.hpp"

namespace lull::subscriber {

namespace {

constexpr std::string_view magic = "lullseen";
constexpr std::int64_t settled_after = 2'000'000;  // microseconds; coarser than any file system's clock
constexpr std::size_t head = 8 + 32;
constexpr Bytes largest(head + limits::files_per_manifest * sizeof(FileMark));

void put(Buffer& out, std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<std::byte>(value >> shift));
}

std::uint64_t take(View bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    return value;
}

}  // namespace

FileMark mark_of(struct stat const& status, WallTime looked) {
    auto const changed = std::int64_t{status.st_ctim.tv_sec} * 1'000'000 + status.st_ctim.tv_nsec / 1000;
    if (changed > looked.micros - settled_after) return 0;
    Buffer seen;
    seen.reserve(56);
    for (auto const value :
         {static_cast<std::uint64_t>(status.st_ino), static_cast<std::uint64_t>(status.st_mode),
          static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_mtim.tv_sec),
          static_cast<std::uint64_t>(status.st_mtim.tv_nsec), static_cast<std::uint64_t>(status.st_ctim.tv_sec),
          static_cast<std::uint64_t>(status.st_ctim.tv_nsec)}) {
        put(seen, value);
    }
    // A good digest, because whoever changes a file can choose its mtime as he likes.
    return std::max<FileMark>(1, take(sha256(seen).view()));
}

std::optional<TreeMarks> load_marks(Layout const& layout, ReleaseId const& release, Digest const& manifest,
                                    std::size_t entries) {
    auto const bytes = read_file(layout.marks(release), largest);
    if (!bytes || bytes->size() != head + entries * sizeof(FileMark)) return std::nullopt;
    auto const view = View(*bytes);
    bool const ours = as_text(view.first(magic.size())) == magic &&
                      std::ranges::equal(view.subspan(magic.size(), 32), manifest.view());
    if (!ours) return std::nullopt;
    TreeMarks marks{manifest, {}};
    marks.marks.reserve(entries);
    for (std::size_t at = head; at < view.size(); at += sizeof(FileMark))
        marks.marks.push_back(take(view.subspan(at, sizeof(FileMark))));
    return marks;
}

Status save_marks(Layout const& layout, ReleaseId const& release, TreeMarks const& marks) {
    auto bytes = to_buffer(as_view(magic));
    auto const digest = marks.manifest.view();
    bytes.insert(bytes.end(), digest.begin(), digest.end());
    bytes.reserve(head + marks.marks.size() * sizeof(FileMark));
    for (auto const mark : marks.marks) put(bytes, mark);
    return write_file_durably(layout.marks(release), bytes, 0644);
}

}  // namespace lull::subscriber
