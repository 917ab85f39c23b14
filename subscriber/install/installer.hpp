#pragma once

#include <functional>
#include <map>

#include "subscriber/disk/tree_access.hpp"
#include "subscriber/install/install_jobs.hpp"
#include "subscriber/install/materials.hpp"
#include "subscriber/install/memory_budget.hpp"

namespace lull::subscriber {

struct InstallerSettings {
    TrustedKeys trusted;
    Bytes reserve = MiB(16);  // of the disk, so that a failure can still be recorded
    Bytes memory = MiB(64);   // of this process, when it applies a delta
};

// The slow work of releases on threads of its own: plan, tree, switch, removal. Different software side by side.
class Installer {
public:
    // `tell` runs on the loop with PlanMade, StageEnded, SwitchEnded or RoomMade. `access` outlives it.
    using Tell = std::function<void(Event)>;
    Installer(EventLoop& loop, Layout const& layout, InstallerSettings settings, TreeAccess& access, Tell tell);

    void plan(MakePlan const& order);
    void stage(StageRelease const& order);
    void switch_to(SwitchCurrent const& order, std::function<void()> afterwards);
    void point_back(PointBack const& order, Log& log);
    void remove(RemoveVersions const& order, Log& log);
    void make_room(MakeRoom const& order);
    // Deletes what a crash has left beside the versions of all software.
    void clear_leftovers(Log& log);

    // Job::plan or Job::staging: it ends soon, with Fault::cancelled unless it is just done.
    void cancel(SoftwareName const& software, Job job);
    // Asks all work to stop, because the process ends.
    void stop();

private:
    // What a plan has opened, for the staging that usually follows at once: decoded and verified a single time.
    struct Kept {
        Materials materials;
        std::shared_ptr<OpenedMaterials> opened;
        Bytes tree_size{};
        std::optional<EventLoop::TimerId> until;

        // All but the size.
        std::shared_ptr<OpenedMaterials> forget() {
            until.reset();
            return std::exchange(opened, nullptr);
        }
    };
    struct Planned {
        Result<Plan> plan;
        std::shared_ptr<OpenedMaterials> opened;
    };
    [[nodiscard]] Planned make_plan(MakePlan const& order, std::stop_token const& stop) const;
    [[nodiscard]] StageEnded make_tree(Materials const& materials, std::shared_ptr<OpenedMaterials> opened,
                                       std::stop_token const& stop);
    [[nodiscard]] Status make_current(ReleaseId const& release, std::optional<Digest> const& verified,
                                      std::stop_token const& stop);
    void keep(Materials const& materials, std::shared_ptr<OpenedMaterials> opened);
    [[nodiscard]] std::shared_ptr<OpenedMaterials> take_kept(Materials const& materials);
    void staged(StageEnded ended, Digest const& manifest);
    void remove_rest_of(ReleaseId const& release);

    EventLoop& loop_;
    Layout layout_;
    InstallerSettings settings_;
    TreeAccess& access_;
    Tell tell_;
    MemoryBudget memory_;
    std::map<SoftwareName, Kept> kept_;
    std::map<ReleaseId, Digest> verified_;  // manifests that this process has checked, of staged releases
    InstallJobs jobs_;
};

}  // namespace lull::subscriber
