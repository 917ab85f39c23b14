#pragma once

#include <map>
#include <vector>

#include "broker/events.hpp"
#include "schema/patch.hpp"
#include "schema/update_info.hpp"
#include "subscriber/layout.hpp"
#include "tests/sim/world.hpp"

namespace lull::sim {

using subscriber::ReleaseId;

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

    // A patch from one release to another, with a delta for most of what differs.
    [[nodiscard]] broker::MadePatch const& make_patch(broker::PatchId const& id, broker::Effort effort);
    // Deltas that are made from now on give other bytes than they should with this probability.
    void set_lies(double probability) { lies_ = probability; }
    // Releases that are made from now on say how they become live, most of them; this share of those with a health check does not pass it.
    void set_broken(double share) { broken_share_ = share; }
    [[nodiscard]] bool is_broken(ReleaseId const& release) const { return broken_.contains({release.software, release.version}); }
    // Whether this object is a delta that gives this segment.
    [[nodiscard]] bool gives(Digest const& delta, Digest const& segment) const;

    [[nodiscard]] Buffer const& bytes(Digest const& object) const { return objects_.at(object); }
    [[nodiscard]] Manifest const* manifest(Digest const& digest) const;
    [[nodiscard]] Manifest const& manifest_of(SoftwareName const& software, VersionName const& version) const;
    [[nodiscard]] Digest const& digest_of(SoftwareName const& software, VersionName const& version) const {
        return by_version_.at({software, version});
    }
    [[nodiscard]] Ed25519Public public_key() const { return key_.public_key(); }

private:
    Digest keep(Buffer bytes);
    void make_activation(UpdateInfo& info);
    Buffer random_bytes(std::size_t size);

    Random& random_;
    SigningKey key_;
    std::map<Digest, Buffer> objects_;
    std::map<Digest, Manifest> manifests_;
    std::map<std::pair<SoftwareName, VersionName>, Digest> by_version_;
    std::map<SoftwareName, std::vector<Digest>> newest_;  // segments
    std::map<std::pair<broker::PatchId, broker::Effort>, broker::MadePatch> patches_;
    std::set<std::pair<Digest, Digest>> deltas_;          // of those that are right: delta, segment
    double lies_ = 0;
    std::optional<double> broken_share_;
    std::set<std::pair<SoftwareName, VersionName>> broken_;
};

}  // namespace lull::sim
