#include "broker/fleet/catch_up.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace catch_up_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

TEST_CASE("what many nodes lack is announced again in bounded portions, and each node gets all of it") {
    World world({}, 1500);
    for (auto const* name : {"app", "zoo"}) world.publish(make_release(name, "1", {}));
    for (std::size_t i = 0; i < 1500; ++i) {
        world.from_node(
            i, Hello{node_name(fmt::format("node-{:04}", i)), architecture("amd64"), "", "", Epoch{77}, Seq{2}});
    }
    std::vector<std::size_t> counts;
    std::map<SessionId, int> updates;
    world.pass(10s);
    for (int i = 0; i < 4; ++i) {
        std::size_t count = 0;
        for (auto const& send : all<Send>(world.on(Tick{}))) {
            if (!std::holds_alternative<Update>(send.message)) continue;
            ++count;
            ++updates[send.session];
        }
        counts.push_back(count);
        world.pass(1s);
    }
    CHECK(counts.front() < 2000);
    CHECK(counts.back() == 0);
    CHECK(updates.size() == 1500);
    for (auto const& [session, count] : updates) CHECK(count == 2);
}

TEST_CASE("a node that repeats HELLO does not hold up the others") {
    World world;
    world.publish(make_release("app", "1", {}));
    auto const hello = [&](std::size_t i) {
        world.from_node(
            i, Hello{node_name(fmt::format("node-{:04}", i)), architecture("amd64"), "", "", Epoch{77}, Seq{1}});
    };
    hello(0);
    hello(1);
    for (int i = 0; i < 9; ++i) {
        world.pass(1s);
        hello(0);
    }
    world.pass(1s);
    auto const actions = world.on(Tick{});
    CHECK(sent<Update>(actions, World::at_node(0)).size() == 1);
    CHECK(sent<Update>(actions, World::at_node(1)).size() == 1);
}

}  // namespace catch_up_test
