#include "subscriber/cli/starter.hpp"

#include "fixture.hpp"

namespace lull::subscriber::test::starter_test {

namespace {

ReleaseId install(Node& node, Tree const& tree) {
    auto const id = release(4, "1.10", starter_software);
    auto const staged = stage(node.job(id, tree), node.layout, node.objects, Bytes(0));
    if (!staged) FAIL(staged.error().error.message);
    return id;
}

void make_current(Node const& node, ReleaseId const& id) {
    fs::create_symlink(fs::path("versions") / id.directory_name(), node.layout.current_link(id.software));
}

}  // namespace

TEST_CASE("the release that is current is started in place of an older program, if it can be executed") {
    Node node;
    CHECK_FALSE(newer_release(node.layout, "0.1.0"));
    auto const id = install(node, {{"bin/", ""}, {"bin/lull-node", "x:#!/bin/sh"}});
    CHECK_FALSE(newer_release(node.layout, "1.9"));  // it is not current yet
    make_current(node, id);
    CHECK(newer_release(node.layout, "1.9") == id);
    CHECK_FALSE(newer_release(node.layout, "1.10"));
    CHECK_FALSE(newer_release(node.layout, "2.0"));
}

TEST_CASE("a release without the program, or with one that cannot be executed, is not started") {
    Node node;
    auto const contents = GENERATE(Tree{{"data", "contents"}}, Tree{{"bin/", ""}, {"bin/lull-node", "text"}});
    make_current(node, install(node, contents));
    CHECK_FALSE(newer_release(node.layout, "1.9"));
}

}  // namespace lull::subscriber::test::starter_test
