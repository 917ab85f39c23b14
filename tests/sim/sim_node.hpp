#pragma once

#include <deque>
#include <limits>
#include <memory>

#include "schema/patch.hpp"
#include "subscriber/agent/agent.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/users.hpp"

namespace lull::sim {

// Bugs of the shell that the checker must find.
enum class NodePlant {
    none,
    tells_batches_early,     // BatchDone before the batch is durable
    cursor_without_records,  // a batch is torn: the cursor gets through, the records do not
    claims_unsynced_bytes,   // ObjectSynced without fsync
    skips_verification,      // objects are called good without a look at them
    finds_nobody,            // the version is always free
    says_reports_once,       // REPORT is not repeated
    keeps_lock,              // LetGo is ignored
    forgets_directory_sync,  // SwitchEnded while the new `current` is not durable
    overlooks_drift,         // a scan finds nothing
    trusts_deltas,           // what a delta gives is not compared with the manifest
    ignores_holds,           // the agent is not told of them
    calls_all_healthy,       // health checks are not run
    leaves_users_ended,      // who was ended for a switch is not started again
    ignores_rollout,         // it hears that its turn has come whenever anybody's has
    runs_hooks_anyway,       // also those that its owner does not allow
    keeps_old_versions,      // where their room is needed
};

// What can go wrong on a node. Probabilities.
struct NodeFaults {
    double crash_at_action = 0;  // after any single action
    double damage = 0;           // of a written frame
    double use_unknown = 0;      // the look at who uses a version fails
    double journal_fails = 0;    // a batch cannot be written: the process ends
    double sync_fails = 0;       // an fsync fails: the process ends
    double write_fails = 0;      // a frame is written in part
    double work_fails = 0;       // a plan, a tree or a switch fails
    double hook_kills = 0;       // a hook that works otherwise takes the daemon with it
};

// The shell around an agent: disk, people, workers with random delays, and crashes.
class SimNode final : public Peer {
public:
    struct Surroundings {
        World& world;
        Network& network;
        Library const& library;
        Checker& checker;
        Coverage& coverage;
    };
    // `scan`: how often it looks at its trees.
    SimNode(Surroundings const& around, std::size_t number, Duration scan);

    [[nodiscard]] std::string const& name() const { return name_; }
    [[nodiscard]] NodeDisk& disk() { return disk_; }
    [[nodiscard]] Users& users() { return users_; }
    [[nodiscard]] bool up() const { return agent_ != nullptr; }
    [[nodiscard]] std::uint64_t sent(MessageType type) const;
    void set(NodeFaults const& faults);
    void plant(NodePlant plant) { plant_ = plant; }
    // The disk has room for the active versions, and for one more release that is fetched and staged.
    void set_small_disk() { small_disk_ = true; }

    // The wall clock is wrong by this much from now on.
    void set_clock(std::chrono::seconds shift);
    // Somebody changes a file of a tree, takes a whole tree, or points `current` elsewhere.
    void meddle();

    // Somebody holds all software of the node, or no longer does.
    void set_hold(bool held);

    void start();
    enum class End { killed, power_cut };
    void stop(End end);
    // As a snapshot of a virtual machine or the image of an SD card: the node is stopped, and has the disk of its copy.
    void copy();
    void put_back();
    // It joins with another key, on the disk that it has.
    void rejoin(PeerKey const& key);
    // It is off for good.
    void retire();

    [[nodiscard]] PeerKey key() const override { return key_; }
    void connected(ConnectionId connection) override;
    void disconnected(ConnectionId connection) override;
    void heard(ConnectionId connection, Message const& message, Buffer const& payload) override;
    void announced(Message const& message) override;
    [[nodiscard]] bool subscribes(Message const& message) const override;

private:
    struct Arrived {
        subscriber::Event event;
        Buffer payload;
    };

    void later(Duration delay, std::function<void()> what);
    void raise(subscriber::Event event, Buffer payload = {});
    void perform_all(subscriber::Actions& actions, Buffer const& payload);
    void arm();
    void send(Message const& message);
    [[nodiscard]] Message understood(Message message) const;
    void crash_now();
    [[nodiscard]] Moment moment() const;
    [[nodiscard]] bool fails(double probability) { return world_.random().chance(probability); }
    [[nodiscard]] std::map<SoftwareName, RolloutStatus> standings() const;
    void cover(std::map<SoftwareName, RolloutStatus> const& before, subscriber::Event const& event);

    // A job that takes a while ends as it should, or cancelled.
    enum class JobEnd { done, cancelled };
    using EndOfJob = std::function<void(JobEnd)>;

    void perform(subscriber::OpenExchange const& action);
    void perform(subscriber::CloseExchange const& action);
    void perform(subscriber::Send const& action) { send(action.message); }
    void perform(subscriber::Persist& action);
    void perform(subscriber::StoreFrame const& action);
    void perform(subscriber::DropObjects const& action);
    void perform(subscriber::MakePlan const& action);
    void perform(subscriber::StageRelease const& action);
    void perform(subscriber::ProbeUse const& action);
    void perform(subscriber::WatchUse const& action);
    void perform(subscriber::LetGo const& action);
    void perform(subscriber::TellHolders const& action);
    void perform(subscriber::EndUse const& action);
    void perform(subscriber::StartUse const& action);
    void perform(subscriber::CheckHealth const& action);
    void perform(subscriber::RunHook const& action);
    void perform(subscriber::HandOver const&) {}
    void perform(subscriber::SwitchCurrent const& action);
    void perform(subscriber::RemoveVersions const& action);
    void perform(subscriber::MakeRoom const& action);
    void perform(subscriber::PointBack const& action);
    void perform(subscriber::ScanTrees const& action);
    void perform(subscriber::ShowFlow const&) {}
    void perform(subscriber::DoForCall const&) {}  // nodes of the simulation run no programs for others
    void perform(subscriber::CancelJob const& action);
    void perform(subscriber::Say const& action) { world_.trace("{}: {}", name_, action.text); }

    [[nodiscard]] Result<subscriber::Plan> plan(subscriber::MakePlan const& order) const;
    [[nodiscard]] Bytes used() const;
    [[nodiscard]] bool has_room(Bytes more) const;
    [[nodiscard]] Bytes tree_size(ReleaseId const& release) const;
    [[nodiscard]] bool has_manifest(subscriber::Materials const& order) const;
    [[nodiscard]] std::vector<Segment> lacking(subscriber::Materials const& order) const;
    [[nodiscard]] std::optional<Patch> open_patch(subscriber::Materials const& order) const;
    [[nodiscard]] bool gives(subscriber::Materials const& order, Patch const& patch, std::uint32_t segment) const;
    [[nodiscard]] std::set<Digest> intact_segments(std::optional<ReleaseId> const& seed) const;
    [[nodiscard]] std::set<Digest> segments_of(std::optional<ReleaseId> const& seed) const;
    [[nodiscard]] bool has_source(subscriber::ScanTrees const& order, Digest const& segment) const;
    [[nodiscard]] subscriber::TreeFindings look_at(subscriber::ScanTrees const& order, ReleaseId const& release);
    void end_frame(subscriber::StoreFrame const& frame, Bytes upto);
    void look(ReleaseId const& active);
    void check_switch(ReleaseId const& release, Policy policy) const;
    void end_hook(subscriber::RunHook const& order, JobEnd end);
    [[nodiscard]] subscriber::Holds known_holds() const {
        return plant_ == NodePlant::ignores_holds ? subscriber::Holds{} : holds_;
    }
    [[nodiscard]] bool is_on_trial(ReleaseId const& release) const;
    void begin(SoftwareName const& software, subscriber::Job job, Duration takes, EndOfJob end);
    void stage(subscriber::Materials const& order);
    void end_users(subscriber::EndUse const& order, JobEnd end);
    void scan(subscriber::ScanTrees const& order, JobEnd end);

    World& world_;
    Network& network_;
    Library const& library_;
    Checker& checker_;
    Coverage& coverage_;
    std::string name_;
    PeerKey key_;
    std::uint64_t seed_;
    Duration scan_;
    bool allows_hooks_;
    bool retired_ = false;
    std::chrono::seconds clock_shift_{};
    NodeFaults faults_;
    NodePlant plant_ = NodePlant::none;
    bool small_disk_ = false;
    NodeDisk disk_;
    struct Copy {
        NodeDisk disk;
        HookChecker::Proven proven;
    };
    std::optional<Copy> copy_;
    subscriber::Holds holds_;  // on the disk as well
    TimePoint held_since_{};
    Users users_;
    std::map<MessageType, std::uint64_t> sent_;
    std::set<std::pair<SoftwareName, std::uint64_t>> said_;

    // Lost in a crash.
    std::unique_ptr<subscriber::Agent> agent_;
    std::uint64_t life_ = 0;
    std::uint64_t timer_ = 0;
    ConnectionId connection_ = 0;
    Lane journal_;
    Lane writer_;
    Lane finisher_;
    Lane installer_;
    struct PendingJob {
        std::uint64_t number = 0;
        EndOfJob end;
    };
    std::map<std::pair<SoftwareName, subscriber::Job>, PendingJob> jobs_;
    std::uint64_t last_job_ = 0;
    std::map<Digest, Bytes> failed_at_;
    std::map<SoftwareName, std::uint64_t> watched_;  // the number of the watch
    std::uint64_t last_watch_ = 0;
    std::deque<Arrived> events_;
    Buffer payload_;
    bool deciding_ = false;
};

}  // namespace lull::sim
