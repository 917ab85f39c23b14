#include "publisher/watch/daemon/tree_look.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "publisher/watch/daemon/watched_directories.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace tree_look_test {

using namespace lull;
using namespace lull::publisher;
using namespace lull::publisher::watch;
using test::put_file;

namespace {

Digest look(fs::path const& tree) { return look_at(tree, nullptr, {}).value().look.fingerprint; }

SoftwareName const app = SoftwareName::parse("app").value();

}  // namespace

TEST_CASE("a fingerprint stays the same until something of the release may have changed") {
    test::TemporaryDirectory temporary;
    auto const tree = temporary / "tree";
    put_file(tree / "bin/app", "1", 0755);
    put_file(tree / "data", "22");
    fs::create_symlink("data", tree / "link");
    std::set<Digest> seen{look(tree)};
    CHECK(seen.contains(look(tree)));
    auto const changes = [&](std::string_view what) {
        INFO(what);
        CHECK(seen.insert(look(tree)).second);
    };
    put_file(tree / "data", "23");  // of the same size, with another time of change
    changes("contents");
    REQUIRE(chmod((tree / "data").c_str(), 0600) == 0);
    changes("mode");
    fs::rename(tree / "data", tree / "data-2");
    changes("name");
    fs::remove(tree / "link");
    fs::create_symlink("data-2", tree / "link");
    changes("link");
    fs::create_directory(tree / "empty");
    changes("directory");
    REQUIRE(chmod((tree / "empty").c_str(), 0700) == 0);
    changes("mode of a directory");
    put_file(tree / "lull.conf", "policy = now\n");
    changes("options");
    put_file(tree / ".lull-version", "1");
    changes("version");
    put_file(tree / ".git/refs/tags/v1", "abc");
    changes("tag");
    fs::rename(tree, temporary / "old");
    fs::copy(temporary / "old", tree, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    changes("another directory");
}

TEST_CASE("what is left out of the release does not change the fingerprint") {
    test::TemporaryDirectory temporary;
    auto const tree = temporary / "tree";
    put_file(tree / "run", "1");
    put_file(tree / "lull.conf", "exclude = *.log\nexclude = /cache\n");
    auto const before = look(tree);
    put_file(tree / "a.log", "1");
    put_file(tree / "cache/deep/file", "1");
    put_file(tree / ".git/index", "1");
    CHECK(look(tree) == before);
    put_file(tree / "lull.conf", "exclude = *.log\n");
    CHECK(look(tree) != before);
}

TEST_CASE("a tree without anything to release is empty") {
    test::TemporaryDirectory temporary;
    auto const empty = [&] { return look_at(temporary.path(), nullptr, {}).value().look.empty; };
    CHECK(empty());
    put_file(temporary / "lull.conf", "exclude = *.log\n");
    put_file(temporary / ".lull-version", "1");
    put_file(temporary / "a.log", "1");
    CHECK(empty());
    put_file(temporary / "file", "");
    CHECK_FALSE(empty());
}

TEST_CASE("what cannot be looked at is an error that says why") {
    test::TemporaryDirectory temporary;
    CHECK(look_at(temporary / "nothing", nullptr, {}).error().fault == Fault::not_found);
    put_file(temporary / "file", "1");
    CHECK(look_at(temporary / "file", nullptr, {}).error().fault == Fault::not_found);
    std::stop_source stop;
    stop.request_stop();
    CHECK(look_at(temporary.path(), nullptr, stop.get_token()).error().fault == Fault::cancelled);
}

TEST_CASE("the kernel's events are changes of the tree, but for what is left out") {
    test::TemporaryDirectory temporary;
    auto const tree = temporary / "tree";
    put_file(tree / "sub/file", "1");
    put_file(tree / "lull.conf", "exclude = *.log\n");
    auto inotify = Inotify::open().value();
    WatchedDirectories watched;
    auto const watch = [&] {
        auto finding = look_at(tree, &inotify, {}).value();
        return watched.replace(app, std::move(finding.directories), std::move(finding.excludes));
    };
    CHECK(watch().empty());
    auto const changed = [&] {
        bool any = false;
        for (auto events = inotify.read(); !events.empty(); events = inotify.read()) {
            for (auto const& event : events) any = any || watched.changed_by(event) == app;
        }
        return any;
    };
    CHECK_FALSE(changed());
    put_file(tree / "sub/a.log", "1");
    CHECK_FALSE(changed());
    put_file(tree / "sub/file", "2");
    CHECK(changed());
    put_file(tree / "lull.conf", "exclude = *.log\n");
    CHECK(changed());
    fs::create_directory(tree / "new");
    CHECK(changed());
    CHECK(watch().empty());
    put_file(tree / "new/file", "1");
    CHECK(changed());

    fs::rename(tree / "sub", temporary / "elsewhere");  // the kernel keeps its watch
    CHECK(watch().size() == 1);
    CHECK(watched.forget(app).size() == 2);
    put_file(tree / "new/file", "2");
    CHECK_FALSE(changed());
}

}  // namespace tree_look_test
