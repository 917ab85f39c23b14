#pragma once

#include <functional>

#include "core/workers.hpp"
#include "subscriber/actions.hpp"
#include "subscriber/object_files.hpp"
#include "subscriber/tree_access.hpp"

namespace lull::subscriber {

struct InstallerSettings {
    TrustedKeys trusted;
    Bytes reserve = MiB(16);  // of the disk, so that a failure can still be recorded
};

// The slow work of a release on a thread of its own: plan, tree, switch, removal. One thing at a time.
class Installer {
public:
    // `tell` runs on the loop with PlanMade, StageEnded or SwitchEnded. `access` outlives it.
    using Tell = std::function<void(Event)>;
    Installer(EventLoop& loop, Layout const& layout, InstallerSettings settings, TreeAccess& access, Tell tell);

    void plan(MakePlan const& order);
    void stage(StageRelease const& order);
    void switch_to(SwitchCurrent const& order, std::function<void()> afterwards);
    void point_back(PointBack const& order, Log& log);
    void remove(RemoveVersions const& order, Log& log);

private:
    // The manifest object from incoming/, checked against digest and keys.
    struct OpenedManifest {
        Buffer envelope;
        Manifest manifest;
    };
    [[nodiscard]] Result<OpenedManifest> open(Digest const& digest, std::map<Digest, ObjectShape> const& objects) const;
    [[nodiscard]] Result<Plan> make_plan(MakePlan const& order) const;
    [[nodiscard]] StageEnded make_tree(StageRelease const& order) const;
    [[nodiscard]] Status make_current(ReleaseId const& release) const;

    Layout layout_;
    InstallerSettings settings_;
    TreeAccess& access_;
    Tell tell_;
    Workers worker_;
};

}  // namespace lull::subscriber
