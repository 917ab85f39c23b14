#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "schema/order.hpp"
#include "schema/update_info.hpp"

// One struct a message; PROTOCOL.md says who sends it when. The comment behind a field is its meaning and unit.

namespace lull {

enum class MessageType : std::uint8_t {
    update = 1,
    head = 2,
    offer = 10,
    need = 11,
    put = 12,
    committed = 13,
    refused = 14,
    hello = 20,
    welcome = 21,
    busy = 22,
    sync = 30,
    log = 31,
    snapshot = 32,
    witness = 33,
    fetch = 40,
    queued = 41,
    data = 42,
    ack = 43,
    credit = 44,
    object_missing = 45,
    patch_query = 46,
    patch_offer = 47,
    grant = 48,
    report = 50,
    report_ack = 51,
    orders = 52,
    ping = 60,
    pong = 61,
    admin = 70,
    answer = 71,
    follow = 72,
    progress = 73,
    serve = 80,
    call_open = 81,
    call = 82,
    call_offer = 83,
    call_ready = 84,
    call_go = 85,
    call_state = 86,
    call_data = 87,
    call_credit = 88,
    call_cancel = 89,
};

// The state of the newest release of a software on a node (docs/activation.md).
enum class NodeState : std::uint8_t {
    undistributed,
    announced,
    queued,
    fetching,
    staged,
    waiting,
    active,
    failed,
    rolled_back,
    superseded,
    held,
    switching,
    verifying,
    removed,
};
constexpr NodeState enum_last(NodeState) { return NodeState::removed; }
[[nodiscard]] std::string_view to_text(NodeState state);

// How an object lies in a pack and crosses the wire.
enum class ObjectCodec : std::uint8_t { raw, zstd };
constexpr ObjectCodec enum_last(ObjectCodec) { return ObjectCodec::zstd; }

// ---- announce and ingest ----

// A publisher emits it with epoch, seq and prev 0; the broker re-emits it with its place in the log.
struct Update {
    static constexpr MessageType type = MessageType::update;
    Epoch epoch;
    LogEntry entry;
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("l", self.entry);
    }
    bool operator==(Update const&) const = default;
};

// The head of the log; beacon and welcome message.
struct Head {
    static constexpr MessageType type = MessageType::head;
    Epoch epoch;
    Seq head;
    WallTime time;                          // broker's clock
    std::uint64_t spread = 0;               // ms: whoever must catch up waits a random part of this first
    std::optional<std::uint64_t> orders{};  // revision of the orders for all nodes; none: there have been none
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("h", self.head);
        visit("t", self.time);
        visit("s", self.spread);
        visit("o", self.orders);
    }
    bool operator==(Head const&) const = default;
};

// ---- publisher and broker ----

// "I want to publish this": the builds as the update-info will name them. Repeatable.
struct Offer {
    static constexpr MessageType type = MessageType::offer;
    SoftwareName software;
    VersionName version;
    std::vector<Build> builds;
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("b", self.builds);
    }
    bool operator==(Offer const&) const = default;
};

// Objects that the broker lacks, manifests first, at most limits::objects_per_message; none: everything is durable
// here, emit the update-info. Another NEED follows when these have come.
struct Need {
    static constexpr MessageType type = MessageType::need;
    SoftwareName software;
    VersionName version;
    std::vector<Digest> objects;
    std::uint64_t more = 0;  // how many further ones will be asked for
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("o", self.objects);
        visit("m", self.more);
    }
    bool operator==(Need const&) const = default;
};

// What an object looks like as stored; DATA and PUT carry it with every frame, so that either side can start anywhere.
struct ObjectShape {
    Digest object;  // SHA-256 of the plain bytes
    ObjectCodec codec = ObjectCodec::raw;
    Bytes stored{};  // stored bytes in all
    Bytes plain{};   // plain bytes
    static void describe(auto& self, auto& visit) {
        visit("o", self.object);
        visit("c", self.codec);
        visit("s", self.stored);
        visit("p", self.plain);
    }
    bool operator==(ObjectShape const&) const = default;
};

// A frame of an object, publisher to broker. Payload: stored bytes from `offset`.
struct Put {
    static constexpr MessageType type = MessageType::put;
    ObjectShape shape;
    Bytes offset{};
    static void describe(auto& self, auto& visit) {
        visit("h", self.shape);
        visit("f", self.offset);
    }
    bool operator==(Put const&) const = default;
};

// The release is durable: log entry `seq`.
struct Committed {
    static constexpr MessageType type = MessageType::committed;
    SoftwareName software;
    VersionName version;
    Epoch epoch;
    Seq seq;
    WallTime time;
    bool before = false;  // it had been published already, with these very contents
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("e", self.epoch);
        visit("q", self.seq);
        visit("t", self.time);
        visit("b", self.before);
    }
    bool operator==(Committed const&) const = default;
};

enum class Refusal : std::uint8_t {
    not_allowed,  // this key may not send that message
    no_session,   // HELLO or OFFER must come first; start anew
    conflict,     // the version exists with other contents
    bad_signature,
    damaged,   // bytes do not match their digest or format
    no_space,  // the broker's disk is full
    invalid,   // well-formed, but against a rule; the text says which
    unknown_type,
};
constexpr Refusal enum_last(Refusal) { return Refusal::unknown_type; }

struct Refused {
    static constexpr MessageType type = MessageType::refused;
    Refusal reason = Refusal::invalid;
    std::string text;  // for people: what to do
    static void describe(auto& self, auto& visit) {
        visit("r", self.reason);
        visit("t", self.text);
    }
    bool operator==(Refused const&) const = default;
};

// ---- sessions of nodes ----

// What a node has of one software, as its journal says.
struct InventoryItem {
    SoftwareName software;
    Seq seq;  // of the newest release that it has recorded
    NodeState state = NodeState::announced;
    std::uint64_t revision = 0;   // of its last report
    std::optional<Seq> active{};  // the release that `current` points to
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("q", self.seq);
        visit("s", self.state);
        visit("r", self.revision);
        visit("a", self.active);
    }
    bool operator==(InventoryItem const&) const = default;
};

struct Hello {
    static constexpr MessageType type = MessageType::hello;
    NodeName node;
    ArchitectureName architecture;
    std::string program;                        // "lull-node 0.1.0"
    std::string boot;                           // boot id: changes with each start of the machine
    Epoch epoch;                                // of the log that the cursor belongs to
    Seq cursor;                                 // recorded durably up to here
    std::optional<std::uint64_t> orders{};      // revision of the orders for all nodes that are durable here
    std::optional<std::uint64_t> own_orders{};  // and of those for this node only
    // By name, each once; limits::inventory of them: there may be more behind the last one.
    std::optional<std::vector<InventoryItem>> inventory{};
    std::optional<std::string> machine{};  // which machine, and which directory on it: 32 hexadecimal digits
    std::optional<WallTime> time{};        // the node's clock
    std::optional<std::string> trouble{};  // why it can record nothing; then it has no inventory
    static void describe(auto& self, auto& visit) {
        visit("n", self.node);
        visit("a", self.architecture);
        visit("g", self.program);
        visit("b", self.boot);
        visit("e", self.epoch);
        visit("c", self.cursor);
        visit("o", self.orders);
        visit("w", self.own_orders);
        visit("i", self.inventory);
        visit("m", self.machine);
        visit("t", self.time);
        visit("d", self.trouble);
    }
    bool operator==(Hello const&) const = default;
};

// The broker's table says something else about this software than the node's inventory.
struct ReportWanted {
    SoftwareName software;
    std::uint64_t revision = 0;  // of the row in the table; 0: there is none
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("r", self.revision);
    }
    bool operator==(ReportWanted const&) const = default;
};

struct Welcome {
    static constexpr MessageType type = MessageType::welcome;
    Epoch epoch;
    Seq head;
    WallTime time;
    std::optional<std::uint64_t> life{};  // random for each start of the broker; none: it knows no calls
    // The node reports on these again, with revisions above those that are named here.
    std::optional<std::vector<ReportWanted>> wanted{};
    std::optional<std::string> note{};  // for the node's log: what its owner has to do
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("h", self.head);
        visit("t", self.time);
        visit("l", self.life);
        visit("w", self.wanted);
        visit("o", self.note);
    }
    bool operator==(Welcome const&) const = default;
};

// Too much to do: close and come back.
struct Busy {
    static constexpr MessageType type = MessageType::busy;
    std::uint64_t retry_after = 0;  // ms
    static void describe(auto& self, auto& visit) { visit("r", self.retry_after); }
    bool operator==(Busy const&) const = default;
};

// "What comes after this cursor?" LOG answers, or SNAPSHOT where the log cannot.
struct Sync {
    static constexpr MessageType type = MessageType::sync;
    Epoch epoch;
    Seq cursor;
    std::optional<SoftwareName> after{};    // go on with the snapshot behind this name
    std::optional<std::uint64_t> orders{};  // as in HELLO
    std::optional<std::uint64_t> own_orders{};
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("c", self.cursor);
        visit("a", self.after);
        visit("o", self.orders);
        visit("w", self.own_orders);
    }
    bool operator==(Sync const&) const = default;
};

// A page of the log from `from` (exclusive), without gaps.
struct LogPage {
    static constexpr MessageType type = MessageType::log;
    Epoch epoch;
    Seq from;
    std::vector<LogEntry> entries;
    Seq head;
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("f", self.from);
        visit("l", self.entries);
        visit("h", self.head);
    }
    bool operator==(LogPage const&) const = default;
};

// A page of what the log amounts to: the newest release of each software, by name. For cursors of another epoch, and
// for those that lie before what was removed from the log.
struct Snapshot {
    static constexpr MessageType type = MessageType::snapshot;
    Epoch epoch;
    std::optional<SoftwareName> after;  // the page begins behind this name
    std::vector<LogEntry> entries;
    Seq head;                          // of the log when this page was made
    std::optional<SoftwareName> rest;  // further pages follow, behind this name
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("a", self.after);
        visit("l", self.entries);
        visit("h", self.head);
        visit("r", self.rest);
    }
    bool operator==(Snapshot const&) const = default;
};

// "You announced this to me, and your log ends before it": what a node says to a broker that was restored from an older
// copy.
struct Witness {
    static constexpr MessageType type = MessageType::witness;
    Epoch epoch;
    LogEntry entry;
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("l", self.entry);
    }
    bool operator==(Witness const&) const = default;
};

// ---- transfer ----

struct FetchItem {
    Digest object;
    Bytes offset{};  // stored bytes that are durable here already
    static void describe(auto& self, auto& visit) {
        visit("o", self.object);
        visit("f", self.offset);
    }
    bool operator==(FetchItem const&) const = default;
};

// Objects that this node wants for a release, in this order, after those asked for before.
struct Fetch {
    static constexpr MessageType type = MessageType::fetch;
    SoftwareName software;
    Seq seq;
    std::vector<FetchItem> items;
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("q", self.seq);
        visit("i", self.items);
    }
    bool operator==(Fetch const&) const = default;
};

// "Not yet": place in the queue, and what the governor waits for.
struct Queued {
    static constexpr MessageType type = MessageType::queued;
    std::uint64_t position = 0;
    std::string reason;
    static void describe(auto& self, auto& visit) {
        visit("p", self.position);
        visit("r", self.reason);
    }
    bool operator==(Queued const&) const = default;
};

// How fast bytes flow to this node now, and why not faster. For people; rate 0 also says that waiting is right.
struct Grant {
    static constexpr MessageType type = MessageType::grant;
    std::uint64_t rate = 0;  // bytes a second
    std::string reason;      // empty: as fast as the line allows
    static void describe(auto& self, auto& visit) {
        visit("b", self.rate);
        visit("r", self.reason);
    }
    bool operator==(Grant const&) const = default;
};

// A frame of an object, broker to node. Payload: stored bytes from `offset`.
struct Data {
    static constexpr MessageType type = MessageType::data;
    ObjectShape shape;
    Bytes offset{};
    static void describe(auto& self, auto& visit) {
        visit("h", self.shape);
        visit("f", self.offset);
    }
    bool operator==(Data const&) const = default;
};

// Payload bytes that have arrived in this session, sent at once for every frame: what the network has delivered.
struct Ack {
    static constexpr MessageType type = MessageType::ack;
    Bytes received{};  // cumulative
    std::optional<std::uint64_t>
        at{};  // when the last of them came: microseconds of the receiver's own clock, which never goes back
    static void describe(auto& self, auto& visit) {
        visit("r", self.received);
        visit("t", self.at);
    }
    bool operator==(Ack const&) const = default;
};

// Payload bytes that the other side may send in this session in all: what the disk can take.
struct Credit {
    static constexpr MessageType type = MessageType::credit;
    Bytes permitted{};  // cumulative
    static void describe(auto& self, auto& visit) { visit("p", self.permitted); }
    bool operator==(Credit const&) const = default;
};

// The broker does not have this object.
struct ObjectMissing {
    static constexpr MessageType type = MessageType::object_missing;
    Digest object;
    static void describe(auto& self, auto& visit) { visit("o", self.object); }
    bool operator==(ObjectMissing const&) const = default;
};

// "How do I get from this release to that one?" PATCH-OFFER answers.
struct PatchQuery {
    static constexpr MessageType type = MessageType::patch_query;
    SoftwareName software;
    ArchitectureName architecture;
    Seq from;
    Seq to;
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("a", self.architecture);
        visit("f", self.from);
        visit("t", self.to);
    }
    bool operator==(PatchQuery const&) const = default;
};

// The object that holds the Patch; or that it is being made, and will be told of by another one; or that there is none.
struct PatchOffer {
    static constexpr MessageType type = MessageType::patch_offer;
    SoftwareName software;
    Seq from;
    Seq to;
    std::optional<Digest> patch;
    Bytes size{};            // of the patch, plain
    std::uint64_t wait = 0;  // ms in which it is likely to be there; 0: it will not be
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("f", self.from);
        visit("t", self.to);
        visit("p", self.patch);
        visit("z", self.size);
        visit("w", self.wait);
    }
    bool operator==(PatchOffer const&) const = default;
};

// ---- reports ----

// Who holds a version on a node.
struct Holder {
    std::uint64_t pid = 0;
    std::uint64_t uid = 0;
    std::string user;
    std::string command;
    WallTime since;                // start of the process
    std::optional<WallTime> told;  // when the notice reached its terminal
    static void describe(auto& self, auto& visit) {
        visit("p", self.pid);
        visit("u", self.uid);
        visit("n", self.user);
        visit("c", self.command);
        visit("s", self.since);
        visit("t", self.told);
    }
    bool operator==(Holder const&) const = default;
};

// The state of one software on the sending node. Resent until REPORT-ACK; a lower revision never replaces a higher one.
struct Report {
    static constexpr MessageType type = MessageType::report;
    SoftwareName software;
    Seq seq;
    NodeState state = NodeState::announced;
    std::uint64_t revision = 0;  // grows with each report of this node about this software
    WallTime since;
    std::string why;
    std::vector<Holder> holders;
    std::optional<Seq> active;                    // the release that `current` points to
    std::optional<VersionName> active_version{};  // of it: the log may not know the release any more
    std::optional<std::string> held{};            // a hold that was given on the node itself, for people
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("q", self.seq);
        visit("s", self.state);
        visit("r", self.revision);
        visit("i", self.since);
        visit("w", self.why);
        visit("h", self.holders);
        visit("a", self.active);
        visit("v", self.active_version);
        visit("o", self.held);
    }
    bool operator==(Report const&) const = default;
};

// The broker has recorded the report.
struct ReportAck {
    static constexpr MessageType type = MessageType::report_ack;
    SoftwareName software;
    std::uint64_t revision = 0;
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("r", self.revision);
    }
    bool operator==(ReportAck const&) const = default;
};

// The orders for all nodes, or for one. What a node misses is said again when it says HELLO with another revision.
struct Orders {
    static constexpr MessageType type = MessageType::orders;
    std::optional<NodeName> node{};       // only for this one
    std::uint64_t revision = 0;           // of the set that they are or make
    std::optional<std::uint64_t> base{};  // a change of the set of this revision; none: all of it
    OrderScope changed{};                 // with base: only what is said of this software has changed, to this
    std::vector<Order> orders;
    static void describe(auto& self, auto& visit) {
        visit("n", self.node);
        visit("r", self.revision);
        visit("b", self.base);
        visit("c", self.changed);
        visit("o", self.orders);
    }
    bool operator==(Orders const&) const = default;
};

// ---- both ----

struct Ping {
    static constexpr MessageType type = MessageType::ping;
    std::uint64_t nonce = 0;
    static void describe(auto& self, auto& visit) { visit("n", self.nonce); }
    bool operator==(Ping const&) const = default;
};

struct Pong {
    static constexpr MessageType type = MessageType::pong;
    std::uint64_t nonce = 0;
    std::optional<std::uint64_t> at{};  // when the PING came, as in ACK
    static void describe(auto& self, auto& visit) {
        visit("n", self.nonce);
        visit("t", self.at);
    }
    bool operator==(Pong const&) const = default;
};

// ---- operator ----

enum class AdminVerb : std::uint8_t { status, list, nodes, nodes_new, orders, order, take_back, calls, nodes_remove };
constexpr AdminVerb enum_last(AdminVerb) { return AdminVerb::nodes_remove; }

struct Admin {
    static constexpr MessageType type = MessageType::admin;
    AdminVerb verb = AdminVerb::status;
    std::uint64_t cursor = 0;              // where the page starts
    std::optional<SoftwareName> software;  // status, list: only this one
    std::optional<NodeName> node;          // status: only this one; nodes_new: its name
    std::optional<PeerKey> key;            // nodes_new
    // order: to be given, to `node` or to all; a release that it does not name is the newest. take_back: its kind and
    // software.
    std::optional<Order> order{};
    std::optional<std::vector<NodeName>> nodes{};  // nodes_remove: all of these, or none if one is unknown
    static void describe(auto& self, auto& visit) {
        visit("v", self.verb);
        visit("c", self.cursor);
        visit("s", self.software);
        visit("n", self.node);
        visit("k", self.key);
        visit("o", self.order);
        visit("m", self.nodes);
    }
    bool operator==(Admin const&) const = default;
};

// A row of the table software x node.
struct StatusRow {
    SoftwareName software;
    VersionName version;  // the newest release
    Seq seq;
    NodeName node;
    NodeState state = NodeState::undistributed;
    WallTime since;
    std::string why;
    std::vector<Holder> holders;
    std::optional<VersionName> active;  // what runs there now
    std::optional<Bytes> done;          // fetching: bytes sent so far
    std::optional<std::string> held{};  // it is held, though no newer release waits for that
    static void describe(auto& self, auto& visit) {
        visit("s", self.software);
        visit("v", self.version);
        visit("q", self.seq);
        visit("n", self.node);
        visit("t", self.state);
        visit("i", self.since);
        visit("w", self.why);
        visit("h", self.holders);
        visit("a", self.active);
        visit("d", self.done);
        visit("o", self.held);
    }
    bool operator==(StatusRow const&) const = default;
};

struct ReleaseRow {
    SoftwareName software;
    VersionName version;
    Seq seq;
    WallTime time;  // committed
    std::vector<Build> builds;
    std::uint64_t active = 0;  // nodes on which it is active
    bool newest = false;
    // What a node fetches to get to the newest release, if that is known: from this one; for the newest: with nothing.
    // The most of all builds.
    std::optional<Bytes> to_fetch{};
    std::optional<std::string> note{};  // where its rollout is, that it is paused or withdrawn
    std::optional<std::vector<std::string>> callable{};
    std::optional<Envelope> update{};  // the signed update-info, where one software was asked for
    static void describe(auto& self, auto& visit) {
        visit("s", self.software);
        visit("v", self.version);
        visit("q", self.seq);
        visit("t", self.time);
        visit("b", self.builds);
        visit("a", self.active);
        visit("n", self.newest);
        visit("f", self.to_fetch);
        visit("o", self.note);
        visit("l", self.callable);
        visit("u", self.update);
    }
    bool operator==(ReleaseRow const&) const = default;
};

struct NodeRow {
    NodeName node;
    PeerKey key;
    std::optional<WallTime> seen;  // last message
    bool connected = false;
    std::string program;
    std::optional<std::int64_t> clock_ahead{};        // microseconds: the node's clock minus the broker's
    std::optional<std::vector<std::string>> notes{};  // what an operator has to know about it
    static void describe(auto& self, auto& visit) {
        visit("n", self.node);
        visit("k", self.key);
        visit("s", self.seen);
        visit("c", self.connected);
        visit("g", self.program);
        visit("d", self.clock_ahead);
        visit("w", self.notes);
    }
    bool operator==(NodeRow const&) const = default;
};

// An order that stands.
struct OrderRow {
    std::optional<NodeName> node{};  // none: for all nodes
    Order order;
    std::optional<VersionName> version{};  // of the release that it names
    static void describe(auto& self, auto& visit) {
        visit("n", self.node);
        visit("o", self.order);
        visit("v", self.version);
    }
    bool operator==(OrderRow const&) const = default;
};

// A remote call that runs, or that ended lately.
struct CallRow {
    CallId id{};
    NodeName caller;
    SoftwareName software;
    VersionName version;
    Seq seq{};
    std::string program{};
    std::optional<NodeName> executor{};
    CallPhase phase = CallPhase::queued;
    std::optional<CallReason> reason{};
    std::string text{};      // more about the reason
    WallTime asked{};        // when the call came
    std::uint64_t took = 0;  // microseconds from then to its end, or to now
    std::optional<CallResult> result{};
    Bytes input{};   // bytes that the broker has passed on
    Bytes output{};  // of both output streams
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("n", self.caller);
        visit("s", self.software);
        visit("v", self.version);
        visit("q", self.seq);
        visit("p", self.program);
        visit("e", self.executor);
        visit("f", self.phase);
        visit("r", self.reason);
        visit("t", self.text);
        visit("a", self.asked);
        visit("k", self.took);
        visit("x", self.result);
        visit("b", self.input);
        visit("o", self.output);
    }
    bool operator==(CallRow const&) const = default;
};

// A page of rows for an ADMIN; `next` is the cursor of the page after it, if there is one.
struct Answer {
    static constexpr MessageType type = MessageType::answer;
    AdminVerb verb = AdminVerb::status;
    std::vector<StatusRow> status;
    std::vector<ReleaseRow> releases;
    std::vector<NodeRow> nodes;
    std::optional<std::uint64_t> next;
    WallTime time;  // broker's clock
    std::optional<std::vector<OrderRow>> orders{};
    std::optional<std::vector<CallRow>> calls{};
    static void describe(auto& self, auto& visit) {
        visit("v", self.verb);
        visit("s", self.status);
        visit("r", self.releases);
        visit("n", self.nodes);
        visit("x", self.next);
        visit("t", self.time);
        visit("o", self.orders);
        visit("c", self.calls);
    }
    bool operator==(Answer const&) const = default;
};

// "How far is this release?" PROGRESS, and again whenever it changes, as long as the session lasts.
struct Follow {
    static constexpr MessageType type = MessageType::follow;
    SoftwareName software;
    std::optional<VersionName> version{};  // none: the newest
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
    }
    bool operator==(Follow const&) const = default;
};

// A node on which a release failed, and why.
struct FailedNode {
    NodeName node;
    std::string why;
    static void describe(auto& self, auto& visit) {
        visit("n", self.node);
        visit("w", self.why);
    }
    bool operator==(FailedNode const&) const = default;
};

// How far the rollout of a release is.
struct RolloutProgress {
    std::uint64_t stage = 0;  // from 1
    std::uint64_t stages = 0;
    std::uint64_t share = 0;    // of all nodes, in hundredths of a percent
    std::uint64_t members = 0;  // nodes whose turn it is
    std::uint64_t done = 0;     // of these: it is live there
    std::uint64_t failed = 0;
    std::uint64_t blocked = 0;  // in use, held, or not heard of for long: the rollout goes on without them
    static void describe(auto& self, auto& visit) {
        visit("t", self.stage);
        visit("s", self.stages);
        visit("p", self.share);
        visit("m", self.members);
        visit("d", self.done);
        visit("f", self.failed);
        visit("b", self.blocked);
    }
    bool operator==(RolloutProgress const&) const = default;
};

struct ReleaseProgress {
    static constexpr MessageType type = MessageType::progress;
    SoftwareName software;
    VersionName version;
    Seq seq;
    std::vector<std::uint64_t> nodes;  // how many are in which NodeState, by its number
    std::uint64_t away = 0;            // not heard of for long, and not active
    std::optional<RolloutProgress> rollout{};
    std::optional<Order> stopped{};    // it is paused or withdrawn
    bool superseded = false;           // there is a newer release
    std::vector<FailedNode> failures;  // the first of them
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("q", self.seq);
        visit("s", self.nodes);
        visit("a", self.away);
        visit("o", self.rollout);
        visit("p", self.stopped);
        visit("u", self.superseded);
        visit("f", self.failures);
    }
    bool operator==(ReleaseProgress const&) const = default;

    [[nodiscard]] std::uint64_t in(NodeState state) const;  // how many nodes are
    [[nodiscard]] std::uint64_t all() const;
};

// ---- remote calls ----

// "I run programs of this software for other nodes." Replaces what the session said before; no software: it serves
// nothing more. Calls that run go on.
struct Serve {
    static constexpr MessageType type = MessageType::serve;
    std::vector<SoftwareName> software;
    std::uint64_t slots = 0;  // calls that it prepares or runs at once, in all
    static void describe(auto& self, auto& visit) {
        visit("s", self.software);
        visit("l", self.slots);
    }
    bool operator==(Serve const&) const = default;
};

// Begins a session of a node that is for its calls only, beside the session that HELLO began. WELCOME.
struct CallOpen {
    static constexpr MessageType type = MessageType::call_open;
    std::string program;  // as in HELLO
    static void describe(auto& self, auto& visit) { visit("g", self.program); }
    bool operator==(CallOpen const&) const = default;
};

// "Run this program of the release that is active here." The same id again is never a second run.
struct Call {
    static constexpr MessageType type = MessageType::call;
    CallId id{};
    std::uint64_t life = 0;  // of the broker, as WELCOME said when the caller chose the id
    SoftwareName software;
    Seq seq;
    std::string program;            // path in the tree; empty: the only one that is callable
    std::vector<Buffer> arguments;  // behind the program's name
    CallLimits limits;
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("b", self.life);
        visit("n", self.software);
        visit("q", self.seq);
        visit("p", self.program);
        visit("a", self.arguments);
        visit("l", self.limits);
    }
    bool operator==(Call const&) const = default;
};

// "Prepare this, and reserve a slot." The program must not begin before CALL-GO.
struct CallOffer {
    static constexpr MessageType type = MessageType::call_offer;
    CallId id{};
    NodeName caller;
    LogEntry entry;       // the release; the executor checks its signature itself
    std::string program;  // never empty
    std::vector<Buffer> arguments;
    CallLimits limits;  // with a time
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("n", self.caller);
        visit("e", self.entry);
        visit("p", self.program);
        visit("a", self.arguments);
        visit("l", self.limits);
    }
    bool operator==(CallOffer const&) const = default;
};

// The tree is here and verified, a slot is reserved, and nothing has begun.
struct CallReady {
    static constexpr MessageType type = MessageType::call_ready;
    CallId id{};
    static void describe(auto& self, auto& visit) { visit("i", self.id); }
    bool operator==(CallReady const&) const = default;
};

// "Begin." Sent at most once for an id, to one executor.
struct CallGo {
    static constexpr MessageType type = MessageType::call_go;
    CallId id{};
    static void describe(auto& self, auto& visit) { visit("i", self.id); }
    bool operator==(CallGo const&) const = default;
};

// Where a call is: from the executor to the broker (running, ended, refused), from the broker to the caller (all).
// Everything that the program wrote was sent before `ended`.
struct CallState {
    static constexpr MessageType type = MessageType::call_state;
    CallId id{};
    CallPhase phase = CallPhase::queued;
    std::optional<CallResult> result{};  // ended
    std::optional<CallReason> reason{};  // refused, unknown; ended: what stopped the program
    std::string text{};                  // for people: names the limit, the place in the queue
    std::optional<NodeName> executor{};  // to the caller
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("p", self.phase);
        visit("x", self.result);
        visit("r", self.reason);
        visit("t", self.text);
        visit("e", self.executor);
    }
    bool operator==(CallState const&) const = default;
};

// Bytes of a stream. Payload: at most limits::call_frame, from `offset`; it may be empty with `last`.
struct CallData {
    static constexpr MessageType type = MessageType::call_data;
    CallId id{};
    CallStream stream = CallStream::in;
    Bytes offset{};
    bool last = false;  // the stream ends behind this payload
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("s", self.stream);
        visit("f", self.offset);
        visit("l", self.last);
    }
    bool operator==(CallData const&) const = default;
};

// Bytes of a stream that the other side may send in all: cumulative, and at most limits::call_window more than the
// receiver has taken.
struct CallCredit {
    static constexpr MessageType type = MessageType::call_credit;
    CallId id{};
    CallStream stream = CallStream::in;
    Bytes permitted{};
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("s", self.stream);
        visit("p", self.permitted);
    }
    bool operator==(CallCredit const&) const = default;
};

// "End this call." From the caller to the broker, and from the broker to the executor, which answers CALL-STATE.
struct CallCancel {
    static constexpr MessageType type = MessageType::call_cancel;
    CallId id{};
    std::optional<CallReason> reason{};  // to the executor
    static void describe(auto& self, auto& visit) {
        visit("i", self.id);
        visit("r", self.reason);
    }
    bool operator==(CallCancel const&) const = default;
};

using AnyMessage =
    std::variant<Update, Head, Offer, Need, Put, Committed, Refused, Hello, Welcome, Busy, Sync, LogPage, Snapshot,
                 Witness, Fetch, Queued, Data, Ack, Credit, ObjectMissing, PatchQuery, PatchOffer, Grant, Report,
                 ReportAck, Orders, Ping, Pong, Admin, Answer, Follow, ReleaseProgress, Serve, CallOpen, Call,
                 CallOffer, CallReady, CallGo, CallState, CallData, CallCredit, CallCancel>;

// One message. Copying, moving and ending a message is compiled once, in messages.cpp: a variant of 42 alternatives
// costs each file that does so more than a second.
class Message : public AnyMessage {
public:
    using AnyMessage::AnyMessage;
    Message();
    Message(Message const&);
    Message(Message&&) noexcept;
    Message& operator=(Message const&);
    Message& operator=(Message&&) noexcept;
    ~Message();
};

[[nodiscard]] MessageType type_of(Message const& message);
// "UPDATE", "HELLO", ... as in PROTOCOL.md.
[[nodiscard]] std::string_view to_text(MessageType type);

}  // namespace lull
