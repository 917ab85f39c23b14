#include "subscriber/tree/sparse_write.hpp"

#include <unistd.h>

#include <algorithm>

namespace lull::subscriber {

Status write_contents(int file, Entry const& entry, Bytes offset, View bytes, fs::path const& path) {
    if (!entry.data) return write_exactly(file, offset.count(), bytes, path);
    auto const block = sparse_block.count();
    std::uint64_t begin = 0;  // of the run that is not zero
    std::uint64_t end = 0;
    for (std::uint64_t at = 0; at < bytes.size();) {
        auto const length = std::min(block - (offset.count() + at) % block, bytes.size() - at);
        if (!is_zero(bytes.subspan(at, length))) {
            if (end != at) begin = at;
            end = at + length;
        } else if (end == at && begin < end) {
            auto const run = bytes.subspan(begin, end - begin);
            if (auto written = write_exactly(file, offset.count() + begin, run, path); !written) return written;
            begin = end;
        }
        at += length;
    }
    if (begin == end) return {};
    return write_exactly(file, offset.count() + begin, bytes.subspan(begin, end - begin), path);
}

Status make_hole(int file, Entry const& entry, fs::path const& path) {
    if (!entry.data) return {};
    return ftruncate(file, static_cast<off_t>(entry.size.count())) == 0 ? Status() : fail_errno("lengthen", path);
}

Bytes bytes_on_disk(Entry const& entry) { return entry.data ? std::min(*entry.data, entry.size) : entry.size; }

}  // namespace lull::subscriber
