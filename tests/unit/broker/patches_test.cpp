#include "broker/patches.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};

PatchId id_of(std::string_view from, std::string_view to) { return {digest_of(from), digest_of(to)}; }

MadePatch made(std::string_view name, std::uint64_t stored = 100, std::int64_t when = 0) {
    return {digest_of(name), Bytes(70), {digest_of(fmt::format("delta of {}", name))}, Bytes(stored), Bytes(90), Bytes(1000), WallTime{when}};
}

// A broker on which node 0 has release 1 and release 2 is published: its patch is being made.
struct Field {
    World world;
    TestRelease one = make_release("app", "1", {{"a", 1000}});
    TestRelease two = make_release("app", "2", {{"b", 2000}});
    PatchId const patch{one.manifest_shape.object, two.manifest_shape.object};
    Actions published;

    explicit Field(BrokerSettings settings = {}) : world(settings) {
        world.publish(one);
        world.hello(0);
        Report report{software("app"), Seq{1}, NodeState::active, 1, {}, "", {}, Seq{1}};
        world.finish(world.from_node(0, report));
        published = world.publish(two);
    }

    Actions ask(std::size_t node, std::uint64_t from = 1, std::uint64_t to = 2) {
        return world.from_node(node, PlanQuery{software("app"), architecture("amd64"), Seq{from}, Seq{to}});
    }
    Steps answer(Actions const& actions, std::size_t node = 0) { return only<Steps>(actions, World::at_node(node)); }

    // It is made, stored, and durable.
    Actions make() {
        world.index.add(raw_shape("patch", 70));
        auto actions = world.on(PatchMade{patch, made("patch")});
        append(actions, world.finish(actions));
        return actions;
    }
};

}  // namespace

TEST_CASE("a new release has patches made from the releases that nodes have, and from no others") {
    Field field;
    auto const orders = all<MakePatch>(field.published);
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].patch == field.patch);

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

    auto const actions = field.make();
    for (std::size_t node : {0, 1}) {
        auto const steps = field.answer(actions, node);
        CHECK(steps.patch == digest_of("patch"));
        CHECK(steps.size == Bytes(70));
    }
    CHECK(field.answer(field.ask(1), 1).patch == digest_of("patch"));
    CHECK(all<MakePatch>(actions).empty());
}

TEST_CASE("nobody is told of a patch before its record is durable") {
    Field field;
    field.ask(0);
    field.world.index.add(raw_shape("patch", 70));
    auto const actions = field.world.on(PatchMade{field.patch, made("patch")});
    CHECK(sent<Steps>(actions, World::at_node(0)).empty());
    auto const failed = field.world.finish(actions, fail(Fault::no_space, "disk full"));
    auto const steps = field.answer(failed);
    CHECK_FALSE(steps.patch);
    CHECK(steps.wait == 0);
}

TEST_CASE("a patch that cannot be made is told at once, and tried again after an hour") {
    Field field;
    field.ask(0);
    auto const failed = field.world.on(PatchMade{field.patch, fail(Fault::failed, "no memory")});
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
    auto const other = field.world.from_node(0, PlanQuery{software("nothing"), architecture("amd64"), Seq{1}, Seq{2}});
    CHECK(field.answer(other).wait == 0);
    auto const alien = field.world.from_node(0, PlanQuery{software("app"), architecture("riscv64"), Seq{1}, Seq{2}});
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
    CHECK(all<MakePatch>(published).empty());  // one at a time
    auto const ended = field.make();
    CHECK_FALSE(field.answer(ended).patch);
    auto const next = all<MakePatch>(ended);
    REQUIRE(next.size() == 1);
    CHECK(next[0].patch == PatchId{field.one.manifest_shape.object, three.manifest_shape.object});
}

TEST_CASE("a patch whose object was lost is made again") {
    Field field;
    auto actions = field.world.on(PatchMade{field.patch, made("patch")});  // never in the index
    field.world.finish(actions);
    auto const asked = field.ask(0);
    CHECK(field.answer(asked).wait > 0);
    CHECK(all<MakePatch>(asked).size() == 1);
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

TEST_CASE("orders are made one at a time, in the order of asking, and guesses grow with what is ahead") {
    PatchQueue queue;
    auto const first = queue.order(id_of("1", "3"), MiB(10), 7, start);
    auto const second = queue.order(id_of("2", "3"), MiB(10), 8, start);
    REQUIRE((first && second));
    CHECK(*first < *second);
    CHECK(queue.order(id_of("1", "3"), MiB(10), 9, start) == first);
    CHECK(*queue.order(id_of("4", "3"), GiB(100), 9, start) == 10min);
    CHECK(queue.start() == id_of("1", "3"));
    CHECK(queue.start() == std::nullopt);
    CHECK(queue.end(id_of("1", "3"), false, start) == std::set<SessionId>{7, 9});
    auto const forgotten = queue.forget([](PatchId const& id) { return id.from != digest_of("2"); });
    REQUIRE(forgotten.size() == 1);
    CHECK(forgotten[0].second == std::set<SessionId>{8});
    CHECK(queue.start() == id_of("4", "3"));
}

TEST_CASE("a bounded number of patches is ordered") {
    PatchQueue queue;
    std::size_t taken = 0;
    while (taken < 10'000 && queue.order(id_of(std::to_string(taken), "to"), MiB(1), std::nullopt, start)) ++taken;
    CHECK(taken == 256);
}
