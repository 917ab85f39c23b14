#include "subscriber/tree/tree_check.hpp"

#include <sys/stat.h>

#include "fixture.hpp"

namespace lull::subscriber::test::tree_check_test {

namespace {

using Differences = std::vector<Difference>;

struct Installed {
    Node node;
    ReleaseId id = node.install(1, "1.0",
                                {{"bin/", ""}, {"bin/app", "x:program"}, {"data", "contents"}, {"link", "->bin/app"}});
    fs::path tree = node.layout.tree(id);

    Differences check() {
        auto const manifest = load_manifest(node.layout, id, node.publisher.trusted());
        REQUIRE(manifest);
        return verify_tree(node.layout, id, *manifest).value();
    }
};

}  // namespace

TEST_CASE("an untouched tree has no differences") { CHECK(Installed().check().empty()); }

TEST_CASE("every kind of change to a tree is found and named") {
    Installed installed;
    auto const& tree = installed.tree;
    SECTION("contents of the same length") {
        write_text(tree / "data", "Contents");
        CHECK(installed.check() == Differences{{"data", DifferenceKind::content}});
    }
    SECTION("another length") {
        write_text(tree / "data", "contents!");
        CHECK(installed.check() == Differences{{"data", DifferenceKind::content}});
    }
    SECTION("a file that is gone") {
        fs::remove(tree / "data");
        CHECK(installed.check() == Differences{{"data", DifferenceKind::missing}});
    }
    SECTION("a whole directory that is gone") {
        fs::remove_all(tree / "bin");
        CHECK(installed.check() == Differences{{"bin", DifferenceKind::missing}, {"bin/app", DifferenceKind::missing}});
    }
    SECTION("a file too many") {
        write_text(tree / "bin/other", "");
        CHECK(installed.check() == Differences{{"bin/other", DifferenceKind::extra}});
    }
    SECTION("modes") {
        chmod((tree / "data").c_str(), 04644);
        chmod((tree / "bin").c_str(), 0777);
        CHECK(installed.check() == Differences{{"bin", DifferenceKind::mode}, {"data", DifferenceKind::mode}});
    }
    SECTION("a link to somewhere else") {
        fs::remove(tree / "link");
        fs::create_symlink("data", tree / "link");
        CHECK(installed.check() == Differences{{"link", DifferenceKind::content}});
    }
    SECTION("a link in the place of a file, to the same contents") {
        fs::rename(tree / "data", tree / "elsewhere");
        fs::create_symlink("elsewhere", tree / "data");
        CHECK(installed.check() == Differences{{"data", DifferenceKind::type}, {"elsewhere", DifferenceKind::extra}});
    }
}

TEST_CASE("a tree that is not there is an error and not a tree without differences") {
    Installed installed;
    fs::remove_all(installed.tree);
    auto const manifest = load_manifest(installed.node.layout, installed.id);
    CHECK(verify_tree(installed.node.layout, installed.id, *manifest).error().fault == Fault::not_found);
}

}  // namespace lull::subscriber::test::tree_check_test
