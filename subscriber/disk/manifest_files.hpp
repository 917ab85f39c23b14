#pragma once

#include "schema/manifest.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// The manifest of a release from releases/, decoded and validated, and for this software and version. Who signed it
// is not asked.
[[nodiscard]] Result<Manifest> load_manifest(Layout const& layout, ReleaseId const& release);
// The same, and signed by a trusted key.
[[nodiscard]] Result<Manifest> load_manifest(Layout const& layout, ReleaseId const& release,
                                             TrustedKeys const& trusted);

// The same as it was signed: an encoded envelope, not looked into.
[[nodiscard]] Result<Buffer> load_manifest_object(Layout const& layout, ReleaseId const& release);

// Writes an encoded envelope to releases/, durably, where ordinary users can read it.
[[nodiscard]] Status save_manifest(Layout const& layout, ReleaseId const& release, View envelope);

}  // namespace lull::subscriber
