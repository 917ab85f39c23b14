#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "broker/model/flow_types.hpp"
#include "schema/manifest.hpp"
#include "schema/messages.hpp"

// What the broker's decision code is told. The shell (daemon.hpp) makes these from sockets, workers and the writer.

namespace lull::broker {

// Names a batch on its way to the disk.
using Ticket = std::uint64_t;

struct MessageArrived {
    SessionId session = 0;
    PeerKey peer;  // by the channel (ZAP User-Id), not by the message
    Message message;
    Buffer payload;
    std::optional<Duration> round_trip{};  // of the connection, as the kernel knows it: no program's delay is in it
};

// An UPDATE on the ingest socket.
struct UpdateArrived {
    PeerKey peer;
    Update update;
};

// A frame that was no message of this protocol version.
struct MalformedMessage {
    SessionId session = 0;
    PeerKey peer;
    Error error;
};

// A peer has subscribed to what is announced: it has just connected.
struct NodeSubscribed {
    PeerKey peer;
};

// The connection is known to be gone.
struct SessionGone {
    SessionId session = 0;
};

// Where the bytes of this session flow.
struct RouteKnown {
    SessionId session = 0;
    Route route;
};

// The batch of this ticket is durable, or nothing of it is written.
struct BatchDone {
    Ticket ticket = 0;
    Status status;
};

// An object that a publisher sent is verified, in a pack, and durable; or why not.
struct ObjectKept {
    SessionId session = 0;
    Digest object;
    Bytes stored{};
    Status status;
};

// A manifest that is stored here, opened and checked against the publishers' keys.
struct ManifestOpened {
    SessionId session = 0;
    Digest manifest;
    Result<Manifest> content;
};

// Every object that these releases need: their manifests, and the segments that those name.
using ObjectSet = std::set<Digest>;
struct NeededListed {
    Result<ObjectSet> objects;
};

// Names a patch by the manifest objects that it leads from and to.
struct PatchId {
    Digest from;
    Digest to;
    auto operator<=>(PatchId const&) const = default;
};

// How much is spent on a patch: seconds, for whoever cannot wait, or minutes, for the fewest bytes.
enum class Effort : std::uint8_t { quick, thorough };
constexpr Effort enum_last(Effort) { return Effort::thorough; }
inline constexpr std::array efforts{Effort::quick, Effort::thorough};

// A patch that is stored here with all that it names.
struct MadePatch {
    Effort effort = Effort::quick;
    Digest object;  // the patch itself
    Bytes size{};   // of it, plain
    std::vector<Digest>
        deltas;        // objects that only this patch needs, and those of the quick one that it took the place of
    Bytes stored{};    // of the patch and these
    Bytes to_fetch{};  // by a node with the old release, this patch included
    Bytes whole{};     // by a node with nothing
    WallTime made;
    static void describe(auto& self, auto& visit) {
        visit("e", self.effort);
        visit("o", self.object);
        visit("z", self.size);
        visit("d", self.deltas);
        visit("s", self.stored);
        visit("f", self.to_fetch);
        visit("w", self.whole);
        visit("t", self.made);
    }
};

// What came of MakePatch; without a time.
struct PatchMade {
    PatchId patch;
    Effort effort = Effort::quick;
    Result<MadePatch> made;
};

// What came of RemoveOthers.
struct OthersRemoved {
    std::size_t objects = 0;
    Bytes bytes{};  // of disk that are free again
};

// What came of ScrubObjects.
struct Scrubbed {
    bool more = false;            // there is more to read
    Bytes read{};                 // stored bytes
    Bytes packed{};               // plain bytes of what takes less room now
    Bytes saved{};                // by that
    std::vector<Digest> damaged;  // are not here any more
};

// What others send on our line, by the operator's own reading from elsewhere; comes about once a second if there is
// one.
struct CrossTrafficMeasured {
    ByteRate rate;
};

// The time that Broker::wake() asked for has come.
struct TurnDue {};

// Time has passed; comes about once a second.
struct Tick {};

using Event = std::variant<MessageArrived, UpdateArrived, MalformedMessage, NodeSubscribed, SessionGone, BatchDone,
                           ObjectKept, ManifestOpened, NeededListed, OthersRemoved, PatchMade, Scrubbed, RouteKnown,
                           FrameLeft, LineReading, CrossTrafficMeasured, TurnDue, Tick>;

}  // namespace lull::broker
