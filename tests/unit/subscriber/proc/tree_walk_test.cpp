#include "subscriber/proc/tree_walk.hpp"

#include <set>

#include "fixture.hpp"

namespace lull::subscriber::test::tree_walk_test {

namespace {

struct Walked {
    lull::test::TemporaryDirectory directory;
    fs::path top = directory / "top";

    Walked() {
        fs::create_directories(top / "a/b");
        fs::create_directories(directory / "outside");
        write_text(directory / "outside/file", "x");
        write_text(top / "a/b/file", "x");
        write_text(top / "other", "x");
        fs::create_directory_symlink(directory / "outside", top / "link");
    }
};

}  // namespace

TEST_CASE("every directory is entered and every name in it visited, links not followed") {
    Walked const tree;
    std::set<fs::path> entered;
    std::map<fs::path, bool> visited;
    auto const enter = [&](int, fs::path const& path) {
        entered.insert(path);
        return Status();
    };
    auto const visit = [&](TreeEntry const& entry) -> Result<bool> {
        visited[entry.path()] = entry.is_file;
        return true;
    };
    REQUIRE(walk_tree(tree.top, {enter, visit}));
    CHECK(entered == std::set<fs::path>{tree.top, tree.top / "a", tree.top / "a/b"});
    CHECK(visited == std::map<fs::path, bool>{
                         {tree.top / "a/b/file", true}, {tree.top / "other", true}, {tree.top / "link", false}});
}

TEST_CASE("a walk ends when the visitor has enough, or fails with what failed there") {
    Walked const tree;
    int visits = 0;
    auto const enter = [](int, fs::path const&) { return Status(); };
    auto const enough = [&](TreeEntry const&) -> Result<bool> {
        ++visits;
        return false;
    };
    CHECK(walk_tree(tree.top, {enter, enough}));
    CHECK(visits == 1);
    auto const broken = [](TreeEntry const&) -> Result<bool> { return fail(Fault::damaged, "broken"); };
    auto const walked = walk_tree(tree.top, {enter, broken});
    REQUIRE_FALSE(walked);
    CHECK(walked.error().message == "broken");
}

TEST_CASE("a tree that is not there, or is a link, is an error") {
    Walked const tree;
    auto const enter = [](int, fs::path const&) { return Status(); };
    auto const visit = [](TreeEntry const&) -> Result<bool> { return true; };
    CHECK_FALSE(walk_tree(tree.directory / "missing", {enter, visit}));
    CHECK_FALSE(walk_tree(tree.top / "link", {enter, visit}));
}

}  // namespace lull::subscriber::test::tree_walk_test
