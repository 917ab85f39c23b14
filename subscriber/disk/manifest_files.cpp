#include "subscriber/disk/manifest_files.hpp"

namespace lull::subscriber {

namespace {

Result<Manifest> belonging_to(ReleaseId const& release, Result<Manifest> manifest, fs::path const& path) {
    if (!manifest) {
        return fail(manifest.error().fault, "cannot use {}: {}", path.string(), manifest.error().message);
    }
    if (!belongs_to(*manifest, release.software, release.version)) {
        return fail(Fault::damaged, "cannot use {}: it is the manifest of {} {}", path.string(),
                    manifest->software.text(), manifest->version.text());
    }
    return manifest;
}

Result<Manifest> decode_unsigned(View bytes) {
    auto const envelope = decode<Envelope>(bytes, limits::envelope);
    if (!envelope) return pass(envelope.error());
    return decode_manifest(envelope->payload);
}

}  // namespace

Result<Manifest> load_manifest(Layout const& layout, ReleaseId const& release) {
    auto const path = layout.manifest(release);
    auto const bytes = read_file(path, limits::envelope);
    if (!bytes) return pass(bytes.error());
    return belonging_to(release, decode_unsigned(*bytes), path);
}

Result<Manifest> load_manifest(Layout const& layout, ReleaseId const& release, TrustedKeys const& trusted) {
    auto const path = layout.manifest(release);
    auto const bytes = read_file(path, limits::envelope);
    if (!bytes) return pass(bytes.error());
    return belonging_to(release, open_manifest(*bytes, sha256(*bytes), trusted), path);
}

Result<Buffer> load_manifest_object(Layout const& layout, ReleaseId const& release) {
    return read_file(layout.manifest(release), limits::envelope);
}

Status save_manifest(Layout const& layout, ReleaseId const& release, View envelope) {
    return write_file_durably(layout.manifest(release), envelope, 0644);
}

}  // namespace lull::subscriber
