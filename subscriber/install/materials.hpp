#pragma once

#include "subscriber/disk/object_files.hpp"
#include "subscriber/model/actions.hpp"
#include "subscriber/tree/patched.hpp"

namespace lull::subscriber {

// All that a release is made of, checked: its manifest, from incoming/, from the installed release or by the patch, and
// the installed release, if that can be used.
struct OpenedMaterials {
    Buffer envelope;
    Manifest manifest;
    std::optional<Patched> patched;
    std::optional<InstalledBase> unpatched;

    [[nodiscard]] InstalledBase const* base() const {
        return patched ? &patched->base() : unpatched ? &*unpatched : nullptr;
    }
    // What its tree takes on the disk, about.
    [[nodiscard]] Bytes tree_size() const;
};

// Fault::damaged if the manifest, or the patch that gives it, is not to be had from these objects or is not what its
// digest and signature say. An installed release that cannot be used is no failure: then everything is fetched.
[[nodiscard]] Result<OpenedMaterials> open_materials(Layout const& layout, Materials const& materials,
                                                     TrustedKeys const& trusted);

}  // namespace lull::subscriber
