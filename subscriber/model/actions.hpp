#pragma once

#include <set>
#include <variant>
#include <vector>

#include "core/log.hpp"
#include "store/environment.hpp"
#include "subscriber/model/events.hpp"

// What the agent's decision code wants done. The shell performs actions in their order.

namespace lull::subscriber {

// Make a fresh connection to the exchange; its event is ExchangeReady or ExchangeLost.
struct OpenExchange {};
struct CloseExchange {};

// Over the exchange.
struct Send {
    Message message;
};

// Make durable; its event is BatchDone. Batches become durable in this order.
struct Persist {
    Ticket ticket = 0;
    store::Batch batch;
};

// Write the payload of the DATA that this answers. Afterwards: nothing; or fsync and ObjectSynced; or, after the
// last frame, fsync, a check of the whole object, and ObjectFinished.
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

// Open the manifest, compare with the installed release, check that there is room; then PlanMade. Small and urgent
// releases come first.
struct MakePlan {
    Materials materials;
    std::set<Digest> useless{};  // deltas that are not to be had
    Urgency urgency = Urgency::normal;
    Bytes size{};  // of the release's files in all
};

// Build the tree; its event is StageEnded. Small and urgent releases come first.
struct StageRelease {
    Materials materials;
    Urgency urgency = Urgency::normal;
    Bytes size{};  // of the release's files in all
};

// Find out whether this version is in use; its event is UseFound.
struct ProbeUse {
    ReleaseId active;
};

// Wait, without polling, until it may no longer be in use; then UseMayHaveEnded. Replaces an earlier watch of this
// software.
struct WatchUse {
    ReleaseId active;
    std::vector<Holder> holders;
};

// End the watch, and the lock that a probe left.
struct LetGo {
    SoftwareName software;
};

// Notify these holders on their terminals; its event is HoldersTold.
struct TellHolders {
    ReleaseId active;
    ReleaseId ready;
    std::vector<Holder> holders;
};

// Ask these to end, end them after the grace, and stop these services; then UseEnded. What `lull-node run --supervise`
// had started starts again at StartUse.
struct EndUse {
    ReleaseId active;
    std::vector<Holder> holders;
    Duration grace{};
    std::vector<std::string> units;
};

// Start again what EndUse has ended; its event is UseStarted.
struct StartUse {
    SoftwareName software;
    std::vector<std::string> units;
};

// Run the health check of this release, as often as it may try; its event is HealthFound.
struct CheckHealth {
    ReleaseId release;
    HealthCheck check;
};

// Run this hook of the release; its event is HookEnded. As the daemon: with the daemon's user, environment and working
// directory. Otherwise as a program of a release.
struct RunHook {
    ReleaseId release;
    Hook hook;
    bool as_daemon = false;
};

// Point `current` to this release; its event is SwitchEnded. Ends watch and lock.
struct SwitchCurrent {
    ReleaseId release;
};

// Delete versions that are none of these and that are not in use.
struct RemoveVersions {
    SoftwareName software;
    std::vector<ReleaseId> keep;
};

// Free room for a release that lacks it: delete `only`, or, without it, every version of the software that is not in
// `keep`. What is current or in use stays. Nothing is deleted where the trees of `candidates` together, also of other
// software, occupy less than `lacking`. Its event is RoomMade. It does not give way to other work.
struct MakeRoom {
    SoftwareName software;
    std::vector<ReleaseId> keep;
    std::optional<ReleaseId> only{};
    std::vector<ReleaseId> candidates{};
    Bytes lacking{};
};

// Point `current` back to the active release: a scan has found that it points elsewhere. It has no event; the next scan
// checks again.
struct PointBack {
    ReleaseId release;
};

// Scan these trees, and put right what differs from their manifests with bytes that are here; then TreesScanned,
// also whether `current` points to something else than `active`. Gives way to everything else that is to be done with
// trees.
struct ScanTrees {
    SoftwareName software;
    std::optional<ReleaseId> active;
    std::vector<ReleaseId> releases;
    std::map<Digest, ObjectShape> objects;  // complete in incoming/
    bool read_all = false;                  // else files that look as they did when they were read last are not read
};

// Let people see what the broker said of our bytes: its queue, or the rate and why it is no higher. Until
// CloseExchange.
struct ShowFlow {
    std::string text;
};

// Work that the shell does for the agent, for one software at a time. Its end is an event.
enum class Job { plan, staging, ending_use, starting_use, hook, health_check, scan };

// Stop this job as soon as possible. The event that ends the job comes as always, with Fault::cancelled where the job
// did not run to its end. A job that has ended meanwhile, or has not begun, needs no special case.
struct CancelJob {
    SoftwareName software;
    Job job = Job::plan;
};

// ---- what the executor wants done ----

// As MakePlan and StageRelease, for a tree among those of calls. Events: CallTreePlanned, CallTreeReady.
struct PlanCallTree {
    Materials materials;
};
struct StageCallTree {
    Materials materials;
};

// A tree of calls that an earlier process has left: does it stand as this manifest says, which has to be signed? Its
// event is CallTreeReady.
struct VerifyCallTree {
    ReleaseId release;
    Digest manifest;
};

// Its event is CallTreeRemoved.
struct RemoveCallTree {
    ReleaseId release;
};

// Begin; its event is CallBegan, and, if it began, CallRunEnded as the last one.
struct StartCall {
    CallId id{};
    unsigned slot = 0;
    ReleaseId release;
    std::string program;
    std::vector<Buffer> arguments;
    std::chrono::seconds time{};
    Bytes output{};
};

// Hand the payload of the CALL-DATA that this answers to the program.
struct FeedCall {
    CallId id{};
    enum class Then { more, end };
    Then then = Then::more;
};

// The next bytes of this output may be read: so many at most, and then no more before the next of these.
struct AllowOutput {
    CallId id{};
    CallStream stream = CallStream::out;
    Bytes most{};
};

// Send this over the exchange with the bytes that CallWrote told of.
struct SendOutput {
    CallData message;
};

// Kill it; then CallRunEnded.
struct StopCall {
    CallId id{};
};

using CallAction = std::variant<PlanCallTree, StageCallTree, VerifyCallTree, RemoveCallTree, StartCall, FeedCall,
                                AllowOutput, SendOutput, StopCall>;

struct DoForCall {
    CallAction action;
};

// Become this release of lull-node: stop in order, then execute its program in this process.
struct HandOver {
    ReleaseId release;
};

struct Say {
    LogLevel level = LogLevel::info;
    std::string text;
};

using Action =
    std::variant<OpenExchange, CloseExchange, Send, Persist, StoreFrame, DropObjects, MakePlan, StageRelease, ProbeUse,
                 WatchUse, LetGo, TellHolders, EndUse, StartUse, CheckHealth, RunHook, SwitchCurrent, RemoveVersions,
                 MakeRoom, PointBack, ScanTrees, ShowFlow, CancelJob, DoForCall, HandOver, Say>;
using Actions = std::vector<Action>;

}  // namespace lull::subscriber
