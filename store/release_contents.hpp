#pragma once

#include <functional>
#include <list>
#include <map>
#include <vector>

#include "schema/patch.hpp"
#include "store/anchors.hpp"

namespace lull::store {

// What is in the files of a release, read from its segments. For one thread at a time. Memory: a few segments, and the
// anchors of files that were asked for.
class ReleaseContents {
public:
    // The plain bytes of a segment by its index, checked.
    using ReadSegment = std::function<Result<Buffer>(std::uint32_t segment)>;

    ReleaseContents(Manifest manifest, ReadSegment read) : manifest_(std::move(manifest)), read_(std::move(read)) {}

    [[nodiscard]] Manifest const& manifest() const { return manifest_; }

    // Valid until the next call of anything here.
    [[nodiscard]] Result<View> segment(std::uint32_t index);
    // Parts of files, one behind the other. Fault::damaged as length_of() says.
    [[nodiscard]] Result<Buffer> read(std::vector<BaseRange> const& ranges);
    // Of a whole file, found once and kept.
    [[nodiscard]] Result<std::vector<Anchor>> anchors(std::uint32_t entry);

private:
    using Take = std::function<void(View)>;
    [[nodiscard]] Status walk(BaseRange const& range, Take const& take);

    struct Recent {
        std::uint32_t segment = 0;
        Buffer plain;
    };
    Manifest manifest_;
    ReadSegment read_;
    std::list<Recent> recent_;  // the last one first
    std::map<std::uint32_t, std::vector<Anchor>> anchors_;
};

}  // namespace lull::store
