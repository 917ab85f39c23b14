#pragma once

#include <set>
#include <variant>
#include <vector>

#include "core/log.hpp"
#include "store/environment.hpp"
#include "subscriber/events.hpp"

// What the agent's decision code wants done. The shell performs actions in their order.

namespace lull::subscriber {

// Make a fresh connection to the exchange; tells ExchangeReady or ExchangeLost.
struct OpenExchange {};
struct CloseExchange {};

// Over the exchange.
struct Send {
    Message message;
};

// Make durable, then tell (BatchDone). Batches become durable in this order.
struct Persist {
    Ticket ticket = 0;
    store::Batch batch;
};

// Write the payload of the DATA that this answers. Afterwards: nothing; or fsync and tell ObjectSynced; or, after
// the last frame, fsync, check the whole object and tell ObjectFinished.
struct StoreFrame {
    enum class Then { nothing, sync, finish };
    ObjectShape shape;
    Bytes offset{};
    Then then = Then::nothing;
};

// Delete these files of incoming/.
struct DropObjects {
    std::vector<Digest> objects;
};

// What a release is made of: the complete objects in incoming/, of which one may be a patch, and the installed release.
struct Materials {
    ReleaseId release;
    Digest manifest;
    std::optional<ReleaseId> seed;
    std::map<Digest, ObjectShape> objects;
    std::optional<Digest> patch{};  // from the seed; gives the manifest
};

// Open the manifest, compare with the installed release, check that there is room; tell PlanMade.
struct MakePlan {
    Materials materials;
    std::set<Digest> useless{};  // deltas that are not to be had
};

// Build the tree; tell StageEnded.
struct StageRelease {
    Materials materials;
};

// Find out whether this version is in use; tell UseFound.
struct ProbeUse {
    ReleaseId active;
};

// Wait, without polling, until it may no longer be in use; tell UseMayHaveEnded. Replaces an earlier watch of this
// software.
struct WatchUse {
    ReleaseId active;
    std::vector<Holder> holders;
};

// End the watch, and the lock that a probe left.
struct LetGo {
    SoftwareName software;
};

// Tell these holders on their terminals; tell HoldersTold.
struct TellHolders {
    ReleaseId active;
    ReleaseId ready;
    std::vector<Holder> holders;
};

// Ask these to end, end them after the grace, and stop these services; tell UseEnded. What `lull-node run --supervise` had started
// starts again at StartUse.
struct EndUse {
    ReleaseId active;
    std::vector<Holder> holders;
    Duration grace{};
    std::vector<std::string> units;
};

// Start again what EndUse has ended; tell UseStarted.
struct StartUse {
    SoftwareName software;
    std::vector<std::string> units;
};

// Run the health check of this release, as often as it may try; tell HealthFound.
struct CheckHealth {
    ReleaseId release;
    HealthCheck check;
};

// Run this hook of the release; tell HookEnded.
struct RunHook {
    ReleaseId release;
    Hook hook;
};

// Point `current` to this release; tell SwitchEnded. Ends watch and lock.
struct SwitchCurrent {
    ReleaseId release;
};

// Delete versions that are none of these and that nobody uses.
struct RemoveVersions {
    SoftwareName software;
    std::vector<ReleaseId> keep;
};

// Point `current` back to the active release: a scan has found that it points elsewhere. Tells nothing; the next scan looks again.
struct PointBack {
    ReleaseId release;
};

// Look at these trees, and put right what differs from their manifests with bytes that are here; tell TreesScanned, also whether
// `current` points to something else than `active`. Gives way to everything else that is to be done with trees.
struct ScanTrees {
    SoftwareName software;
    std::optional<ReleaseId> active;
    std::vector<ReleaseId> releases;
    std::map<Digest, ObjectShape> objects;  // complete in incoming/
    bool read_all = false;                  // else files that look as they did when they were read last are not read
};

// Let people see what the broker said of our bytes: its queue, or the rate and why it is no higher. Until CloseExchange.
struct ShowFlow {
    std::string text;
};

struct Say {
    LogLevel level = LogLevel::info;
    std::string text;
};

using Action = std::variant<OpenExchange, CloseExchange, Send, Persist, StoreFrame, DropObjects, MakePlan, StageRelease, ProbeUse,
                            WatchUse, LetGo, TellHolders, EndUse, StartUse, CheckHealth, RunHook,
                            SwitchCurrent, RemoveVersions, PointBack, ScanTrees, ShowFlow, Say>;
using Actions = std::vector<Action>;

}  // namespace lull::subscriber
