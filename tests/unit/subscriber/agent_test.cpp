#include "subscriber/agent.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/agent/agent_bench.hpp"

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

Holder holder(std::uint64_t pid) { return {pid, 1000, "kiosk", "kiosk --full", WallTime{static_cast<std::int64_t>(pid)}, std::nullopt}; }

bool touches(store::Batch const& batch, std::string_view table) {
    return std::any_of(batch.begin(), batch.end(), [&](store::Change const& change) { return change.table == table; });
}

// The last report that the broker was told in these actions.
Report last_report(Actions const& actions) {
    auto const reports = sent<Report>(actions);
    REQUIRE_FALSE(reports.empty());
    return reports.back();
}

// Release 1 is active, release 2 is announced and staged; what the last step ordered.
Actions second_staged(Bench& bench) {
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2);
    return bench.to_staged(2);
}

// Release 1 is being fetched, of which this one segment is lacking.
Segment fetch_large(Bench& bench) {
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    Segment const large{sha256(as_view("large")), MiB(16)};
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    return large;
}

ObjectShape raw(Segment const& segment) { return {segment.digest, ObjectCodec::raw, segment.size, segment.size}; }

}  // namespace

// ---- announcements ----

TEST_CASE("an announcement is recorded, cursor, record and report in one batch, before anything else happens") {
    Bench bench;
    bench.check_in();
    auto const actions = bench.announce(bench.release(1));
    auto const batch = only<Persist>(actions).batch;
    CHECK(touches(batch, journal::meta));
    CHECK(touches(batch, journal::software));
    CHECK(touches(batch, journal::outbox));
    CHECK(sent<Fetch>(actions).empty());
    CHECK(sent<Report>(actions).empty());

    auto const then = bench.one_durable();
    CHECK(last_report(then).state == NodeState::announced);
    auto const fetch = sent<Fetch>(then);
    REQUIRE(fetch.size() == 1);
    CHECK(fetch[0].items.at(0).object == Bench::manifest(1));
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
}

TEST_CASE("nothing of a release is fetched before it is recorded, even when an older batch becomes durable meanwhile") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    auto const staging = bench.object_comes(Bench::segment(1).digest, Bytes(50));
    REQUIRE(any<StageRelease>(staging));
    bench.on(StageEnded{Bench::id(1), {}, {}});  // its report is on the way to the disk
    bench.announce(bench.release(2));
    CHECK(sent<Fetch>(bench.one_durable()).empty());
    CHECK(sent<Fetch>(bench.one_durable()).size() == 1);
}

TEST_CASE("an announcement that is known already changes nothing") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    auto const again = bench.announce(bench.release(1));
    CHECK_FALSE(any<Persist>(again));
    CHECK_FALSE(any<Send>(again));
}

TEST_CASE("a gap in the announcements is asked for and recorded in order") {
    Bench bench;
    bench.check_in();
    auto actions = bench.announce(bench.release(3));
    CHECK_FALSE(any<Persist>(actions));
    auto const sync = sent<Sync>(actions);
    REQUIRE(sync.size() == 1);
    CHECK(sync[0].cursor == Seq{0});

    actions = bench.hear(LogPage{epoch, Seq{0}, {bench.release(1), bench.release(2), bench.release(3)}, Seq{3}});
    CHECK(all<Persist>(actions).size() == 1);
    CHECK(sent<Sync>(actions).empty());
    CHECK(bench.agent.state().cursor.seq == Seq{3});
    actions = bench.one_durable();
    CHECK(sent<Report>(actions).size() == 1);  // of the newest only
    CHECK(sent<Fetch>(actions).at(0).items.at(0).object == Bench::manifest(3));
}

TEST_CASE("HEAD shows what was missed, and the next page is asked for until the head is reached") {
    Bench bench;
    bench.check_in();
    auto actions = bench.on(AnnouncementHeard{Head{epoch, Seq{2}, {}, 0}});
    CHECK(sent<Sync>(actions).size() == 1);
    actions = bench.hear(LogPage{epoch, Seq{0}, {bench.release(1)}, Seq{2}});
    auto const further = sent<Sync>(actions);
    REQUIRE(further.size() == 1);
    CHECK(further[0].cursor == Seq{1});
    actions = bench.hear(LogPage{epoch, Seq{1}, {bench.release(2)}, Seq{2}});
    CHECK(sent<Sync>(actions).empty());
    CHECK(bench.agent.state().cursor.seq == Seq{2});
}

TEST_CASE("a page that brings nothing is not asked for again at once") {
    Bench bench;
    bench.check_in();
    bench.on(AnnouncementHeard{Head{epoch, Seq{2}, {}, 0}});
    auto const actions = bench.hear(LogPage{epoch, Seq{0}, {}, Seq{2}});
    CHECK(sent<Sync>(actions).empty());
    CHECK(sent<Sync>(bench.idle(10s)).empty());
}

TEST_CASE("a lost SYNC or LOG is asked for again") {
    Bench bench;
    bench.check_in();
    CHECK(sent<Sync>(bench.announce(bench.release(3))).size() == 1);
    CHECK(sent<Sync>(bench.idle(16s)).size() == 1);
}

// ---- another log, and a log that was compacted ----

namespace {

constexpr Epoch renewed{78};

// A bench on which these are active, reported and noted, and the exchange is open.
void settle(Bench& bench, std::vector<std::pair<std::uint64_t, std::string>> const& releases) {
    bench.check_in();
    for (auto const& [seq, name] : releases) {
        bench.record(seq, name);
        bench.to_active(seq, name);
        bench.hear(Noted{software(name), bench.state(name).revision});
        bench.all_durable();
    }
}

bool says(Actions const& actions, std::string_view words) {
    auto const said = all<Say>(actions);
    return std::any_of(said.begin(), said.end(), [&](Say const& say) { return say.text.find(words) != std::string::npos; });
}

LogEntry later(Bench const& bench, std::uint64_t seq, std::string_view name = "kiosk") {
    auto entry = bench.release(seq, name);
    entry.prev = Seq{2};
    return entry;
}

}  // namespace

TEST_CASE("a node that has recorded nothing takes the newest releases and the place of the log from a snapshot") {
    Bench bench;
    bench.check_in(9);
    bench.hear(Snapshot{epoch, std::nullopt, {bench.release(4)}, Seq{9}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{9}});
    auto const actions = bench.all_durable();
    CHECK(last_report(actions).seq == Seq{4});
    CHECK(sent<Sync>(actions).empty());
    CHECK_FALSE(any<Persist>(bench.announce(bench.release(9))));
    CHECK(any<Persist>(bench.announce(bench.release(10))));
}

TEST_CASE("a log of another epoch is asked for, and nothing of it is taken before its snapshot is here") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const strange = bench.on(AnnouncementHeard{Update{renewed, later(bench, 3)}});
    CHECK_FALSE(any<Persist>(strange));
    auto const sync = sent<Sync>(strange);
    REQUIRE(sync.size() == 1);
    CHECK(sync[0].epoch == epoch);
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});

    bench.hear(Snapshot{renewed, std::nullopt, {later(bench, 3)}, Seq{3}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{renewed, Seq{3}});
    CHECK(last_report(bench.all_durable()).seq == Seq{3});
}

TEST_CASE("the cursor moves with the last page of a snapshot, to the head of the first one") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{8}, {}, 0}});
    auto const first = bench.hear(Snapshot{renewed, std::nullopt, {bench.release(5, "bar")}, Seq{8}, software("bar")});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
    auto const next = sent<Sync>(first);
    REQUIRE(next.size() == 1);
    CHECK(next[0].after == software("bar"));
    CHECK(next[0].epoch == epoch);
    bench.all_durable();
    CHECK(bench.state("bar").entry.seq == Seq{5});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});

    auto const last = bench.hear(Snapshot{renewed, software("bar"), {bench.release(7)}, Seq{9}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{renewed, Seq{8}});
    CHECK(sent<Sync>(last).size() == 1);  // what came after the first page
    bench.all_durable();
    CHECK(bench.state().entry.seq == Seq{7});
}

TEST_CASE("a snapshot that changes between two pages is asked for from its beginning") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{8}, {}, 0}});
    bench.hear(Snapshot{renewed, std::nullopt, {bench.release(5, "bar")}, Seq{8}, software("bar")});
    auto const strange = bench.hear(Snapshot{Epoch{79}, software("bar"), {bench.release(7)}, Seq{9}, std::nullopt});
    auto const sync = sent<Sync>(strange);
    REQUIRE(sync.size() == 1);
    CHECK_FALSE(sync[0].after.has_value());
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
}

TEST_CASE("a page that says to go on where it began ends in a new beginning, not in a loop of pages") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{8}, {}, 0}});
    bench.hear(Snapshot{renewed, std::nullopt, {bench.release(5, "bar")}, Seq{8}, software("bar")});
    auto const again = bench.hear(Snapshot{renewed, software("bar"), {}, Seq{8}, software("bar")});
    CHECK_FALSE(sent<Sync>(again).at(0).after.has_value());
}

TEST_CASE("releases that a restored log has lost stay, are said to be ahead, and are reported again") {
    Bench bench;
    settle(bench, {{1, "bar"}, {2, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{1}, {}, 0}});
    auto const taken = bench.hear(Snapshot{renewed, std::nullopt, {bench.release(1, "bar")}, Seq{1}, std::nullopt});
    CHECK(says(taken, "kiosk 1.2"));
    CHECK_FALSE(says(taken, "bar"));
    CHECK(bench.agent.state().cursor == Cursor{renewed, Seq{1}});
    CHECK(sent<Report>(bench.all_durable()).size() == 2);  // the ledger is as old as the log
    CHECK(bench.state().entry.seq == Seq{2});
    CHECK(bench.state().active->seq == Seq{2});

    bench.on(AnnouncementHeard{Update{renewed, [&] {
        auto entry = bench.release(1'000'001);
        entry.prev = Seq{1};
        return entry;
    }()}});
    CHECK(last_report(bench.all_durable()).seq == Seq{1'000'001});
}

TEST_CASE("another release under a number that is known is not taken for it") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto entry = Bench::release_by(SigningKey::generate(), 1);
    bench.on(AnnouncementHeard{Head{renewed, Seq{1}, {}, 0}});
    auto const taken = bench.hear(Snapshot{renewed, std::nullopt, {entry}, Seq{1}, std::nullopt});
    CHECK(bench.state().entry == bench.release(1));
    CHECK(says(taken, "not in the broker's log"));
}

TEST_CASE("a snapshot of the own log brings what is newer, and nothing is reported twice") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{epoch, Seq{30}, {}, 0}});
    bench.hear(Snapshot{epoch, std::nullopt, {bench.release(1)}, Seq{30}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{30}});
    CHECK(sent<Report>(bench.all_durable()).empty());
}

TEST_CASE("a log that ends before the cursor is shown what it has lost, once a session") {
    Bench bench;
    settle(bench, {{1, "kiosk"}, {2, "kiosk"}});
    bench.idle(2min);
    REQUIRE(any<OpenExchange>(bench.on(AnnouncementHeard{Head{epoch, Seq{1}, {}, 0}})));
    auto const actions = bench.welcome(1);
    auto const witness = sent<Witness>(actions);
    REQUIRE(witness.size() == 1);
    CHECK(witness[0].entry == bench.release(2));
    CHECK(sent<Witness>(bench.on(AnnouncementHeard{Head{epoch, Seq{1}, {}, 0}})).empty());
    CHECK(sent<Witness>(bench.idle(40s)).empty());
}

TEST_CASE("a release that is announced again is reported again, or recorded if it passed by") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const again = bench.hear(Update{epoch, bench.release(1)});
    CHECK(sent<Report>(again).empty());  // not before it is durable
    CHECK(last_report(bench.all_durable()).state == NodeState::active);
    CHECK_FALSE(any<Persist>(bench.hear(Update{epoch, bench.release(1)})));  // that report is not noted yet

    bench.hear(Update{epoch, bench.release(1, "bar")});
    CHECK(last_report(bench.all_durable()).software == software("bar"));
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
}

TEST_CASE("a release that no trusted key signed is reported as failed, and nothing of it is fetched") {
    Bench bench;
    bench.check_in();
    bench.announce(Bench::release_by(SigningKey::generate(), 1));
    auto const actions = bench.all_durable();
    CHECK(sent<Fetch>(actions).empty());
    auto const report = last_report(actions);
    CHECK(report.state == NodeState::failed);
    CHECK_FALSE(report.why.empty());
    CHECK(sent<Fetch>(bench.idle(5min)).empty());
}

TEST_CASE("a release for groups passes by, and the cursor with it") {
    Bench bench;
    bench.check_in();
    UpdateInfo info{software(), Bench::version(1), {}, {{*ArchitectureName::parse("any"), Bench::manifest(1), Bytes(100), Bytes(50), 1}},
                    {*GroupName::parse("canary")}};
    bench.announce({Seq{1}, Seq{0}, {}, seal(encode(info), domain::update_info, bench.key)});
    bench.all_durable();
    CHECK(bench.agent.state().software.empty());
    CHECK(bench.agent.state().cursor.seq == Seq{1});
}

TEST_CASE("a release without a build for this machine is reported as failed") {
    Bench bench;
    bench.check_in();
    UpdateInfo info{software(), Bench::version(1), {}, {{*ArchitectureName::parse("riscv64"), Bench::manifest(1), Bytes(100), Bytes(50), 1}}, {}};
    bench.announce({Seq{1}, Seq{0}, {}, seal(encode(info), domain::update_info, bench.key)});
    auto const actions = bench.all_durable();
    CHECK(last_report(actions).state == NodeState::failed);
    CHECK(sent<Fetch>(actions).empty());
}

// ---- the way of a release ----

TEST_CASE("a first release is fetched, staged, activated without a look, and reported at each durable step") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    CHECK(sent<Fetch>(bench.to_fetching(1)).at(0).items.at(0).object == Bench::segment(1).digest);
    auto actions = bench.object_comes(Bench::segment(1).digest, Bytes(50));
    auto const order = only<StageRelease>(actions).materials;
    CHECK(order.manifest == Bench::manifest(1));
    CHECK(order.objects.size() == 2);
    CHECK_FALSE(order.seed);

    actions = bench.on(StageEnded{Bench::id(1), {}, {}});
    CHECK(sent<Report>(actions).empty());
    actions = bench.all_durable();
    CHECK_FALSE(any<ProbeUse>(actions));
    CHECK(sent<Report>(actions).at(0).state == NodeState::distributed);
    CHECK(only<SwitchCurrent>(actions).release == Bench::id(1));
    actions = bench.on(SwitchEnded{Bench::id(1), {}});
    CHECK(sent<Report>(actions).empty());
    actions = bench.all_durable();
    CHECK(last_report(actions).state == NodeState::active);
    CHECK(last_report(actions).active == Seq{1});
    CHECK(only<RemoveVersions>(actions).keep == std::vector{Bench::id(1)});
    CHECK_FALSE(all<DropObjects>(actions).empty());
}

TEST_CASE("the next release is planned from the active one, which stays as the previous one") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2);
    auto const actions = bench.object_comes(Bench::manifest(2), Bytes(100));
    CHECK(only<MakePlan>(actions).materials.seed == Bench::id(1));
    bench.on(PlanMade{Bench::id(2), Plan{}});
    bench.on(StageEnded{Bench::id(2), {}, {}});
    bench.all_durable();
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    CHECK(only<RemoveVersions>(bench.all_durable()).keep == std::vector{Bench::id(2), Bench::id(1)});
}

TEST_CASE("the switch is ordered only after it is in the journal") {
    Bench bench;
    REQUIRE(any<ProbeUse>(second_staged(bench)));
    CHECK_FALSE(any<SwitchCurrent>(bench.on(UseFound{software(), UseAnswer::free, {}, ""})));
    CHECK(only<SwitchCurrent>(bench.all_durable()).release == Bench::id(2));
}

TEST_CASE("a newer release replaces the target in every phase, and only the newest becomes active") {
    auto const stop_at = GENERATE(0, 1, 2, 3, 4, 5, 6, 7, 8);
    INFO("stage " << stop_at);
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.announce(bench.release(2));
    if (stop_at >= 1) bench.all_durable();  // announced
    if (stop_at >= 2) bench.object_comes(Bench::manifest(2), Bytes(100));  // plan ordered
    if (stop_at >= 3) bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}}});  // fetching
    if (stop_at >= 4) bench.object_comes(Bench::segment(2).digest, Bytes(50));      // tree ordered
    if (stop_at >= 5) bench.on(StageEnded{Bench::id(2), {}, {}});                   // staged, not durable
    if (stop_at >= 6) bench.all_durable();                                          // probe ordered
    if (stop_at >= 7) bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use"});
    if (stop_at >= 8) {
        bench.all_durable();
        bench.on(UseMayHaveEnded{software()});
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});  // switching, not durable
    }
    auto recorded = bench.announce(bench.release(3));
    Bench::append(recorded, bench.all_durable());
    CHECK(any<LetGo>(recorded) == (stop_at >= 7));
    CHECK_FALSE(any<SwitchCurrent>(recorded));

    // What the workers were at ends now.
    Actions actions;
    if (stop_at == 2) Bench::append(actions, bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}}}));
    if (stop_at == 4) Bench::append(actions, bench.on(StageEnded{Bench::id(2), {}, {}}));
    if (stop_at == 6) {
        Bench::append(actions, bench.on(UseFound{software(), UseAnswer::free, {}, ""}));
        CHECK(any<LetGo>(actions));
    }
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(bench.state().entry.seq == Seq{3});
    CHECK(bench.state().phase == Phase::announced);
    bench.to_active(3);
    CHECK(bench.state().active == ReleaseRef{Seq{3}, Bench::version(3)});
}

TEST_CASE("a release that comes in the instant of the switch is installed after it") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    REQUIRE(any<SwitchCurrent>(bench.all_durable()));
    bench.announce(bench.release(3));
    auto actions = bench.all_durable();
    CHECK_FALSE(any<LetGo>(actions));  // the switch has the lock
    CHECK(sent<Fetch>(actions).empty());
    bench.on(SwitchEnded{Bench::id(2), {}});
    actions = bench.all_durable();
    auto const report = last_report(actions);
    CHECK(report.seq == Seq{3});
    CHECK(report.active == Seq{2});
    CHECK(sent<Fetch>(actions).size() == 1);
}

TEST_CASE("three releases in one page: only the newest is fetched") {
    Bench bench;
    bench.check_in();
    bench.on(AnnouncementHeard{Head{epoch, Seq{3}, {}, 0}});
    auto actions = bench.hear(LogPage{epoch, Seq{0}, {bench.release(1), bench.release(2), bench.release(3)}, Seq{3}});
    Bench::append(actions, bench.all_durable());
    auto const fetch = sent<Fetch>(actions);
    REQUIRE(fetch.size() == 1);
    CHECK(fetch[0].seq == Seq{3});
}

// ---- failures ----

TEST_CASE("a failure is reported and tried again after a pause that doubles") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    bench.on(PlanMade{Bench::id(1), fail(Fault::no_space, "disk full")});
    auto const report = last_report(bench.all_durable());
    CHECK(report.state == NodeState::failed);
    CHECK(report.why == "disk full");
    bench.hear(Noted{software(), report.revision});
    bench.all_durable();
    CHECK_FALSE(any<MakePlan>(bench.idle(59s)));
    CHECK(any<MakePlan>(bench.idle(2s)));
    bench.on(PlanMade{Bench::id(1), fail(Fault::no_space, "disk full")});
    bench.all_durable();
    CHECK_FALSE(any<MakePlan>(bench.idle(119s)));
    CHECK(any<MakePlan>(bench.idle(2s)));
}

TEST_CASE("on a disk that stays full it is tried every five minutes, other failures wait up to an hour") {
    for (auto const& [fault, most] : {std::pair{Fault::no_space, 5min}, std::pair{Fault::failed, 60min}}) {
        Bench bench;
        bench.check_in();
        bench.record(1);
        auto actions = bench.object_comes(Bench::manifest(1), Bytes(100));
        for (int i = 0; i < 10; ++i) {
            REQUIRE(any<MakePlan>(actions));
            bench.on(PlanMade{Bench::id(1), fail(fault, "not now")});
            bench.all_durable();
            actions = bench.idle(most);
        }
        CHECK(any<MakePlan>(actions));
        bench.on(PlanMade{Bench::id(1), fail(fault, "not now")});
        bench.all_durable();
        CHECK_FALSE(any<MakePlan>(bench.idle(most - 1s)));
    }
}

TEST_CASE("what failed is tried at once by a node that is started anew") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    bench.on(PlanMade{Bench::id(1), fail(Fault::failed, "input/output error")});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::failed);
    Bench again(bench.agent.state(), {}, std::move(bench.key));
    again.start();
    CHECK(any<MakePlan>(again.idle(0s)));
}

TEST_CASE("an object that cannot be written is a failure, and what was durable of it is kept") {
    Bench bench;
    auto const large = fetch_large(bench);
    auto const shape = raw(large);
    for (std::uint64_t i = 0; i < 5; ++i) bench.hear(Data{shape, MiB(i)}, MiB(1));
    bench.on(ObjectSynced{large.digest, MiB(4)});
    bench.on(ObjectUnwritten{large.digest, {Fault::no_space, "disk full"}});
    CHECK(last_report(bench.all_durable()).state == NodeState::failed);
    CHECK(bench.hear(Data{shape, MiB(5)}, MiB(1)).size() == 1);  // late: acknowledged, not stored
    auto const again = bench.idle(61s);
    REQUIRE(any<MakePlan>(again));
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    auto const fetch = sent<Fetch>(bench.reconnect(1));
    CHECK(fetch.at(0).items.at(0).offset == MiB(4));
}

TEST_CASE("what could not be written and is not recorded leaves no file behind") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    auto const segment = Bench::segment(1);
    bench.hear(Data{{segment.digest, ObjectCodec::raw, segment.size, segment.size}, Bytes()}, segment.size);
    auto const actions = bench.on(ObjectUnwritten{segment.digest, {Fault::no_space, "disk full"}});
    CHECK(only<DropObjects>(actions).objects == std::vector{segment.digest});
}

TEST_CASE("an object of several frames is recorded when it begins, and begins anew if it cannot be written") {
    Bench bench;
    auto const large = fetch_large(bench);
    auto const shape = raw(large);
    bench.hear(Data{shape, Bytes()}, KiB(256));
    CHECK(bench.agent.state().objects.at(large.digest) == ObjectRecord{shape, Bytes(), false});
    bench.hear(Data{shape, KiB(256)}, KiB(256));
    auto const actions = bench.on(ObjectUnwritten{large.digest, {Fault::no_space, "disk full"}});
    CHECK(only<DropObjects>(actions).objects == std::vector{large.digest});
    bench.all_durable();
    bench.idle(61s);
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    CHECK(sent<Fetch>(bench.reconnect(1)).at(0).items.at(0).offset == Bytes());
}

TEST_CASE("a damaged object is dropped, file and record, and fetched again after a pause") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    auto const segment = Bench::segment(1);
    bench.hear(Data{{segment.digest, ObjectCodec::raw, segment.size, segment.size}, Bytes()}, segment.size);
    bench.on(ObjectFinished{segment.digest, fail(Fault::damaged, "wrong digest")});
    auto const actions = bench.all_durable();
    CHECK(only<DropObjects>(actions).objects == std::vector{segment.digest});
    CHECK(bench.state().phase == Phase::failed);
    REQUIRE(any<MakePlan>(bench.idle(61s)));
    bench.on(PlanMade{Bench::id(1), Plan{{segment}}});
    CHECK(sent<Fetch>(bench.reconnect(1)).at(0).items.at(0).offset == Bytes());
}

TEST_CASE("an object that the broker does not have at that offset is asked for from its beginning the next time") {
    Bench bench;
    auto const large = fetch_large(bench);
    auto const shape = raw(large);
    bench.hear(Data{shape, Bytes()}, MiB(1));
    bench.hear(Absent{large.digest});
    CHECK(bench.state().phase == Phase::failed);
    bench.all_durable();
    bench.idle(61s);
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    auto const fetch = sent<Fetch>(bench.reconnect(1));
    CHECK(fetch.at(0).items.at(0).offset == Bytes());
    // One that is here already may be absent there.
    CHECK_FALSE(any<Persist>(bench.hear(Absent{Bench::manifest(1)})));
}

TEST_CASE("damage that staging finds is fetched again at once; with nothing to fetch it is a failure") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(1), fail(Fault::damaged, "bad"), {Bench::segment(1)}});
    auto const actions = bench.all_durable();
    CHECK(sent<Fetch>(actions).size() <= 1);
    CHECK(bench.state().phase == Phase::fetching);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(1), fail(Fault::no_space, "full"), {}});
    CHECK(bench.state().phase == Phase::failed);
}

TEST_CASE("what the installed release cannot give, because it is damaged, is fetched as well") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    auto const lacking = Bench::segment(7);
    auto const actions = bench.on(StageEnded{Bench::id(1), fail(Fault::not_found, "the file it lies in was changed"), {lacking}});
    auto const fetch = sent<Fetch>(actions);
    REQUIRE(fetch.size() == 1);
    REQUIRE(fetch[0].items.size() == 1);
    CHECK(fetch[0].items[0].object == lacking.digest);
    auto const stage = only<StageRelease>(bench.object_comes(lacking.digest, Bytes(50)));
    CHECK(stage.materials.objects.contains(lacking.digest));
    CHECK(stage.materials.objects.contains(Bench::segment(1).digest));
}

TEST_CASE("a plan or tree that ends after its release was given up is passed over") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));  // the tree is being built
    bench.on(ObjectUnwritten{Bench::segment(1).digest, {Fault::no_space, "a late report of the disk"}});
    REQUIRE(bench.state().phase == Phase::failed);
    bench.on(StageEnded{Bench::id(1), fail(Fault::damaged, "bad"), {Bench::segment(1)}});
    CHECK(bench.state().phase == Phase::failed);
}

TEST_CASE("a staged tree that has vanished is made again") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), fail(Fault::not_found, "no such tree")});
    bench.all_durable();
    CHECK(bench.state().phase == Phase::announced);
    CHECK(bench.state().active == ReleaseRef{Seq{1}, Bench::version(1)});
}

// ---- use ----

TEST_CASE("holders are told once, and the release is activated when the last one has gone") {
    Bench bench;
    second_staged(bench);
    auto actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    CHECK(only<WatchUse>(actions).holders.size() == 1);
    CHECK(only<TellHolders>(actions).ready == Bench::id(2));
    bench.all_durable();
    auto told = holder(5);
    told.told = bench.now.wall;
    bench.on(HoldersTold{software(), {told}});
    actions = bench.all_durable();
    auto const report = last_report(actions);
    CHECK(report.state == NodeState::waiting);
    CHECK(report.why == "in use by 1 process");
    CHECK(report.holders == std::vector{told});

    // Looked at again, nothing has changed: nobody is told, nothing is reported.
    bench.on(UseMayHaveEnded{software()});
    actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    CHECK(any<WatchUse>(actions));
    CHECK_FALSE(any<TellHolders>(actions));
    CHECK_FALSE(any<Persist>(actions));

    // A second one: the first keeps the time at which it was told.
    bench.idle(1s);
    bench.on(UseMayHaveEnded{software()});
    actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5), holder(6)}, "in use by 2 processes"});
    CHECK(only<TellHolders>(actions).holders.at(0).told == told.told);
    CHECK_FALSE(only<TellHolders>(actions).holders.at(1).told);
    bench.all_durable();

    REQUIRE(any<ProbeUse>(bench.on(UseMayHaveEnded{software()})));
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(any<SwitchCurrent>(bench.all_durable()));
}

TEST_CASE("a release that does not wait is switched to under its users, who are not told to end") {
    Bench bench;
    bench.policy = Policy::now;
    second_staged(bench);
    auto const found = GENERATE(UseAnswer::in_use, UseAnswer::unknown);
    auto actions = bench.on(UseFound{software(), found, {holder(5)}, "in use by 1 process"});
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK_FALSE(any<TellHolders>(actions));
    CHECK(only<SwitchCurrent>(bench.all_durable()).release == Bench::id(2));
}

TEST_CASE("a look that fails is not 'not in use'") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::unknown, {}, "/proc cannot be read"});
    auto const actions = bench.all_durable();
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(last_report(actions).state == NodeState::waiting);
    CHECK(last_report(actions).why.find("/proc cannot be read") != std::string::npos);
}

TEST_CASE("no report names more holders than one may") {
    Bench bench;
    second_staged(bench);
    std::vector<Holder> many;
    for (std::uint64_t pid = 1; pid <= 100; ++pid) many.push_back(holder(pid));
    bench.on(UseFound{software(), UseAnswer::in_use, many, "in use by 100 processes"});
    CHECK(last_report(bench.all_durable()).holders.size() == limits::holders_per_report);
}

// ---- restart ----

TEST_CASE("after a crash before the switch the version is looked at again: the lock is gone") {
    Bench before;
    second_staged(before);
    before.on(UseFound{software(), UseAnswer::free, {}, ""});
    before.all_durable();
    REQUIRE(before.state().phase == Phase::switching);

    Agent after({.node = {}, .architecture = *ArchitectureName::parse("amd64"), .program = "", .boot = "",
                 .trusted = TrustedKeys({before.key.public_key()}), .fetch = {}, .link = {}},
                before.agent.state(), {{software(), Bench::id(1)}});
    auto const actions = after.start(before.now);
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(only<ProbeUse>(actions).active == Bench::id(1));
}

TEST_CASE("after a crash behind the switch it is only confirmed") {
    Bench before;
    second_staged(before);
    before.on(UseFound{software(), UseAnswer::free, {}, ""});
    before.all_durable();
    Agent after({.node = {}, .architecture = *ArchitectureName::parse("amd64"), .program = "", .boot = "",
                 .trusted = TrustedKeys({before.key.public_key()}), .fetch = {}, .link = {}},
                before.agent.state(), {{software(), Bench::id(2)}});
    CHECK(only<SwitchCurrent>(after.start(before.now)).release == Bench::id(2));
    auto const actions = after.on(SwitchEnded{Bench::id(2), {}}, before.now);
    CHECK(any<Persist>(actions));
    CHECK(after.state().software.at(software()).previous == ReleaseRef{Seq{1}, Bench::version(1)});
}

TEST_CASE("a crash while fetching makes a new plan, and objects that are here are not asked for") {
    Bench before;
    before.check_in();
    before.record(1);
    before.to_fetching(1);
    before.object_comes(Bench::segment(1).digest, Bytes(50));
    Agent after({.node = {}, .architecture = *ArchitectureName::parse("amd64"), .program = "", .boot = "",
                 .trusted = TrustedKeys({before.key.public_key()}), .fetch = {}, .link = {}},
                before.agent.state(), {});
    CHECK(only<MakePlan>(after.start(before.now)).materials.release == Bench::id(1));
    auto const actions = after.on(PlanMade{Bench::id(1), Plan{{Bench::segment(1)}}}, before.now);
    CHECK(any<StageRelease>(actions));
}

TEST_CASE("a crash between the switch and the removal of old versions does not leave them until the next release") {
    Bench before;
    before.check_in();
    for (std::uint64_t seq = 1; seq <= 3; ++seq) {
        before.record(seq);
        before.to_active(seq);
    }
    Bench after(before.agent.state(), {{software(), Bench::id(3)}}, *SigningKey::from_pem(before.key.to_pem(""), ""));
    CHECK(only<RemoveVersions>(after.start()).keep == std::vector{Bench::id(3), Bench::id(2)});
}

TEST_CASE("what current points to outranks the journal") {
    Bench before;
    before.check_in();
    before.record(1);
    before.to_active(1);
    Agent after({.node = {}, .architecture = *ArchitectureName::parse("amd64"), .program = "", .boot = "",
                 .trusted = TrustedKeys({before.key.public_key()}), .fetch = {}, .link = {}},
                before.agent.state(), {});
    (void)after.start(before.now);
    CHECK(after.state().software.at(software()).phase == Phase::announced);
    CHECK_FALSE(after.state().software.at(software()).active);
}

// ---- reports and sessions ----

TEST_CASE("a report is repeated until it is noted, and never sent before it is durable") {
    Bench bench;
    bench.check_in();
    auto actions = bench.announce(bench.release(1));
    CHECK(sent<Report>(bench.idle(14s)).empty());  // the disk takes its time
    auto const report = last_report(bench.all_durable());
    CHECK(sent<Report>(bench.idle(14s)).empty());
    CHECK(sent<Report>(bench.idle(2s)) == std::vector{report});
    CHECK(sent<Report>(bench.idle(15s)) == std::vector{report});
    bench.hear(Noted{software(), report.revision + 1});  // not this one
    CHECK(sent<Report>(bench.idle(15s)) == std::vector{report});
    bench.hear(Noted{software(), report.revision});
    CHECK(bench.agent.state().outbox.empty());
    CHECK(sent<Report>(bench.idle(40s)).empty());
}

TEST_CASE("a report that was not noted is sent again in the next session and after a restart") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.on(ExchangeLost{"broken"});
    auto const opened = bench.idle(2s);
    REQUIRE(any<OpenExchange>(opened));
    CHECK(sent<Report>(bench.welcome(1)) == std::vector{report});

    Bench after(bench.agent.state(), {}, *SigningKey::from_pem(bench.key.to_pem(""), ""));
    REQUIRE(any<OpenExchange>(after.start()));
    CHECK(sent<Report>(after.welcome(1)) == std::vector{report});
}

TEST_CASE("HELLO names only what is recorded durably") {
    Bench bench;
    bench.start();
    bench.announce(bench.release(1));
    auto const hello = sent<Hello>(bench.on(ExchangeReady{}));
    REQUIRE(hello.size() == 1);
    CHECK(hello[0].cursor == Seq{0});
}

TEST_CASE("bytes that are lost on the way are asked for again in a new session") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.hear(Noted{software(), report.revision});
    bench.all_durable();
    for (int i = 0; i < 8; ++i) {  // FETCH was lost; pings are answered
        CHECK_FALSE(any<CloseExchange>(bench.idle(20s)));
        bench.hear(Pong{});
    }
    auto const given_up = bench.idle(21s);
    CHECK(any<CloseExchange>(given_up));
    CHECK(any<OpenExchange>(given_up));
    CHECK(sent<Fetch>(bench.welcome(1)).size() == 1);
}

TEST_CASE("whoever is in the queue waits as long as the broker says so") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.hear(Noted{software(), report.revision});
    bench.all_durable();
    for (int i = 0; i < 60; ++i) {
        bench.hear(Queued{7, "64 transfers are being served"});
        CHECK_FALSE(any<CloseExchange>(bench.idle(59s)));
    }
}

TEST_CASE("whoever is told that nothing may flow waits; whoever is promised bytes and gets none does not") {
    auto const rate = GENERATE(std::uint64_t{0}, std::uint64_t{1000});
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    bench.hear(Noted{software(), report.revision});
    bench.all_durable();
    bool left = false;
    for (int i = 0; i < 60 && !left; ++i) {
        auto const actions = bench.hear(Grant{rate, "others use the way to this node"});
        CHECK(any<ShowFlow>(actions));
        left = any<CloseExchange>(bench.idle(59s));
    }
    CHECK(left == (rate > 0));
}

TEST_CASE("a broken peer is left") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    auto const actions = bench.hear(Data{{Bench::manifest(1), ObjectCodec::raw, Bytes(100), Bytes(100)}, Bytes(50)}, Bytes(10));
    CHECK(any<CloseExchange>(actions));
    CHECK_FALSE(any<StoreFrame>(actions));
}

TEST_CASE("an idle session is closed although the broker pings") {
    Bench bench;
    bench.check_in();
    for (int i = 0; i < 2; ++i) {
        CHECK_FALSE(any<CloseExchange>(bench.idle(29s)));
        CHECK(sent<Pong>(bench.hear(Ping{})).size() == 1);
    }
    CHECK(any<CloseExchange>(bench.idle(3s)));
}

TEST_CASE("whatever was told, the agent never wants to be woken in the past") {
    Bench bench;
    bench.check_in();
    auto const well = [&] {
        auto const wake = bench.agent.wake();
        return !wake || *wake > bench.now.point;
    };
    CHECK(well());
    bench.announce(bench.release(1));
    CHECK(well());
    bench.idle(16s);  // the batch is still not durable
    CHECK(well());
    bench.all_durable();
    CHECK(well());
    bench.to_staged(1);
    CHECK(well());
    bench.on(SwitchEnded{Bench::id(1), {}});
    CHECK(well());
    for (int i = 0; i < 200; ++i) {
        bench.idle(20s);
        CHECK(well());
        bench.on(Tick{});
        CHECK(well());
    }
}

// ---- looking after what is installed ----

namespace {

// What the agent wants looked at after this time.
std::vector<ScanTrees> scans_in(Bench& bench, Duration time) { return all<ScanTrees>(bench.idle(time)); }

// Ends a look at the only tree, with this finding.
Actions looked(Bench& bench, ScanTrees const& order, TreeFindings findings) {
    findings.release = order.releases.at(0);
    return bench.on(TreesScanned{order.software, order.read_all, false, {}, {std::move(findings)}});
}

ScanTrees first_look(Bench& bench) {
    auto const orders = scans_in(bench, 13min);
    REQUIRE(orders.size() == 1);
    return orders[0];
}

}  // namespace

TEST_CASE("installed trees are looked at every ten minutes or so, and read in full once a day") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    CHECK(scans_in(bench, 7min).empty());
    int all_read = 0;
    int looks = 0;
    for (int hour = 0; hour < 48; ++hour) {
        for (int minute = 0; minute < 60; minute += 5) {
            for (auto const& order : scans_in(bench, 5min)) {
                CHECK(order.releases == std::vector<ReleaseId>{Bench::id(1)});
                ++looks;
                all_read += order.read_all ? 1 : 0;
                looked(bench, order, {});
                bench.all_durable();
            }
        }
    }
    CHECK(all_read == 2);
    CHECK(looks > 48 * 60 / 13);
    CHECK(looks < 48 * 60 / 7);
}

TEST_CASE("a clock that was set back does not put the full look off") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    looked(bench, first_look(bench), {});
    CHECK_FALSE(first_look(bench).read_all);
    looked(bench, ScanTrees{software(), Bench::id(1), {Bench::id(1)}, {}, false}, {});
    bench.now.wall.micros -= std::int64_t{86'400} * 365 * 1'000'000;
    CHECK(first_look(bench).read_all);
}

TEST_CASE("what was put right is said to the operator once, until the next release") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    TreeFindings findings;
    findings.mended = 2;
    findings.example = "bin/app: contents differ";
    auto const order = first_look(bench);
    bench.reconnect(1);
    looked(bench, order, findings);
    auto const report = last_report(bench.all_durable());
    CHECK(report.state == NodeState::active);
    CHECK(report.why.find("bin/app") != std::string::npos);
    bench.hear(Noted{software(), report.revision});
    bench.all_durable();
    CHECK(bench.agent.state().scans.at(software()).mended == 2);
    looked(bench, first_look(bench), {});
    CHECK(sent<Report>(bench.all_durable()).empty());

    bench.reconnect(1);
    bench.record(2);
    bench.to_active(2);
    CHECK(bench.state().why.empty());
}

TEST_CASE("what could not be removed is removed after a look, but nothing is while a release is under way") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const order = first_look(bench);
    CHECK(only<RemoveVersions>(looked(bench, order, {})).keep == std::vector{Bench::id(1)});
    bench.all_durable();
    auto const again = first_look(bench);
    bench.reconnect(1);
    bench.record(2);
    bench.to_staged(2);
    CHECK_FALSE(any<RemoveVersions>(looked(bench, again, {})));
}

TEST_CASE("bytes that are lacking are fetched, and the tree is looked at again when they are here") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    TreeFindings findings;
    findings.left = 1;
    findings.example = "bin/app: contents differ";
    findings.lacking = {Bench::segment(1)};
    auto const order = first_look(bench);
    if (!bench.agent.link().open()) bench.reconnect(1);
    auto actions = looked(bench, order, findings);
    Bench::append(actions, bench.all_durable());
    if (any<OpenExchange>(actions)) Bench::append(actions, bench.welcome(1));
    auto const fetch = sent<Fetch>(actions);
    REQUIRE(fetch.size() == 1);
    CHECK(fetch[0].items.at(0).object == Bench::segment(1).digest);

    auto const again = only<ScanTrees>(bench.object_comes(Bench::segment(1).digest, Bytes(50)));
    CHECK(again.objects.contains(Bench::segment(1).digest));
    TreeFindings right;
    right.mended = 1;
    right.example = findings.example;
    looked(bench, again, right);
    CHECK(last_report(bench.all_durable()).why.find("put right") != std::string::npos);
    CHECK_FALSE(bench.agent.fetcher().anything_missing());
    CHECK(bench.agent.state().objects.empty());
}

TEST_CASE("a current that points elsewhere is pointed back, unless another release is active by now") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const order = first_look(bench);
    TreesScanned const astray{order.software, false, false, Bench::id(1), {{Bench::id(1), 0, 0, "", {}, {}}}};
    SECTION("it still is the active one") {
        CHECK(only<PointBack>(bench.on(astray)).release == Bench::id(1));
        CHECK(bench.agent.state().scans.at(software()).mended == 1);
    }
    SECTION("the next one was activated while its trees were looked at") {
        bench.reconnect(1);
        bench.record(2);
        bench.to_active(2);
        CHECK_FALSE(any<PointBack>(bench.on(astray)));
        CHECK(bench.agent.state().scans.at(software()).mended == 0);
    }
    SECTION("the next one is being switched to") {
        bench.reconnect(1);
        bench.record(2);
        bench.to_staged(2);
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        CHECK_FALSE(any<PointBack>(bench.on(astray)));
    }
}

TEST_CASE("a release that is lost from the disk is installed again") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    TreeFindings findings;
    findings.status = fail(Fault::not_found, "there is no such tree");
    auto const order = first_look(bench);
    if (!bench.agent.link().open()) bench.reconnect(1);
    looked(bench, order, findings);
    auto actions = bench.all_durable();
    CHECK(bench.state().phase == Phase::announced);
    if (any<OpenExchange>(actions)) bench.welcome(1);
    bench.to_active(1);
    CHECK(bench.state().phase == Phase::active);
}

TEST_CASE("an interrupted look changes nothing, and nothing is looked at while a release is being switched") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const order = first_look(bench);
    CHECK(scans_in(bench, 1h).empty());  // one at a time
    bench.on(TreesScanned{order.software, true, true, {}, {}});
    CHECK(bench.agent.state().scans.at(software()).read == WallTime{});
    bench.reconnect(1);
    bench.record(2);
    bench.to_staged(2);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::switching);
    CHECK(scans_in(bench, 1h).empty());
}
