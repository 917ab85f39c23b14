#include "store/release_contents.hpp"

#include <algorithm>

namespace lull::store {

namespace {

constexpr std::size_t most_recent = 2;  // segments

}  // namespace

Result<View> ReleaseContents::segment(std::uint32_t index) {
    if (index >= manifest_.segments.size()) return fail(Fault::damaged, "there is no segment {}", index);
    auto const known = std::ranges::find(recent_, index, &Recent::segment);
    if (known != recent_.end()) {
        recent_.splice(recent_.begin(), recent_, known);
    } else {
        if (recent_.size() == most_recent) recent_.pop_back();
        auto plain = read_(index);
        if (!plain) return pass(plain.error());
        if (plain->size() != manifest_.segments[index].size.count())
            return fail(Fault::damaged, "segment {} has another size", index);
        recent_.push_front({index, std::move(*plain)});
    }
    return View(recent_.front().plain);
}

Status ReleaseContents::walk(BaseRange const& range, Take const& take) {
    auto const length = length_of(range, manifest_);
    if (!length) return pass(length.error());
    auto const& file = manifest_.entries[range.entry];
    auto skip = range.offset.value_or(Bytes());
    auto left = *length;
    auto begin = file.offset.value_or(Bytes());
    for (auto index = file.segment.value_or(0); !left.zero(); ++index) {
        auto const plain = segment(index);
        if (!plain) return pass(plain.error());
        auto const here = View(*plain).subspan(begin.count());
        begin = {};
        auto const skipped = std::min(skip, Bytes(here.size()));
        skip -= skipped;
        auto const part = std::min(left, Bytes(here.size()) - skipped);
        if (!part.zero()) take(here.subspan(skipped.count(), part.count()));
        left -= part;
    }
    return {};
}

Result<Buffer> ReleaseContents::read(std::vector<BaseRange> const& ranges) {
    auto const length = length_of(ranges, manifest_);
    if (!length) return pass(length.error());
    Buffer bytes;
    bytes.reserve(length->count());
    for (auto const& range : ranges) {
        auto const walked = walk(range, [&](View part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
        if (!walked) return pass(walked.error());
    }
    return bytes;
}

Result<std::vector<Anchor>> ReleaseContents::anchors(std::uint32_t entry) {
    if (auto const known = anchors_.find(entry); known != anchors_.end()) return known->second;
    AnchorFinder finder;
    if (auto walked = walk({entry, {}, {}}, [&](View part) { finder.feed(part); }); !walked)
        return pass(walked.error());
    return anchors_.emplace(entry, finder.anchors()).first->second;
}

}  // namespace lull::store
