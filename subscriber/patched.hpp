#pragma once

#include "schema/messages.hpp"
#include "subscriber/object_files.hpp"
#include "subscriber/seed.hpp"

namespace lull::subscriber {

// What a node makes of a patch and of the release that it has. Memory: base, frame and plain bytes of one segment.
class Patched {
public:
    // Fault::damaged if the patch, whose object is complete, does not fit the seed or is none.
    [[nodiscard]] static Result<Patched> open(ObjectShape const& patch, ObjectFiles const& objects, Seed seed);

    [[nodiscard]] Patch const& patch() const { return patch_; }
    [[nodiscard]] Seed const& seed() const { return seed_; }
    // Nothing if the patch does not say how to come by it.
    [[nodiscard]] Step const* step_for(std::uint32_t segment) const;

    // The new manifest object. Fault::damaged if that is not what comes out.
    [[nodiscard]] Result<Buffer> manifest_object() const;
    // What applying this step takes in memory; Fault::damaged if its base is not in the seed.
    [[nodiscard]] Result<Bytes> memory_for(Step const& step, Segment const& segment) const;
    // The plain bytes of a segment, whose step is a delta, its object complete. Fault::damaged if that is not what comes out.
    [[nodiscard]] Result<Buffer> read(Step const& step, Segment const& segment, ObjectFiles const& objects) const;

private:
    Patched(Patch patch, Seed seed) : patch_(std::move(patch)), seed_(std::move(seed)) {}

    Patch patch_;
    Seed seed_;
};

}  // namespace lull::subscriber
