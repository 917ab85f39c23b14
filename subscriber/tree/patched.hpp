#pragma once

#include "schema/messages.hpp"
#include "subscriber/disk/object_files.hpp"
#include "subscriber/tree/installed_base.hpp"

namespace lull::subscriber {

// What a node makes of a patch and of the release that it has. Memory: base, frame and plain bytes of one segment.
class Patched {
public:
    // Fault::damaged if the patch, whose object is complete, does not fit the base or is none.
    [[nodiscard]] static Result<Patched> open(ObjectShape const& patch, ObjectFiles const& objects, InstalledBase base);

    [[nodiscard]] Patch const& patch() const { return patch_; }
    [[nodiscard]] InstalledBase const& base() const { return base_; }
    // Nothing if the patch does not say how to come by it.
    [[nodiscard]] Step const* step_for(std::uint32_t segment) const;

    // The new manifest object. Fault::damaged if that is not what comes out.
    [[nodiscard]] Result<Buffer> manifest_object() const;
    // What applying this step takes in memory; Fault::damaged if its base is not in the base.
    [[nodiscard]] Result<Bytes> memory_for(Step const& step, Segment const& segment) const;
    // The plain bytes of a segment, whose step is a delta, its object complete. Fault::damaged if that is not what
    // comes out.
    [[nodiscard]] Result<Buffer> read(Step const& step, Segment const& segment, ObjectFiles const& objects) const;

private:
    Patched(Patch patch, InstalledBase base) : patch_(std::move(patch)), base_(std::move(base)) {}

    Patch patch_;
    InstalledBase base_;
};

}  // namespace lull::subscriber
