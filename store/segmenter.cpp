#include "store/segmenter.hpp"

#include <algorithm>
#include <unordered_map>

#include "schema/limits.hpp"

namespace lull::store {

namespace {

constexpr Bytes own_segments = MiB(4);  // a file of this size or more is not batched
constexpr Bytes largest_batch = MiB(4);
constexpr Bytes smallest_batch = KiB(512);
constexpr unsigned bound_bits = 6;  // one file in 64 may end a batch

// True for one content in 64, whatever stands around it.
bool may_end_batch(Digest const& digest) {
    return std::to_integer<unsigned>(digest.view().front()) >> (8 - bound_bits) == 0;
}

// Builds a plan from files that come in order.
class Cutter {
public:
    explicit Cutter(std::size_t files) {
        plan_.starts.reserve(files);
        seen_.reserve(files);
    }

    void add(std::size_t file, SourceFile const& source) {
        if (source.size.zero()) {
            plan_.starts.emplace_back();
            return;
        }
        auto const [known, is_new] = seen_.try_emplace(source.digest);
        if (is_new) known->second = source.size < own_segments ? add_to_batch(file, source) : cut(file, source.size);
        plan_.starts.push_back(known->second);
    }

    [[nodiscard]] SegmentPlan finish() && { return std::move(plan_); }

private:
    [[nodiscard]] std::uint32_t begin_segment() {
        plan_.segments.emplace_back();
        return static_cast<std::uint32_t>(plan_.segments.size() - 1);
    }

    FileStart cut(std::size_t file, Bytes size) {
        FileStart const start{static_cast<std::uint32_t>(plan_.segments.size()), Bytes()};
        for (Bytes offset; offset < size;) {
            auto const length = std::min(limits::segment, size - offset);
            plan_.segments[begin_segment()] = {{Piece{file, offset, length}}, length};
            offset += length;
        }
        return start;
    }

    // The batch stays open while large files pass by: they do not move its bounds.
    FileStart add_to_batch(std::size_t file, SourceFile const& source) {
        if (!batch_ || plan_.segments[*batch_].size + source.size > largest_batch) batch_ = begin_segment();
        auto& batch = plan_.segments[*batch_];
        FileStart const start{*batch_, batch.size};
        batch.pieces.push_back(Piece{file, Bytes(), source.size});
        batch.size += source.size;
        if (batch.size >= smallest_batch && may_end_batch(source.digest)) batch_.reset();
        return start;
    }

    SegmentPlan plan_;
    std::unordered_map<Digest, FileStart, DigestHash> seen_;
    std::optional<std::uint32_t> batch_;  // the segment that takes small files
};

}  // namespace

SegmentPlan plan_segments(std::vector<SourceFile> const& files) {
    Cutter cutter(files.size());
    for (std::size_t file = 0; file < files.size(); ++file) cutter.add(file, files[file]);
    return std::move(cutter).finish();
}

}  // namespace lull::store
