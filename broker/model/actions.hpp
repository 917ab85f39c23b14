#pragma once

#include <variant>
#include <vector>

#include "broker/model/events.hpp"
#include "core/log.hpp"
#include "store/packs.hpp"

// What the broker's decision code wants done. The shell performs actions in their order.

namespace lull::broker {

struct Send {
    SessionId session = 0;
    Message message;
    Buffer payload{};  // CALL-DATA only
};

// Read these stored bytes, send them as one DATA frame, and say when it left (FrameLeft). Frames of a session keep
// their order.
struct SendFrame {
    SessionId session = 0;
    store::ObjectPlace place;
    Bytes offset{};
    Bytes length{};
};

// Send a PING of this number, and say when it left (FrameLeft): its PONG tells of the way.
struct SendProbe {
    SessionId session = 0;
    std::uint64_t number = 0;
};

// From now on the kernel sends no faster than this on the session's connection (SO_MAX_PACING_RATE, socket(7)).
struct SetPacing {
    SessionId session = 0;
    ByteRate rate;
};

// Forget the connection; further messages on it begin a new session.
struct CloseSession {
    SessionId session = 0;
};

// Close all connections of this key, on every port, when what was sent to it before has had time to leave. The
// authenticator does not admit the key any more.
struct CloseConnections {
    PeerKey peer;
};

// Emit on the announce socket.
struct Announce {
    Message message;
};

// From now on the first thing that a new subscriber gets.
struct SetWelcome {
    Head head;
};

// Make durable, then tell (BatchDone). Batches become durable in this order.
struct Persist {
    Ticket ticket = 0;
    store::Batch batch;
};

// Verify, append to a pack, make durable, then tell (ObjectKept).
struct KeepObject {
    SessionId session = 0;
    ObjectShape shape;
    Buffer stored;
};

// Read a manifest object and tell (ManifestOpened).
struct OpenManifest {
    SessionId session = 0;
    Digest manifest;
    TrustedKeys trusted;
};

// Find out which objects these manifests need, and tell (NeededListed).
struct ListNeeded {
    std::vector<Digest> manifests;
};

// Forget all objects but these, and those that came lately; from this action on they are not here. Then tell
// (OthersRemoved).
struct RemoveOthers {
    ObjectSet needed;
};

// Make a patch and all its deltas, and keep them; then tell (PatchMade). One of each effort at a time; gives way to
// everything else.
struct MakePatch {
    PatchId patch;
    Effort effort = Effort::quick;
};

// Read some objects again, set aside what is damaged, and pack what was packed quickly; then tell (Scrubbed). All once
// in `interval`.
struct ScrubObjects {
    Duration interval{};
};

// A line for the log.
struct Say {
    LogLevel level = LogLevel::info;
    std::string text;
};

using Action = std::variant<Send, SendFrame, SendProbe, SetPacing, CloseSession, CloseConnections, Announce, SetWelcome,
                            Persist, KeepObject, OpenManifest, ListNeeded, RemoveOthers, MakePatch, ScrubObjects, Say>;
using Actions = std::vector<Action>;

}  // namespace lull::broker
