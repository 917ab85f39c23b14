#include "broker/patches/patches.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace patches_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};

PatchId id_of(std::string_view from, std::string_view to) { return {digest_of(from), digest_of(to)}; }

MadePatch made(std::string_view name, std::uint64_t stored = 100, std::int64_t when = 0) {
    return {Effort::quick, digest_of(name), Bytes(70),   {digest_of(fmt::format("delta of {}", name))},
            Bytes(stored), Bytes(90),       Bytes(1000), WallTime{when}};
}

// A broker on which node 0 has release 1 and release 2 is published: its patch is being made quickly.
struct Field {
    World world;
    TestRelease one = make_release("app", "1", {{"a", 1000}});
    TestRelease two = make_release("app", "2", {{"b", 2000}});
    PatchId const patch{one.manifest_shape.object, two.manifest_shape.object};
    Actions published;

    explicit Field(BrokerSettings settings = {}, Urgency urgency = Urgency::normal) : world(settings) {
        two.info.urgency = urgency;
        world.publish(one);
        world.hello(0);
        Report report{software("app"), Seq{1}, NodeState::active, 1, {}, "", {}, Seq{1}};
        world.finish(world.from_node(0, report));
        published = world.publish(two);
    }

    Actions ask(std::size_t node, std::uint64_t from = 1, std::uint64_t to = 2) {
        return world.from_node(node, PatchQuery{software("app"), architecture("amd64"), Seq{from}, Seq{to}});
    }
    PatchOffer answer(Actions const& actions, std::size_t node = 0) {
        return only<PatchOffer>(actions, World::at_node(node));
    }

    Actions after(Duration time) {
        world.pass(time);
        return world.on(Tick{});
    }

    // It is made, stored, and durable.
    Actions make(Effort effort, std::string_view name) {
        world.index.add(raw_shape(name, 70));
        auto actions = world.on(PatchMade{patch, effort, made(name)});
        append(actions, world.finish(actions));
        return actions;
    }
    Actions make_quickly() { return make(Effort::quick, "quick patch"); }
    Actions make_thoroughly() { return make(Effort::thorough, "patch"); }
};

}  // namespace

TEST_CASE("a new release has patches made from the releases that nodes have, and from no others") {
    Field field;
    auto const orders = all<MakePatch>(field.published);
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].patch == field.patch);
    CHECK(orders[0].effort == Effort::quick);
    auto const then = all<MakePatch>(field.make_quickly()).at(0);
    CHECK(then.patch == field.patch);
    CHECK(then.effort == Effort::thorough);
    CHECK(all<MakePatch>(field.make_thoroughly()).empty());

    World nobody;
    nobody.publish(make_release("app", "1", {{"a", 1000}}));
    CHECK(all<MakePatch>(nobody.publish(make_release("app", "2", {{"b", 2000}}))).empty());
}

TEST_CASE("who asks while a patch is being made is told how long it may take, and when it is there") {
    Field field;
    field.world.hello(1);
    auto const waiting = field.answer(field.ask(0));
    CHECK_FALSE(waiting.patch);
    CHECK(waiting.wait > 0);
    CHECK(waiting.from == Seq{1});
    CHECK(waiting.to == Seq{2});
    field.ask(0);  // asked twice, told once
    field.ask(1);
    CHECK(sent<PatchOffer>(field.make_quickly(), World::at_node(0)).empty());  // there is time for a smaller one

    auto const actions = field.make_thoroughly();
    for (std::size_t node : {0, 1}) {
        auto const steps = field.answer(actions, node);
        CHECK(steps.patch == digest_of("patch"));
        CHECK(steps.size == Bytes(70));
    }
    CHECK(field.answer(field.ask(1), 1).patch == digest_of("patch"));
    CHECK(all<MakePatch>(actions).empty());
}

TEST_CASE("who has waited long enough for a smaller patch gets the one that was made quickly") {
    Field field;
    field.ask(0);
    field.make_quickly();
    auto const soon = field.after(29s);
    CHECK(sent<PatchOffer>(soon, World::at_node(0)).empty());
    CHECK(field.answer(field.after(2s)).patch == digest_of("quick patch"));
    CHECK(field.answer(field.ask(0)).wait > 0);  // whoever asks now has not waited yet
    CHECK(field.answer(field.make_thoroughly()).patch == digest_of("patch"));
}

TEST_CASE("an urgent release does not wait for the smaller patch, one for the background always does") {
    Field urgent({}, Urgency::urgent);
    urgent.ask(0);
    CHECK(urgent.answer(urgent.make_quickly()).patch == digest_of("quick patch"));
    CHECK(urgent.answer(urgent.ask(0)).patch == digest_of("quick patch"));

    Field background({}, Urgency::background);
    background.ask(0);
    background.make_quickly();
    CHECK(sent<PatchOffer>(background.after(45s), World::at_node(0)).empty());
    CHECK(background.answer(background.make_thoroughly()).patch == digest_of("patch"));
}

TEST_CASE("the quick patch serves where no better one can be made") {
    Field field;
    field.ask(0);
    field.make_quickly();
    auto const failed = field.world.on(PatchMade{field.patch, Effort::thorough, fail(Fault::failed, "no memory")});
    CHECK(field.answer(failed).patch == digest_of("quick patch"));
    CHECK(all<MakePatch>(failed).empty());
    CHECK(field.answer(field.ask(0)).patch == digest_of("quick patch"));
}

TEST_CASE("what a quick patch needs is kept when a better one takes its place: nodes may be fetching it") {
    Field field;
    field.make_quickly();
    field.make_thoroughly();
    auto const& kept = *field.world.broker.state().patches.find(field.patch);
    CHECK(kept.effort == Effort::thorough);
    CHECK(kept.object == digest_of("patch"));
    CHECK(std::ranges::find(kept.deltas, digest_of("quick patch")) != kept.deltas.end());
    CHECK(std::ranges::find(kept.deltas, digest_of("delta of quick patch")) != kept.deltas.end());
    CHECK(kept.stored == Bytes(200));
}

TEST_CASE("nobody is told of a patch before its record is durable") {
    Field field;
    field.ask(0);
    field.make_quickly();
    field.world.index.add(raw_shape("patch", 70));
    auto const actions = field.world.on(PatchMade{field.patch, Effort::thorough, made("patch")});
    CHECK(sent<PatchOffer>(actions, World::at_node(0)).empty());
    auto const failed = field.world.finish(actions, fail(Fault::no_space, "disk full"));
    CHECK(field.answer(failed).patch == digest_of("quick patch"));
}

TEST_CASE("a patch that cannot be made is told at once, and tried again after an hour") {
    Field field;
    field.ask(0);
    auto const failed = field.world.on(PatchMade{field.patch, Effort::quick, fail(Fault::failed, "no memory")});
    CHECK(field.answer(failed).wait == 0);
    CHECK(field.answer(field.ask(0)).wait == 0);
    field.world.pass(1h);
    auto const again = field.ask(0);
    CHECK(field.answer(again).wait > 0);
    CHECK(all<MakePatch>(again).size() == 1);
}

TEST_CASE("there is no patch to what is not the newest, from what is unknown, or between equal builds") {
    Field field;
    CHECK(field.answer(field.ask(0, 2, 2)).wait == 0);
    CHECK(field.answer(field.ask(0, 7, 2)).wait == 0);
    CHECK(field.answer(field.ask(0, 1, 1)).wait == 0);
    CHECK(field.answer(field.ask(0, 2, 1)).wait == 0);
    auto const other = field.world.from_node(0, PatchQuery{software("nothing"), architecture("amd64"), Seq{1}, Seq{2}});
    CHECK(field.answer(other).wait == 0);
    auto const alien = field.world.from_node(0, PatchQuery{software("app"), architecture("riscv64"), Seq{1}, Seq{2}});
    CHECK(field.answer(alien).wait == 0);
}

TEST_CASE("without space for patches none is made") {
    BrokerSettings settings;
    settings.patch_space = Bytes();
    Field field(settings);
    CHECK(all<MakePatch>(field.published).empty());
    CHECK(field.answer(field.ask(0)).wait == 0);
}

TEST_CASE("who waits for a patch to a release that is superseded hears that there will be none") {
    Field field;
    field.ask(0);
    auto const three = make_release("app", "3", {{"c", 3000}});
    auto const published = field.world.publish(three);
    CHECK(field.answer(published).wait == 0);
    CHECK(all<MakePatch>(published).empty());  // one at a time
    auto const ended = field.make_quickly();
    auto const next = all<MakePatch>(ended);
    REQUIRE(next.size() == 2);
    CHECK(next[0].patch == PatchId{field.one.manifest_shape.object, three.manifest_shape.object});
    CHECK(next[0].effort == Effort::quick);
    CHECK(next[1].patch == field.patch);  // had begun
}

TEST_CASE("a patch whose object was lost is made again") {
    Field field;
    auto actions = field.world.on(PatchMade{field.patch, Effort::quick, made("patch")});  // never in the index
    field.world.finish(actions);
    field.world.finish(field.world.on(PatchMade{field.patch, Effort::thorough, made("patch")}));
    auto const asked = field.ask(0);
    CHECK(field.answer(asked).wait > 0);
    CHECK(all<MakePatch>(asked).at(0).effort == Effort::quick);
}

TEST_CASE("what patches need is not garbage, until nobody needs them or there are too many") {
    Patches patches;
    patches.add(id_of("1", "3"), made("x", 100, 10));
    patches.add(id_of("2", "3"), made("y", 100, 20));
    patches.add(id_of("1", "2"), made("z", 100, 30));
    auto const to_three = [](PatchId const& id) { return id.to == digest_of("3"); };
    CHECK(patches.superfluous(to_three, Bytes(1000)) == std::vector{id_of("1", "2")});
    CHECK(patches.superfluous(to_three, Bytes(100)) == std::vector{id_of("1", "2"), id_of("1", "3")});
    CHECK(patches.superfluous(to_three, Bytes(99)).size() == 3);
}

TEST_CASE("patches are read back from their table, and damage is said") {
    Patches patches;
    auto const change = Patches::change(id_of("1", "2"), made("x"));
    REQUIRE(patches.load(change.key, *change.value));
    auto const* found = patches.find(id_of("1", "2"));
    REQUIRE(found != nullptr);
    CHECK(found->object == digest_of("x"));
    CHECK(found->deltas.size() == 1);
    CHECK(Patches::removal(id_of("1", "2")).key == change.key);
    CHECK(patches.load(View(change.key).first(63), *change.value).error().fault == Fault::damaged);
    CHECK(patches.load(change.key, as_view("x")).error().fault == Fault::damaged);
}

TEST_CASE("orders are made in the order of asking, one of each effort at a time, and guesses grow with what is ahead") {
    PatchQueue queue;
    auto const one = id_of("1", "3");
    auto const two = id_of("2", "3");
    auto const four = id_of("4", "3");
    auto const first = queue.order(one, Effort::quick, MiB(10), start);
    auto const second = queue.order(two, Effort::quick, MiB(10), start);
    REQUIRE((first && second));
    CHECK(*first < *second);
    CHECK(queue.order(one, Effort::quick, MiB(10), start) == first);
    CHECK(*queue.order(four, Effort::thorough, GiB(100), start) == 10min);
    CHECK(queue.start(Effort::quick) == one);
    CHECK(queue.start(Effort::quick) == std::nullopt);
    CHECK(queue.start(Effort::thorough) == four);  // made quickly before
    queue.end(one, Effort::quick, false, start);
    CHECK(queue.has(one));
    CHECK(queue.start(Effort::quick) == two);
    CHECK(queue.start(Effort::thorough) == std::nullopt);
    queue.end(four, Effort::thorough, false, start);
    CHECK_FALSE(queue.has(four));
    CHECK(queue.start(Effort::thorough) == one);
    queue.end(two, Effort::quick, true, start);
    CHECK_FALSE(queue.has(two));
    CHECK(queue.order(two, Effort::quick, MiB(10), start) == std::nullopt);  // it would fail again
    CHECK(queue.making());
}

TEST_CASE("orders that nobody needs are forgotten, but not what is being made") {
    PatchQueue queue;
    REQUIRE(queue.order(id_of("1", "3"), Effort::quick, MiB(10), start));
    REQUIRE(queue.order(id_of("2", "3"), Effort::quick, MiB(10), start));
    REQUIRE(queue.start(Effort::quick));
    queue.forget([](PatchId const&) { return false; });
    CHECK(queue.has(id_of("1", "3")));
    CHECK_FALSE(queue.has(id_of("2", "3")));
}

TEST_CASE("a bounded number of patches is ordered") {
    PatchQueue queue;
    std::size_t taken = 0;
    while (taken < 10'000 && queue.order(id_of(std::to_string(taken), "to"), Effort::quick, MiB(1), start)) ++taken;
    CHECK(taken == 256);
}

}  // namespace patches_test
