#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "schema/manifest.hpp"
#include "schema/messages.hpp"

// One good value of everything that crosses the wire, with every field filled.

namespace lull::test {

// A name that is known to be good.
template <class N>
N named(std::string_view text) {
    auto name = N::parse(text);
    LULL_INVARIANT(name.has_value());
    return *name;
}

// N bytes that count up from `first`.
template <std::size_t N>
std::array<std::byte, N> counted(unsigned first) {
    std::array<std::byte, N> bytes{};
    for (std::size_t i = 0; i < N; ++i) bytes[i] = static_cast<std::byte>(first + i);
    return bytes;
}

inline Digest digest(unsigned first) { return Digest(counted<32>(first)); }

inline Build build(std::string_view architecture = "amd64") {
    return Build{named<ArchitectureName>(architecture), digest(1), Bytes(70'000), GiB(3), 20'000};
}

inline UpdateInfo update_info() {
    return UpdateInfo{.software = named<SoftwareName>("kiosk-browser"),
                      .version = named<VersionName>("1.4.2~rc1+b7"),
                      .time = WallTime{1'780'000'000'123'456},
                      .builds = {build("amd64"), build("arm64")},
                      .groups = {named<GroupName>("canary"), named<GroupName>("tills")},
                      .urgency = Urgency::urgent,
                      .policy = Policy::restart,
                      .activation = std::nullopt,
                      .rollout = Rollout{{100, 1000, all_nodes}, 600, 200},
                      .callable = std::vector<std::string>{"bin/solve", "bin/render"}};
}

inline Envelope envelope() { return Envelope{encode(update_info()), {Signature{counted<32>(3), counted<64>(4)}}}; }

inline LogEntry log_entry() { return LogEntry{Seq{8}, Seq{7}, WallTime{-5}, envelope()}; }

inline Holder holder() {
    return Holder{4242, 1001, "kiosk", "kiosk-browser --full \xc3\xa9", WallTime{1'780'000'000'000'000}, WallTime{9}};
}

inline ObjectShape shape() { return ObjectShape{digest(9), ObjectCodec::zstd, MiB(5), MiB(16)}; }

// One of every message.
inline std::vector<Message> messages() {
    auto const software = named<SoftwareName>("kiosk-browser");
    auto const version = named<VersionName>("1.4.2");
    auto const node = named<NodeName>("till-17");
    auto const key = PeerKey(counted<32>(100));
    WallTime const time{1'780'000'000'000'000};
    Epoch const epoch{0xfeedfacecafebeef};
    StatusRow const status{software, version,    Seq{8},  node,     NodeState::waiting, time,
                           "in use", {holder()}, version, Bytes(1), "held by anna"};
    ReleaseRow const release{software, version, Seq{8}, time,     {build()},
                             17,       true,    MiB(3), "paused", std::vector<std::string>{"bin/solve"}};
    NodeRow const row{node, key, time, true, "lull-node 0.1.0", -90'000'000, std::vector<std::string>{"two machines"}};
    Order order;
    order.kind = OrderKind::share;
    order.software = software;
    order.seq = Seq{8};
    order.since = time;
    order.by = "rollout";
    order.why = "why not";
    order.upto = 0xffffffffffffffff;
    order.stage = 1;
    order.accepted_failures = 2;
    Order hold;
    hold.since = time;
    hold.by = "anna";
    hold.until = time;
    ReleaseProgress progress;
    progress.software = software;
    progress.version = version;
    progress.seq = Seq{8};
    progress.nodes = {1, 2, 3, 0, 0, 0, 94};
    progress.away = 1;
    progress.rollout = RolloutProgress{2, 3, 1000, 10, 7, 1, 2};
    progress.stopped = order;
    progress.superseded = true;
    progress.failures = {{node, "health check bin/check ended with status 3"}};
    Admin admin{AdminVerb::nodes_new, 500, software, node, key};
    admin.order = order;
    admin.nodes = {node};
    Answer answer{AdminVerb::status, {status}, {release}, {row}, 1000, time};
    answer.orders = {{node, order, version}};
    auto const id = counted<16>(7);
    CallResult const result{3, 15, 1'500'000, 2'000'000};
    CallLimits const limits{600, GiB(1)};
    std::vector<Buffer> const arguments{to_buffer(as_view("--size")), Buffer(), Buffer{std::byte{0xff}}};
    answer.calls = {{id, node, software, version, Seq{8}, "bin/solve", node, CallPhase::ended, CallReason::time_limit,
                     "it ran for 10 min", time, 2'000'000, result, Bytes(5), GiB(1)}};
    Hello hello{node, named<ArchitectureName>("arm64"), "lull-node 0.1.0", "7e0b", epoch, Seq{7}, 77, 78};
    hello.inventory = {{software, Seq{8}, NodeState::waiting, 12, Seq{7}}};
    hello.machine = "00112233445566778899aabbccddeeff";
    hello.time = time;
    hello.trouble = "the disk is read-only";
    Welcome welcome{epoch, Seq{8}, time, 0xfeedfacecafebeef};
    welcome.wanted = {{software, 13}};
    welcome.note = "another machine has this identity";
    Report report{software, Seq{8}, NodeState::waiting, 12, time, "in use", {holder(), holder()}, Seq{7}};
    report.active_version = version;
    report.held = "by anna";
    return {
        Update{epoch, log_entry()},
        Head{epoch, Seq{8}, time, 30'000, 77},
        Offer{software, version, {build()}},
        Need{software, version, {digest(1), digest(2)}, 12},
        Put{shape(), KiB(256)},
        Committed{software, version, epoch, Seq{8}, time, true},
        Refused{Refusal::conflict, "1.4.2 exists with other contents; choose another version"},
        hello,
        welcome,
        Busy{15'000},
        Sync{epoch, Seq{7}, software, 77, 78},
        LogPage{epoch, Seq{7}, {log_entry(), log_entry()}, Seq{9}},
        Snapshot{epoch, software, {log_entry(), log_entry()}, Seq{9}, software},
        Witness{epoch, log_entry()},
        Fetch{software, Seq{8}, {FetchItem{digest(1), Bytes(77)}, FetchItem{digest(2), Bytes(0)}}},
        Queued{3, "the line is busy"},
        Data{shape(), KiB(512)},
        Ack{GiB(6), 123'456'789},
        Credit{GiB(7)},
        ObjectMissing{digest(1)},
        PatchQuery{software, named<ArchitectureName>("arm64"), Seq{7}, Seq{8}},
        PatchOffer{software, Seq{7}, Seq{8}, digest(1), KiB(3), 20'000},
        Grant{2'437'500, "others use the way to this node"},
        report,
        ReportAck{software, 12},
        Orders{node, 78, 77, software, {order, hold}},
        Ping{0xffffffffffffffff},
        Pong{1, 77},
        admin,
        answer,
        Follow{software, version},
        progress,
        Serve{{software, named<SoftwareName>("solver")}, 4},
        CallOpen{"lull-node 0.1.0"},
        Call{id, 0xfeedfacecafebeef, software, Seq{8}, "bin/solve", arguments, limits},
        CallOffer{id, node, log_entry(), "bin/solve", arguments, limits},
        CallReady{id},
        CallGo{id},
        CallState{id, CallPhase::ended, result, CallReason::time_limit, "it ran for 10 min", node},
        CallData{id, CallStream::err, GiB(5), true},
        CallCredit{id, CallStream::out, GiB(6)},
        CallCancel{id, CallReason::caller_lost},
    };
}

inline Entry directory_entry(std::string path) {
    Entry entry;
    entry.path = std::move(path);
    entry.type = EntryType::directory;
    return entry;
}

inline Entry link_entry(std::string path, std::string target) {
    Entry entry;
    entry.path = std::move(path);
    entry.type = EntryType::symlink;
    entry.target = std::move(target);
    return entry;
}

inline Entry file_entry(std::string path, std::uint64_t size, std::uint32_t segment, std::uint64_t offset) {
    Entry entry;
    entry.path = std::move(path);
    entry.size = Bytes(size);
    entry.digest = digest(static_cast<unsigned>(size));
    if (size > 0) {
        entry.segment = segment;
        entry.offset = Bytes(offset);
    }
    return entry;
}

// Three segments of 100, 50 and 16 MiB; files that share bytes, cross segments, and are empty; links up and across.
inline Manifest manifest() {
    Manifest m;
    m.software = named<SoftwareName>("kiosk-browser");
    m.version = named<VersionName>("1.4.2");
    m.architecture = named<ArchitectureName>("amd64");
    m.segments = {Segment{digest(10), Bytes(100)}, Segment{digest(20), Bytes(50)},
                  Segment{digest(30), limits::segment}};
    auto program = file_entry("bin/kiosk", 120, 0, 10);
    program.executable = true;
    m.entries = {
        directory_entry("bin"),
        program,
        link_entry("bin/run", "./kiosk"),
        file_entry("bin-notes", 100, 0, 0),  // '-' sorts before '/', so "bin/..." does not follow "bin" at once
        directory_entry("lib"),
        directory_entry("lib/deep"),
        file_entry("lib/deep/big", limits::segment.count(), 2, 0),
        link_entry("lib/deep/up", "../../bin/kiosk"),
        file_entry("lib/empty", 0, 0, 0),
        link_entry("lib/root", ".."),
        file_entry("lib/\xc3\xbcml\xc3\xa4ut", 20, 1, 30)};
    std::sort(m.entries.begin(), m.entries.end(), [](Entry const& a, Entry const& b) { return a.path < b.path; });
    m.start = {"bin/kiosk", "--full", ""};
    return m;
}

// The good manifest in format 2: modes, times, a sparse file, a link out of the release that is allowed.
inline Manifest manifest_2() {
    auto m = manifest();
    m.format = 2;
    m.allowed_links = {"/usr/bin/python3"};
    m.strays = {"__pycache__"};
    m.data_mode = 0750;
    for (auto& entry : m.entries) {
        if (entry.type != EntryType::symlink) entry.mode = entry.type == EntryType::directory ? 0500 : 0640;
        if (entry.executable) entry.mode = 0750;
        if (entry.type == EntryType::file) entry.modified = 1'780'000'000;
        if (entry.path == "lib/deep/big") entry.data = KiB(8);
    }
    m.entries.push_back(link_entry("python", "/usr/bin/python3"));
    return m;
}

}  // namespace lull::test
