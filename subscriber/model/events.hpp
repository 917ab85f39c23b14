#pragma once

#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "schema/manifest.hpp"
#include "schema/messages.hpp"
#include "subscriber/model/hold.hpp"
#include "subscriber/model/release_id.hpp"

// What happens to the agent's decision code. The shell (daemon.hpp) makes these from sockets, workers and the writer.

namespace lull::subscriber {

using Ticket = std::uint64_t;

// UPDATE or HEAD on the announce socket.
struct AnnouncementHeard {
    Message message;
};

// The exchange is connected and the handshake is done.
struct ExchangeReady {};

struct ExchangeLost {
    std::string why;
};

// A message on the exchange, and when it came. The payload of DATA stays with the shell until the agent decides about
// it.
struct MessageHeard {
    Message message;
    Bytes payload{};
    TimePoint came{};
};

struct BatchDone {
    Ticket ticket = 0;
    Status status;
};

// Stored bytes up to `upto` of an object are durable in incoming/.
struct ObjectSynced {
    Digest object;
    Bytes upto{};
};

// The object is durable in full and its plain bytes match the digest; or it is damaged.
struct ObjectFinished {
    Digest object;
    Status status;
};

// A frame could not be written: disk full, or worse.
struct ObjectUnwritten {
    Digest object;
    Error error;
};

// What must be fetched for a release, given what is installed: segments, or deltas that give them.
struct Plan {
    std::vector<Segment> objects;
    std::optional<Bytes> to_fetch{};  // as they cross the wire, if that is known
    Bytes tree_size{};                // what the tree takes on the disk, about
    std::optional<Error> no_room{};   // there is too little room for objects and tree
    Bytes lacking{};                  // then: so much
};

struct PlanMade {
    ReleaseId release;
    Result<Plan> plan;
};

// What came of staging. After a failure these must be fetched again, or for the first time, because the installed
// release could not give them. The manifest may be one of them, without its size.
struct StageEnded {
    ReleaseId release;
    Status status;
    std::vector<Segment> refetch;
};

enum class UseAnswer { free, in_use, unknown };

// Whether the active version is in use. If it is free the shell keeps it locked until SwitchCurrent or LetGo.
struct UseFound {
    SoftwareName software;
    UseAnswer answer = UseAnswer::unknown;
    std::vector<Holder> holders;
    std::string why;
};

// A user of the version may have ended: a reason for another probe.
struct UseMayHaveEnded {
    SoftwareName software;
};

// The same holders, with the time at which each was notified.
struct HoldersTold {
    SoftwareName software;
    std::vector<Holder> holders;
};

// What became of the users that were to end: "pid 4242 (kiosk) ended after 1.2 s".
struct UseEnded {
    SoftwareName software;
    std::string what;
};

struct UseStarted {
    SoftwareName software;
    Status status;
};

// Whether the release works, by its own health check.
struct HealthFound {
    ReleaseId release;
    Status status;
};

// Whether the hook did what it should.
struct HookEnded {
    ReleaseId release;
    Status status;
};

// All holds that are set on this node.
struct HoldsRead {
    Holds holds;
};

struct SwitchEnded {
    ReleaseId release;
    Status status;
};

// The versions of a software that are there after MakeRoom; an error if nothing is known about them.
struct RoomMade {
    SoftwareName software;
    Result<std::vector<ReleaseId>> there;
    bool hopeless = false;  // nothing was deleted, because all together would not be enough
};

// What a scan of one tree has found, and what became of it.
struct TreeFindings {
    ReleaseId release;
    std::uint64_t repaired = 0;
    std::uint64_t left = 0;        // paths that still differ
    std::string example;           // "bin/app: contents differ"
    std::vector<Segment> lacking;  // what would be needed and is not here
    Status
        status;  // Fault::not_found or damaged: there is no tree or no manifest to hold it against; others: try again
    std::vector<std::string> moved{};  // to lost+found, as they are no part of the release; they count as repaired
    std::vector<std::string> kept{};   // the same, but they stay, each with the reason; they count as nothing
};

struct TreesScanned {
    SoftwareName software;
    bool read_all = false;
    bool interrupted = false;                     // something else was to be done: nothing below is complete
    std::optional<ReleaseId> current_mismatch{};  // the release that should be current, is whole, and is not
    std::vector<TreeFindings> trees;
    std::vector<std::string> deleted{};  // from lost+found, by age or size
};

// ---- what the executor has done (actions.hpp, CallAction) ----

struct CallTreePlanned {
    ReleaseId release;
    Result<Plan> plan;
};

// The tree stands complete and as signed; or, as in StageEnded, it does not.
struct CallTreeReady {
    ReleaseId release;
    Status status;
    std::vector<Segment> refetch{};
};

struct CallTreeRemoved {
    ReleaseId release;
    Status status;
};

// The program has begun; or it could not, and never will.
struct CallBegan {
    CallId id{};
    Status status;
};

// The program has written so much. The shell keeps the bytes until the executor decides about them.
struct CallWrote {
    CallId id{};
    CallStream stream = CallStream::out;
    Bytes size{};
};

// The program has taken so much of its input, or never will.
struct CallRead {
    CallId id{};
    Bytes size{};
};

// The program and everything that it started is gone, and so is the last of its output.
struct CallRunEnded {
    enum class How { exited, not_started, timed_out, too_much_output, stopped, killed };
    CallId id{};
    How how = How::exited;
    std::uint64_t status = 0;  // exited: exit status
    Duration took{};
    Duration processor_time{};
};

using CallEvent =
    std::variant<CallTreePlanned, CallTreeReady, CallTreeRemoved, CallBegan, CallWrote, CallRead, CallRunEnded>;

// For the executor.
struct CallHappened {
    CallEvent event;
};

// Time has passed: the time that Agent::wake() asked for, or later.
struct Tick {};

using Event =
    std::variant<AnnouncementHeard, ExchangeReady, ExchangeLost, MessageHeard, BatchDone, ObjectSynced, ObjectFinished,
                 ObjectUnwritten, PlanMade, StageEnded, UseFound, UseMayHaveEnded, HoldersTold, UseEnded, UseStarted,
                 HealthFound, HookEnded, HoldsRead, SwitchEnded, RoomMade, TreesScanned, CallHappened, Tick>;

}  // namespace lull::subscriber
