#pragma once

#include <variant>
#include <vector>

#include "schema/manifest.hpp"
#include "schema/messages.hpp"
#include "subscriber/holds.hpp"
#include "subscriber/layout.hpp"

// What the agent's decision code is told. The shell (daemon.hpp) makes these from sockets, workers and the writer.

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

// A message on the exchange, and when it came. The payload of DATA stays with the shell until the agent says what to do with it.
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

// The object is durable in full and its plain bytes are what the digest says; or it is damaged.
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
};

struct PlanMade {
    ReleaseId release;
    Result<Plan> plan;
};

// What came of staging. After a failure these must be fetched again, or for the first time, because the installed release could not give
// them. The manifest may be one of them, without its size.
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

// Somebody stopped using it: worth another look.
struct UseMayHaveEnded {
    SoftwareName software;
};

// The same holders, with the time at which each was told.
struct HoldersTold {
    SoftwareName software;
    std::vector<Holder> holders;
};

// What became of those who were to end: "pid 4242 (kiosk) ended after 1.2 s".
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

// What a look at one tree has found, and what became of it.
struct TreeFindings {
    ReleaseId release;
    std::uint64_t mended = 0;
    std::uint64_t left = 0;         // paths that still differ
    std::string example;            // "bin/app: contents differ"
    std::vector<Segment> lacking;   // what would be needed and is not here
    Status status;                  // Fault::not_found or damaged: there is no tree or no manifest to hold it against; others: try again
};

struct TreesScanned {
    SoftwareName software;
    bool read_all = false;
    bool interrupted = false;  // something else was to be done: nothing below is complete
    std::optional<ReleaseId> astray{};  // the release that should be current, is whole, and is not
    std::vector<TreeFindings> trees;
};

// Time has passed: the time that Agent::wake() asked for, or later.
struct Tick {};

using Event = std::variant<AnnouncementHeard, ExchangeReady, ExchangeLost, MessageHeard, BatchDone, ObjectSynced, ObjectFinished,
                           ObjectUnwritten, PlanMade, StageEnded, UseFound, UseMayHaveEnded, HoldersTold, UseEnded, UseStarted, HealthFound,
                           HookEnded, HoldsRead, SwitchEnded, TreesScanned, Tick>;

}  // namespace lull::subscriber
