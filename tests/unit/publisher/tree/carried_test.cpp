#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "publisher/release/builder.hpp"
#include "publisher/tree/attributes.hpp"
#include "publisher/tree/problems.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace carried_test {

using namespace lull;
using namespace lull::publisher;
using test::put_file;

namespace {

struct Place {
    test::TemporaryDirectory directory;
    fs::path root = fs::canonical(directory.path()) / "tree";
    SigningKey key = SigningKey::generate();
    TreeRules rules;
    BuildRequest request{SoftwareName::parse("app").value(), VersionName::parse("1.0").value(), std::nullopt, {}};

    Place() { put_file(root / "bin/app", "#!/bin/sh\n", 0755); }

    [[nodiscard]] std::string problem() const {
        auto const tree = open_source(root, TopDirectory::keep, rules);
        REQUIRE_FALSE(tree);
        CHECK(tree.error().fault == Fault::refused);
        return tree.error().message;
    }
    [[nodiscard]] Release release(StatCache& cache) const {
        auto const tree = open_source(root, TopDirectory::keep, rules);
        if (!tree) FAIL(tree.error().message);
        auto made = build_release(*tree, request, key, cache, nullptr);
        if (!made) FAIL(made.error().message);
        return std::move(*made);
    }
    [[nodiscard]] Release release() const {
        StatCache cache;
        return release(cache);
    }
};

Entry const& at(Release const& release, std::string_view path) {
    auto const found = std::ranges::find(release.manifest.entries, path, &Entry::path);
    REQUIRE(found != release.manifest.entries.end());
    return *found;
}

// A file that is all hole but for a few bytes.
void put_sparse(fs::path const& path) {
    put_file(path, "begin");
    auto const file = open_file(path, O_RDWR);
    REQUIRE(ftruncate(file->get(), 10'000'000) == 0);
    REQUIRE(write_exactly(file->get(), 5'000'000, as_view("middle"), path));
}

}  // namespace

TEST_CASE("modes and times are carried, in whole seconds") {
    Place place;
    fs::create_directories(place.root / "private");
    REQUIRE(chmod((place.root / "private").c_str(), 0700) == 0);
    put_file(place.root / "private/key", "secret", 0600);
    timespec const times[2] = {{0, 0}, {1'700'000'000, 999'999'999}};
    REQUIRE(utimensat(AT_FDCWD, (place.root / "private/key").c_str(), times, 0) == 0);
    auto const release = place.release();
    CHECK(release.manifest.format == 2);
    CHECK(at(release, "private").mode == 0700);
    CHECK(at(release, "private/key").mode == 0600);
    CHECK(at(release, "private/key").modified == 1'700'000'000);
    CHECK(at(release, "bin/app").mode == 0755);
    CHECK_FALSE(at(release, "private").modified);
}

TEST_CASE("a mode makes other contents, a time does not, and times end at SOURCE_DATE_EPOCH") {
    Place place;
    auto const first = place.release();
    put_file(place.root / "bin/app", "#!/bin/sh\n", 0755, 1000);
    auto const touched = place.release();
    CHECK(touched.manifest_digest != first.manifest_digest);
    CHECK(touched.contents == first.contents);
    CHECK(contents_digest(touched.manifest) == contents_digest(first.manifest));
    CHECK(same_contents({touched.build()}, {first.build()}));
    REQUIRE(chmod((place.root / "bin/app").c_str(), 0750) == 0);
    auto const changed = place.release();
    CHECK(changed.contents != first.contents);
    CHECK_FALSE(same_contents({changed.build()}, {first.build()}));

    setenv("SOURCE_DATE_EPOCH", "1600000000", 1);
    auto const fixed = place.release();
    put_file(place.root / "bin/app", "#!/bin/sh\n", 0750, 10);
    CHECK(place.release().manifest_digest == fixed.manifest_digest);
    CHECK(at(fixed, "bin/app").modified == 1'600'000'000);
    unsetenv("SOURCE_DATE_EPOCH");
}

TEST_CASE("a file whose mode alone changed is a new release, also with a cache") {
    Place place;
    StatCache cache = StatCache::load(place.directory / "cache", place.root, CacheBelief::unchanged_files);
    auto const first = place.release(cache);
    REQUIRE(cache.save());
    REQUIRE(chmod((place.root / "bin/app").c_str(), 0700) == 0);
    auto again = StatCache::load(place.directory / "cache", place.root, CacheBelief::unchanged_files);
    CHECK(at(place.release(again), "bin/app").mode == 0700);
}

TEST_CASE("files with holes say how much of them is no zeros; preallocated ones and small ones say nothing") {
    Place place;
    put_sparse(place.root / "image");
    put_file(place.root / "zeros", std::string(100'000, '\0'));
    struct stat status {};
    REQUIRE(stat((place.root / "image").c_str(), &status) == 0);
    if (status.st_blocks * 512 >= status.st_size) return;  // this file system has no holes
    auto const release = place.release();
    CHECK(at(release, "image").data == KiB(8));
    CHECK_FALSE(at(release, "zeros").data);
    CHECK_FALSE(at(release, "bin/app").data);
    // The same contents without holes are the same contents.
    put_file(place.root / "image", release.manifest.software.text());
}

TEST_CASE("everything that a release cannot hold is named at once, with what to do") {
    Place place;
    put_file(place.root / "sudo", "x", 04755);
    put_file(place.root / "its name", "x", 02755);
    fs::create_symlink("/usr/bin/python3", place.root / "python");
    fs::create_symlink("/bin/app", place.root / "own");
    fs::create_symlink("../../other", place.root / "out");
    REQUIRE(mkfifo((place.root / "pipe").c_str(), 0600) == 0);
    auto const text = place.problem();
    auto const root = place.root.string();
    CHECK_THAT(text, Catch::Contains("a release cannot hold 6 things of it as they are"));
    for (auto const& part :
         {root + "/sudo: it has the setuid, setgid or sticky bit", "run: chmod u-s,g-s,-t '" + root + "/its name'",
          root + "/python: ", std::string("--allow-link '/usr/bin/python3'"),
          "ln -sfnr '" + root + "/bin/app' '" + root + "/own'", root + "/out: ", root + "/pipe: it is a named pipe"})
        CHECK_THAT(text, Catch::Contains(part));
}

TEST_CASE("an allowed link is held, and the manifest says that it may be") {
    Place place;
    fs::create_symlink("/usr/bin/python3", place.root / "python");
    CHECK_THAT(place.problem(), Catch::Contains("--allow-link '/usr/bin/python3'"));
    place.rules.allowed_links = place.request.allowed_links = {"/usr/bin/python3"};
    auto const release = place.release();
    CHECK(release.manifest.allowed_links == std::vector<std::string>{"/usr/bin/python3"});
    fs::create_symlink("/usr/bin/python", place.root / "other");
    CHECK_THAT(place.problem(), Catch::Contains("/other: "));
}

TEST_CASE("only the first problems are listed, and all are counted") {
    Problems problems;
    for (int i = 0; i < 60; ++i) problems.add(fmt::format("/t/{}", i), "wrong");
    auto const text = problems.outcome("/t").error().message;
    CHECK_THAT(text, Catch::Contains("60 things") && Catch::Contains("/t/49: wrong") && Catch::Contains("and 10 more"));
    CHECK(text.find("/t/50:") == std::string::npos);
    CHECK(Problems().outcome("/t"));
}

TEST_CASE("extended attributes are refused unless the system keeps them for itself") {
    for (auto const* const name : {"security.selinux", "security.SMACK64", "security.apparmor",
                                   "trusted.overlay.origin", "system.nfs4_acl", "btrfs.compression"})
        CHECK(problem_of_attribute(name, "/t/x").empty());
    CHECK_THAT(problem_of_attribute("security.capability", "/t/it's"), Catch::Contains("setcap -r '/t/it'\\''s'"));
    CHECK_THAT(problem_of_attribute("system.posix_acl_access", "/t/x"), Catch::Contains("setfacl -b '/t/x'"));
    CHECK_THAT(problem_of_attribute("security.ima", "/t/x"), Catch::Contains("setfattr -x 'security.ima' '/t/x'"));
    CHECK_THAT(problem_of_attribute("user.a", "/t/x"), Catch::Contains("user.a"));

    Place place;
    auto const path = (place.root / "bin/app").string();
    if (setxattr(path.c_str(), "user.note", "1", 1, 0) != 0) return;  // this file system has none
    CHECK_THAT(place.problem(), Catch::Contains("setfattr -x 'user.note' '" + path + "'"));
    REQUIRE(removexattr(path.c_str(), "user.note") == 0);
    CHECK(place.release().manifest.file_count() == 1);
}

TEST_CASE("special bits of directories are not carried, and it is said") {
    Place place;
    fs::create_directories(place.root / "spool");
    REQUIRE(chmod((place.root / "spool").c_str(), 01777) == 0);
    auto const tree = open_source(place.root, TopDirectory::keep);
    REQUIRE(tree);
    REQUIRE(tree->notes.size() == 1);
    CHECK_THAT(tree->notes[0], Catch::Contains("not carried: 'spool'"));
    CHECK(at(place.release(), "spool").mode == 0777);
}

TEST_CASE("a private directory whose files are not private is said to be open on the nodes") {
    Place place;
    REQUIRE(chmod(place.root.c_str(), 0700) == 0);
    auto const tree = open_source(place.root, TopDirectory::keep);
    REQUIRE(tree);
    REQUIRE(tree->notes.size() == 1);
    CHECK_THAT(tree->notes[0], Catch::Contains("closed to other users (mode 0700)"));
}

TEST_CASE("the interpreter of a virtual environment is allowed, as far as its pyvenv.cfg names it") {
    Place place;
    put_file(place.root / "venv/pyvenv.cfg", "include-system-site-packages = false\nhome = /usr/bin\nversion = 3.11\n");
    fs::create_directories(place.root / "venv/bin");
    fs::create_symlink("/usr/bin/python3", place.root / "venv/bin/python3");
    fs::create_symlink("python3", place.root / "venv/bin/python");
    CHECK(place.release().manifest.allowed_links == std::vector<std::string>{"/usr/bin/python3"});
    for (auto const& [link, target] : {std::pair{"venv/bin/sh", "/usr/bin/sh"},
                                       {"venv/bin/python3.9", "/opt/bin/python3"},
                                       {"venv/bin/python2", "/usr/bin/env"},
                                       {"bin/python3", "/usr/bin/python3.11"}}) {
        fs::create_symlink(target, place.root / link);
        CHECK_THAT(place.problem(), Catch::Contains(link));
        fs::remove(place.root / link);
    }
}

}  // namespace carried_test
