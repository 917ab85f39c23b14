#include "subscriber/install/materials.hpp"

#include "schema/limits.hpp"
#include "store/compression.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes block = KiB(4);  // of the disk, for each path

Result<Buffer> read_manifest(Materials const& materials, ObjectFiles const& files) {
    auto const& digest = materials.manifest;
    auto const shape = materials.objects.find(digest);
    if (shape == materials.objects.end()) return fail(Fault::damaged, "the manifest {} is not here", digest.hex());
    auto const stored = files.read(digest, limits::stored_object);
    if (!stored) return fail(Fault::damaged, "the manifest is damaged: {}", stored.error().message);
    return store::unpack_object(shape->second, *stored, limits::envelope);
}

Result<Patched> open_patch(Materials const& materials, ObjectFiles const& files, Result<InstalledBase> base) {
    if (!base) return fail(Fault::damaged, "the patch cannot be used: {}", base.error().message);
    auto const shape = materials.objects.find(*materials.patch);
    if (shape == materials.objects.end())
        return fail(Fault::damaged, "the patch {} is not here", materials.patch->hex());
    return Patched::open(shape->second, files, std::move(*base));
}

Result<Buffer> envelope_of(OpenedMaterials const& opened, Materials const& materials, ObjectFiles const& files) {
    if (opened.patched) return opened.patched->manifest_object();
    bool const same = opened.unpatched && sha256(opened.unpatched->manifest_object()) == materials.manifest;
    if (same) return to_buffer(opened.unpatched->manifest_object());
    return read_manifest(materials, files);
}

}  // namespace

Bytes OpenedMaterials::tree_size() const {
    return manifest.content_size() + Bytes(block.count() * manifest.entries.size());
}

Result<OpenedMaterials> open_materials(Layout const& layout, Materials const& materials, TrustedKeys const& trusted) {
    ObjectFiles const files(layout.incoming());
    OpenedMaterials opened;
    auto base = materials.seed ? InstalledBase::open(layout, *materials.seed)
                               : Result<InstalledBase>(fail(Fault::not_found, "nothing is installed"));
    if (materials.patch) {
        auto patched = open_patch(materials, files, std::move(base));
        if (!patched) return pass(patched.error());
        opened.patched = std::move(*patched);
    } else if (base) {
        opened.unpatched = std::move(*base);
    }
    auto envelope = envelope_of(opened, materials, files);
    if (!envelope) return pass(envelope.error());
    auto manifest = open_manifest(*envelope, materials.manifest, trusted);
    if (!manifest) return pass(manifest.error());
    opened.envelope = std::move(*envelope);
    opened.manifest = std::move(*manifest);
    return opened;
}

}  // namespace lull::subscriber
