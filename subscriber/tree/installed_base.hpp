#pragma once

#include "schema/patch.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// An installed release whose files save a download. Nothing of it is trusted: its files may have been changed, so
// whatever is made of them is checked against the manifest of the release that is to be installed.
class InstalledBase {
public:
    // Fault::not_found or damaged if its manifest or its tree cannot be used.
    [[nodiscard]] static Result<InstalledBase> open(Layout const& layout, ReleaseId const& release);

    [[nodiscard]] Manifest const& manifest() const { return manifest_; }
    // As it was signed.
    [[nodiscard]] View manifest_object() const { return object_; }

    // A file for reading, if it is there, and has the size that the manifest says.
    [[nodiscard]] std::optional<FileDescriptor> open(Entry const& entry) const;
    // Parts of files, one behind the other. Fault::damaged if one of them is not there.
    [[nodiscard]] Result<Buffer> read(std::vector<BaseRange> const& ranges) const;

private:
    InstalledBase(Manifest manifest, Buffer object, FileDescriptor tree)
        : manifest_(std::move(manifest)),
          object_(std::move(object)),
          tree_(std::move(tree)) {}

    Manifest manifest_;
    Buffer object_;
    FileDescriptor tree_;
};

}  // namespace lull::subscriber
