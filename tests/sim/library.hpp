#pragma once

#include <map>
#include <vector>

#include "broker/model/events.hpp"
#include "schema/patch.hpp"
#include "schema/update_info.hpp"
#include "subscriber/disk/layout.hpp"
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

// What becomes of a hook, whenever it runs. kills: it takes the daemon down with it.
enum class HookFate { works, fails, kills };

// Everything that is ever published: plain bytes by digest, manifests by digest. The bytes are real, so a digest that
// does not fit is found out.
class Library {
public:
    explicit Library(Random& random);

    // The next release of a software: most segments of the one before, some new ones.
    [[nodiscard]] MadeRelease make(SoftwareName const& software, std::size_t number, WallTime now);

    // A release that goes back to an older one: its contents, in the place of release `from`. None: that was done
    // before.
    [[nodiscard]] std::optional<MadeRelease> make_back(SoftwareName const& software, VersionName const& older, Seq from,
                                                       WallTime now);

    // A patch from one release to another, with a delta for most of what differs.
    [[nodiscard]] broker::MadePatch const& make_patch(broker::PatchId const& id, broker::Effort effort);
    // Deltas that are made from now on give other bytes than they should with this probability.
    void set_lies(double probability) { lies_ = probability; }
    // Releases that are made from now on say how they become live, most of them; this share of those with a health
    // check does not pass it.
    void set_broken(double share) { broken_share_ = share; }
    // Releases that are made from now on have rollouts and hooks, some of them.
    void set_staged(bool staged) { staged_ = staged; }
    // Releases that are made from now on list this program as callable.
    void set_callable(std::string program) { callable_ = std::move(program); }
    [[nodiscard]] static HookFate fate_of(Hook const& hook);
    [[nodiscard]] bool is_broken(ReleaseId const& release) const {
        return broken_.contains({release.software, release.version});
    }
    // Whether this object is a delta that gives this segment.
    [[nodiscard]] bool gives(Digest const& delta, Digest const& segment) const;

    [[nodiscard]] Buffer const& bytes(Digest const& object) const { return objects_.at(object); }
    [[nodiscard]] Manifest const* manifest(Digest const& digest) const;
    [[nodiscard]] Manifest const& manifest_of(SoftwareName const& software, VersionName const& version) const;
    [[nodiscard]] Digest const& digest_of(SoftwareName const& software, VersionName const& version) const {
        return by_version_.at({software, version});
    }
    [[nodiscard]] UpdateInfo const& info_of(ReleaseId const& release) const {
        return infos_.at({release.software, release.version});
    }
    [[nodiscard]] Ed25519Public public_key() const { return key_.public_key(); }

    // The largest release of each software so far, and what the largest of all takes while it is fetched and staged.
    [[nodiscard]] Bytes tight_room() const;

private:
    Digest keep(Buffer bytes);
    [[nodiscard]] MadeRelease publish(UpdateInfo info, Digest const& manifest);
    void make_activation(UpdateInfo& info);
    void make_rollout(UpdateInfo& info);
    void make_hooks(UpdateInfo& info);
    Buffer random_bytes(std::size_t size);

    Random& random_;
    SigningKey key_;
    std::map<Digest, Buffer> objects_;
    std::map<Digest, Manifest> manifests_;
    std::map<std::pair<SoftwareName, VersionName>, Digest> by_version_;
    std::map<std::pair<SoftwareName, VersionName>, UpdateInfo> infos_;
    std::map<SoftwareName, std::vector<Digest>> newest_;  // segments
    std::map<std::pair<broker::PatchId, broker::Effort>, broker::MadePatch> patches_;
    std::set<std::pair<Digest, Digest>> deltas_;  // of those that are right: delta, segment
    double lies_ = 0;
    std::optional<double> broken_share_;
    bool staged_ = false;
    std::string callable_;
    std::set<std::pair<SoftwareName, VersionName>> broken_;
};

}  // namespace lull::sim
