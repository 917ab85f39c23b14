#pragma once

#include <functional>

#include "core/workers.hpp"
#include "subscriber/actions.hpp"
#include "subscriber/object_files.hpp"
#include "subscriber/patched.hpp"
#include "subscriber/tree_access.hpp"

namespace lull::subscriber {

struct InstallerSettings {
    TrustedKeys trusted;
    Bytes reserve = MiB(16);  // of the disk, so that a failure can still be recorded
    Bytes memory = MiB(64);   // of this process, when it applies a delta
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
    // All that a release is made of, checked: its manifest, from incoming/ or by the patch, and the installed release, if that can be used.
    struct Opened {
        Buffer envelope;
        Manifest manifest;
        std::optional<Patched> patched;
        std::optional<Seed> unpatched;
        [[nodiscard]] Seed const* seed() const { return patched ? &patched->seed() : unpatched ? &*unpatched : nullptr; }
    };
    [[nodiscard]] Result<Opened> open(Materials const& materials) const;
    [[nodiscard]] static Result<Buffer> read_manifest(Digest const& digest, Materials const& materials, ObjectFiles const& files);
    [[nodiscard]] Result<Plan> make_plan(MakePlan const& order) const;
    [[nodiscard]] Plan choose(Opened const& opened, std::set<Digest> const& useless) const;
    [[nodiscard]] bool is_worth_it(Patched const& patched, Step const& step, Segment const& segment) const;
    [[nodiscard]] StageEnded make_tree(Materials const& materials) const;
    [[nodiscard]] Status make_current(ReleaseId const& release) const;

    Layout layout_;
    InstallerSettings settings_;
    TreeAccess& access_;
    Tell tell_;
    Workers worker_;
};

}  // namespace lull::subscriber
