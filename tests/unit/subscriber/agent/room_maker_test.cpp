#include "subscriber/agent/room_maker.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

// A release for which the disk has too little room, and what the node gives up for it.

namespace room_maker_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

ReleaseRef ref(std::uint64_t seq) { return {Seq{seq}, Bench::version(seq)}; }

// A release with a number of its own becomes active.
void install(Bench& bench, std::uint64_t seq, std::string_view name = "kiosk") {
    bench.record(seq, name);
    bench.to_active(seq, name);
}

// The release is announced, and there is no room for what its plan needs.
Actions lacks_room(Bench& bench, std::uint64_t seq, std::string_view name = "kiosk") {
    bench.record(seq, name);
    bench.object_comes(Bench::manifest(seq), Bytes(100));
    Plan plan{{Bench::segment(seq)}};
    plan.no_room = Error{Fault::no_space, "no room"};
    auto actions = bench.on(PlanMade{Bench::id(seq, name), plan});
    Bench::append(actions, bench.all_durable());
    return actions;
}

Actions no_room_again(Bench& bench, std::uint64_t seq, std::string_view name = "kiosk") {
    Plan plan{{Bench::segment(seq)}};
    plan.no_room = Error{Fault::no_space, "no room"};
    auto actions = bench.on(PlanMade{Bench::id(seq, name), plan});
    Bench::append(actions, bench.all_durable());
    return actions;
}

Actions room_made(Bench& bench, std::vector<ReleaseId> there, std::string_view name = "kiosk") {
    auto actions = bench.on(RoomMade{software(name), std::move(there)});
    Bench::append(actions, bench.all_durable());
    return actions;
}

bool says(Actions const& actions, std::string_view text) {
    for (auto const& say : all<Say>(actions)) {
        if (say.text.find(text) != std::string::npos) return true;
    }
    return false;
}

std::vector<ReleaseId> order_of_loss(std::string_view asker, std::vector<Expendable> versions) {
    return in_order_of_loss(software(asker), std::move(versions));
}

}  // namespace

TEST_CASE("own older versions are lost first, then those of others from the oldest on, and ways back last") {
    using Worth = Expendable::Worth;
    CHECK(order_of_loss("kiosk", {{Bench::id(1, "browser"), Worth::way_back},
                                  {Bench::id(9, "player"), Worth::older},
                                  {Bench::id(3, "browser"), Worth::older},
                                  {Bench::id(4), Worth::way_back},
                                  {Bench::id(7), Worth::older}}) == std::vector{Bench::id(7), Bench::id(3, "browser"),
                                                                                Bench::id(9, "player"), Bench::id(4),
                                                                                Bench::id(1, "browser")});
}

TEST_CASE("the version before the active one is given up for a release that lacks room, which is tried at once") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    auto const asked = lacks_room(bench, 3);
    CHECK(only<MakeRoom>(asked).software == software());
    CHECK(only<MakeRoom>(asked).only == Bench::id(1));
    CHECK(bench.state().phase == Phase::announced);

    auto const made = room_made(bench, {Bench::id(2)});
    CHECK(only<MakePlan>(made).materials.release == Bench::id(3));
    CHECK(says(made, "kiosk 1.1 was given up, because kiosk 1.3 needs its room"));
    CHECK_FALSE(bench.state().previous);
    CHECK(bench.state().active == ref(2));
    CHECK(bench.state().room == "kept 1 version: room was needed for kiosk 1.3");
    CHECK(last_report(made).why == "kept 1 version: room was needed for kiosk 1.3");
}

TEST_CASE("a version that was given up is no longer told of when there are two again") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    lacks_room(bench, 3);
    room_made(bench, {Bench::id(2)});
    bench.on(PlanMade{Bench::id(3), Plan{{Bench::segment(3)}}});
    bench.object_comes(Bench::segment(3).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(3), {}, {}});
    bench.all_durable();
    CHECK(bench.state().room);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(3), {}});
    bench.all_durable();
    CHECK_FALSE(bench.state().room);
    CHECK(bench.state().previous == ref(2));
}

TEST_CASE("nothing is deleted before the record says so: a crash in between leaves no record of what is gone") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    bench.record(3);
    bench.object_comes(Bench::manifest(3), Bytes(100));
    Plan plan{{Bench::segment(3)}};
    plan.no_room = Error{Fault::no_space, "no room"};
    CHECK_FALSE(any<MakeRoom>(bench.on(PlanMade{Bench::id(3), plan})));
    CHECK_FALSE(bench.agent.state().software.at(software()).previous);
    CHECK(any<MakeRoom>(bench.all_durable()));
}

TEST_CASE("the active version is never given up") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    CHECK_FALSE(any<MakeRoom>(lacks_room(bench, 2)));
    CHECK(bench.state().phase == Phase::failed);
    CHECK(bench.state().why == "no room");
    CHECK(bench.state().active == ref(1));
}

TEST_CASE("a version that is in use stays, and the failure names it") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    lacks_room(bench, 3);
    auto const stays = room_made(bench, {Bench::id(1), Bench::id(2)});
    CHECK(says(stays, "kiosk 1.1 stays although kiosk 1.3 needs its room: a process uses it"));
    CHECK(bench.state().previous == ref(1));
    CHECK_FALSE(bench.state().room);
    REQUIRE(any<MakePlan>(stays));
    CHECK_FALSE(any<MakeRoom>(no_room_again(bench, 3)));
    CHECK(bench.state().phase == Phase::failed);
    CHECK(bench.state().why == "no room; in use, and therefore kept: kiosk 1.1");

    SECTION("the next attempt asks for it again") {
        REQUIRE(any<MakePlan>(bench.idle(61s)));
        CHECK(only<MakeRoom>(no_room_again(bench, 3)).only == Bench::id(1));
    }
}

TEST_CASE("nothing is given up for a release that would not fit all the same") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    bench.record(3);
    bench.object_comes(Bench::manifest(3), Bytes(100));
    Plan plan{{Bench::segment(3)}};
    plan.no_room = Error{Fault::no_space, "no room"};
    plan.lacking = GiB(1);
    bench.on(PlanMade{Bench::id(3), plan});
    auto const order = only<MakeRoom>(bench.all_durable());
    CHECK(order.candidates == std::vector{Bench::id(1)});
    CHECK(order.lacking == GiB(1));
    RoomMade made{software(), std::vector{Bench::id(1), Bench::id(2)}};
    made.hopeless = true;
    REQUIRE(any<MakePlan>(bench.on(made)));
    bench.all_durable();
    CHECK(bench.state().previous == ref(1));
    CHECK_FALSE(any<MakeRoom>(no_room_again(bench, 3)));
    CHECK(bench.state().why == "no room; the room of older versions is not enough");
}

TEST_CASE("where it is unknown what became of a version, it is not relied on any more") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    lacks_room(bench, 3);
    bench.on(RoomMade{software(), fail(Fault::failed, "input/output error")});
    CHECK_FALSE(bench.state().previous);
}

TEST_CASE("the older version of other software goes when the own one is gone") {
    Bench bench;
    bench.check_in();
    install(bench, 1, "browser");
    install(bench, 2, "browser");
    install(bench, 3);
    CHECK(only<MakeRoom>(lacks_room(bench, 4)).only == Bench::id(1, "browser"));
    auto const made = room_made(bench, {Bench::id(2, "browser")}, "browser");
    CHECK(says(made, "browser 1.1 was given up, because kiosk 1.4 needs its room"));
    CHECK(bench.state("browser").room == "kept 1 version: room was needed for kiosk 1.4");
    CHECK_FALSE(bench.state("kiosk").room);
    CHECK_FALSE(any<MakeRoom>(no_room_again(bench, 4)));
    CHECK(bench.state().phase == Phase::failed);
}

TEST_CASE("software whose new version is being verified keeps the one before it") {
    Bench bench;
    bench.check_in();
    install(bench, 1, "browser");
    bench.activation.emplace();
    bench.activation->health.emplace();
    bench.activation->health->program = "bin/check";
    bench.record(2, "browser");
    bench.to_active(2, "browser");
    REQUIRE(bench.state("browser").phase == Phase::verifying);
    bench.activation.reset();
    install(bench, 3);
    CHECK_FALSE(any<MakeRoom>(lacks_room(bench, 4)));
    CHECK(bench.state().phase == Phase::failed);
}

TEST_CASE("a rollback does not give up the version that has its contents") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    auto info = Bench::info_of(1);
    info.version = *version_back_to(info.version, 2);
    bench.announce(Bench::entry_of(bench.key, 3, info));
    REQUIRE(any<MakePlan>(bench.all_durable()));
    Plan plan;
    plan.no_room = Error{Fault::no_space, "no room"};
    CHECK_FALSE(any<MakeRoom>(bench.on(PlanMade{{software(), Seq{3}, info.version}, plan})));
    bench.all_durable();
    CHECK(bench.state().phase == Phase::failed);
    CHECK(bench.state().previous == ref(1));
}

TEST_CASE("a second release that lacks room waits for the step of the first one") {
    Bench bench;
    bench.check_in();
    install(bench, 1, "browser");
    install(bench, 2, "browser");
    install(bench, 3);
    CHECK(any<MakeRoom>(lacks_room(bench, 4)));
    CHECK_FALSE(any<MakeRoom>(lacks_room(bench, 5, "browser")));
    CHECK(bench.state("browser").phase == Phase::announced);
    auto const plans = all<MakePlan>(room_made(bench, {Bench::id(2, "browser")}, "browser"));
    REQUIRE(plans.size() == 2);
    CHECK(plans[0].materials.release == Bench::id(5, "browser"));
    CHECK(plans[1].materials.release == Bench::id(4));
}

TEST_CASE("a disk that others fill in the middle of a transfer makes the node give up a version, and plan anew") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    bench.record(3);
    bench.to_fetching(3);
    auto const segment = Bench::segment(3);
    bench.hear(Data{{segment.digest, ObjectCodec::raw, segment.size, segment.size}, Bytes()}, segment.size);
    auto actions = bench.on(ObjectUnwritten{segment.digest, {Fault::no_space, "disk full"}});
    Bench::append(actions, bench.all_durable());
    CHECK(only<MakeRoom>(actions).only == Bench::id(1));
    CHECK(sent<Fetch>(actions).empty());
    CHECK(any<MakePlan>(room_made(bench, {Bench::id(2)})));
}

TEST_CASE("a tree that finds no room makes the node give up a version") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    bench.record(3);
    bench.to_fetching(3);
    bench.object_comes(Bench::segment(3).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(3), fail(Fault::no_space, "full"), {}});
    CHECK(only<MakeRoom>(bench.all_durable()).only == Bench::id(1));
    REQUIRE(any<MakePlan>(room_made(bench, {Bench::id(2)})));
    bench.on(PlanMade{Bench::id(3), Plan{{Bench::segment(3)}}});
    CHECK(sent<Fetch>(bench.all_durable()).empty());  // what was fetched is still here
}

TEST_CASE("a staged release that was superseded goes before any other, with what was fetched for it") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    bench.record(3);
    bench.to_staged(3);  // and its users are looked for
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(7)}, ""});
    bench.all_durable();
    auto const asked = lacks_room(bench, 4);
    CHECK(only<DropObjects>(asked).objects.size() == 2);  // manifest and segment of release 3
    CHECK_FALSE(only<MakeRoom>(asked).only);
    CHECK(only<MakeRoom>(asked).keep == std::vector{Bench::id(2), Bench::id(1)});
    REQUIRE(any<MakePlan>(room_made(bench, {Bench::id(1), Bench::id(2)})));
    CHECK(bench.state().previous == ref(1));
    CHECK(only<MakeRoom>(no_room_again(bench, 4)).only == Bench::id(1));
}

TEST_CASE("of two releases that have fetched half of what there is room for, one lets the other pass") {
    Bench bench;
    bench.check_in();
    install(bench, 1, "browser");
    install(bench, 2);
    bench.record(3, "browser");
    bench.to_fetching(3, "browser");
    bench.object_comes(Bench::segment(3).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(3, "browser"), fail(Fault::no_space, "full"), {}});
    bench.all_durable();
    REQUIRE(bench.state("browser").phase == Phase::failed);
    auto const asked = lacks_room(bench, 4);
    CHECK(only<DropObjects>(asked).objects.size() == 2);  // manifest and segment of release 3
    CHECK(any<MakePlan>(room_made(bench, {Bench::id(2)})));
}

TEST_CASE("a newer release that comes while room is made is planned afterwards") {
    Bench bench;
    bench.check_in();
    install(bench, 1);
    install(bench, 2);
    REQUIRE(any<MakeRoom>(lacks_room(bench, 3)));
    CHECK_FALSE(any<MakePlan>(bench.record(4)));
    room_made(bench, {Bench::id(2)});
    CHECK(only<MakePlan>(bench.object_comes(Bench::manifest(4), Bytes(100))).materials.release == Bench::id(4));
}

}  // namespace room_maker_test
