#pragma once

#include <map>
#include <vector>

#include "schema/manifest.hpp"
#include "schema/update_info.hpp"
#include "tests/sim/world.hpp"

namespace lull::sim {

// A release that a publisher makes.
struct MadeRelease {
    UpdateInfo info;
    Envelope update;
    Digest manifest;
    std::vector<Digest> segments;
};

// Everything that is ever published: plain bytes by digest, manifests by digest. The bytes are real, so a digest that does not fit
// is found out.
class Library {
public:
    explicit Library(Random& random);

    // The next release of a software: most segments of the one before, some new ones.
    [[nodiscard]] MadeRelease make(SoftwareName const& software, std::size_t number, WallTime now);

    [[nodiscard]] Buffer const& bytes(Digest const& object) const { return objects_.at(object); }
    [[nodiscard]] Manifest const* manifest(Digest const& digest) const;
    [[nodiscard]] Manifest const& manifest_of(SoftwareName const& software, VersionName const& version) const;
    [[nodiscard]] Ed25519Public public_key() const { return key_.public_key(); }

private:
    Digest keep(Buffer bytes);
    Buffer random_bytes(std::size_t size);

    Random& random_;
    SigningKey key_;
    std::map<Digest, Buffer> objects_;
    std::map<Digest, Manifest> manifests_;
    std::map<std::pair<SoftwareName, VersionName>, Digest> by_version_;
    std::map<SoftwareName, std::vector<Digest>> newest_;  // segments
};

}  // namespace lull::sim
