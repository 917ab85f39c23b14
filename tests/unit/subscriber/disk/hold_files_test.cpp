#include "subscriber/disk/hold_files.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/fixture.hpp"

namespace hold_files_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

Hold const forever{WallTime{5}, std::nullopt, "anna", "inventory \"today\""};
Hold const for_a_while{WallTime{7}, WallTime{9}, "root", ""};

}  // namespace

TEST_CASE("holds are there until they are taken back, and a later one takes the place of the one before") {
    Node const node;
    CHECK(load_holds(node.layout) == Holds{});
    REQUIRE(save_hold(node.layout, software("app"), for_a_while));
    REQUIRE(save_hold(node.layout, software("app"), forever));
    REQUIRE(save_hold(node.layout, std::nullopt, for_a_while));
    CHECK(load_holds(node.layout) == Holds{{{software("app"), forever}}, for_a_while});

    CHECK(remove_hold(node.layout, software("app")) == true);
    CHECK(remove_hold(node.layout, software("app")) == false);
    CHECK(load_holds(node.layout) == Holds{{}, for_a_while});
    CHECK(remove_hold(node.layout, std::nullopt) == true);
    CHECK(load_holds(node.layout) == Holds{});
}

TEST_CASE("a hold that cannot be read is not taken for none") {
    Node const node;
    auto const text = GENERATE("", "{}", "[]", R"({"since": 1, "by": 2, "why": ""})",
                               R"({"since": 1, "by": "anna", "why": "", "until": "soon"})");
    write_text(node.layout.holds() / "app", text);
    auto const holds = load_holds(node.layout);
    REQUIRE_FALSE(holds);
    CHECK(holds.error().fault == Fault::damaged);
    CHECK(holds.error().message.find("holds/app") != std::string::npos);
}

TEST_CASE("what is no name of software is no hold") {
    Node const node;
    REQUIRE(save_hold(node.layout, software("app"), forever));
    fs::copy_file(node.layout.holds() / "app", node.layout.holds() / "no name");
    CHECK(load_holds(node.layout).error().fault == Fault::damaged);
}

TEST_CASE("a hold that expires counts up to that moment, and the one of all software beside it") {
    Holds holds{{{software("app"), for_a_while}}, std::nullopt};
    CHECK(*holds.find(software("app"), WallTime{8}) == for_a_while);
    CHECK(holds.find(software("app"), WallTime{9}) == nullptr);
    CHECK(holds.find(software("other"), WallTime{8}) == nullptr);
    holds.all = forever;
    CHECK(*holds.find(software("app"), WallTime{8}) == for_a_while);
    CHECK(*holds.find(software("app"), WallTime{9}) == forever);
    CHECK(*holds.find(software("other"), WallTime{8}) == forever);
}

TEST_CASE("whoever watches is told when a hold is set and when it is taken back") {
    Node const node;
    EventLoop loop;
    std::vector<Holds> seen;
    auto const watch = HoldWatch::open(loop, node.layout, [&] {
        seen.push_back(*load_holds(node.layout));
        if (seen.back() == Holds{}) return loop.stop();
        REQUIRE(remove_hold(node.layout, software("app")));
    });
    REQUIRE(watch);
    REQUIRE(save_hold(node.layout, software("app"), forever));
    loop.run();
    REQUIRE(seen.size() == 2);
    CHECK(seen.front() == Holds{{{software("app"), forever}}, std::nullopt});
}

}  // namespace hold_files_test
