#include "subscriber/disk/own_program.hpp"

#include "fixture.hpp"
#include "subscriber/disk/start_count.hpp"
#include "subscriber/usage/use_lock.hpp"

namespace lull::subscriber::test::own_program_test {

TEST_CASE("a program below the root is known by its release and its path in the tree") {
    Node node;
    auto const id = node.install(12, "1.4-rc1", {{"bin/", ""}, {"bin/lull-node", "x:#!/bin/sh"}});
    auto const own = program_of_release(node.layout, fs::canonical(node.layout.tree(id) / "bin/lull-node"));
    REQUIRE(own);
    CHECK(own->release == id);
    CHECK(own->program == "bin/lull-node");
}

TEST_CASE("a root that is reached through a link is the same root") {
    Node node;
    auto const id = node.install(12, "1.4", {{"lull-node", "x:#!/bin/sh"}});
    auto const link = node.layout.root().parent_path() / (node.layout.root().filename().string() + "-link");
    fs::create_directory_symlink(node.layout.root(), link);
    auto const own = program_of_release(Layout(link), fs::canonical(node.layout.tree(id) / "lull-node"));
    fs::remove(link);
    REQUIRE(own);
    CHECK(own->release == id);
    CHECK(own->program == "lull-node");
}

TEST_CASE("a program that lies elsewhere is no release of this root") {
    Node node;
    auto const root = fs::canonical(node.layout.root());
    for (auto const* path : {"/usr/bin/lull-node", "/", ""}) CHECK_FALSE(program_of_release(node.layout, path));
    for (auto const* inside : {"app/versions/1-1.0", "app/versions/.staging-1/lull-node", "app/current/lull-node",
                               "app/versions/01-1.0/lull-node", "app/data/1-1.0/lull-node"}) {
        INFO(inside);
        CHECK_FALSE(program_of_release(node.layout, root / inside));
    }
    CHECK_FALSE(own_program(node.layout));  // this test
}

TEST_CASE("the lock that lull-node run passes on is given up, and no other one") {
    Node node;
    auto const id = node.install(1, "1.0", {{"data", "contents"}});
    auto const other = node.install(2, "2.0", {{"data", "contents"}});
    auto const lock = UseLock::shared(node.layout.lock(id));
    auto const kept = UseLock::shared(node.layout.lock(other));
    REQUIRE(lock);
    REQUIRE(kept);
    REQUIRE_FALSE(*UseLock::try_exclusive(node.layout.lock(id)));
    // In a process of its own: the locks here know nothing of descriptors that another one closes.
    auto const given_up = fs::canonical(node.layout.lock(id));
    auto const stays = fs::canonical(node.layout.lock(other));
    auto const child = fork();
    if (child == 0) {
        close_inherited_lock(node.layout, id);
        close_inherited_lock(node.layout, release(9, "9.0"));  // fine if there is none
        int open = 7;
        auto const names = names_in("/proc/self/fd");
        if (!names) _exit(1);
        for (auto const& name : *names) {
            std::error_code gone;  // the descriptor that lists the directory
            auto const target = fs::read_symlink("/proc/self/fd/" + name, gone);
            open += target == given_up ? 100 : 0;
            open += target == stays ? 1 : 0;
        }
        _exit(open);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 8);
}

TEST_CASE(
    "starts of one release are counted until there is a connection, and those of another one from the beginning") {
    Node node;
    REQUIRE(node.layout.prepare());
    StartCount const starts(node.layout);
    auto const id = release(3, "1.2", "lull-node");
    CHECK(starts.of(id) == 0);
    starts.clear();
    REQUIRE(starts.add(id));
    REQUIRE(starts.add(id));
    CHECK(starts.of(id) == 2);
    CHECK(starts.of(release(4, "1.3", "lull-node")) == 0);
    REQUIRE(starts.add(release(4, "1.3", "lull-node")));
    CHECK(starts.of(id) == 0);
    starts.clear();
    CHECK(starts.of(release(4, "1.3", "lull-node")) == 0);
}

}  // namespace lull::subscriber::test::own_program_test
