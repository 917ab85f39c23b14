#include "subscriber/usage/lease_probe.hpp"

#include "fixture.hpp"

namespace lull::subscriber::test::lease_probe_test {

namespace {

struct Probed {
    Node node{1 << 20};
    ReleaseId id = node.install(
        1, "1.0", {{"bin/", ""}, {"bin/app", program_contents()}, {"data", "contents"}, {"link", "->data"}});
    fs::path tree = node.layout.tree(id);

    [[nodiscard]] std::optional<fs::path> open_file() const {
        auto const found = find_open_file(node.layout, id);
        if (!found) FAIL(found.error().message);
        return *found;
    }
};

}  // namespace

TEST_CASE("a version of which nobody has a file is free, again and again") {
    Probed const app;
    CHECK_FALSE(app.open_file());
    CHECK_FALSE(app.open_file());
}

TEST_CASE("a file that is run, mapped or open is found by its lease") {
    Probed const app;
    SECTION("run") {
        Child const child({app.tree / "bin/app", "wait"});
        child.wait_ready();
        CHECK(app.open_file() == app.tree / "bin/app");
    }
    SECTION("mapped, descriptor closed") {
        Child const child({TEST_PROGRAM, "map", app.tree / "data"});
        child.wait_ready();
        CHECK(app.open_file() == app.tree / "data");
    }
    SECTION("open") {
        Child const child({TEST_PROGRAM, "open", app.tree / "data"});
        child.wait_ready();
        CHECK(app.open_file() == app.tree / "data");
    }
    // It has ended.
    CHECK_FALSE(app.open_file());
}

TEST_CASE("a version that is not there is an error and not free") {
    Probed const app;
    CHECK_FALSE(find_open_file(app.node.layout, release(9, "9.0")));
}

}  // namespace lull::subscriber::test::lease_probe_test
