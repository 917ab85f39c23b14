#include "subscriber/install/stager.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include "fixture.hpp"
#include "subscriber/install/switch_current.hpp"
#include "subscriber/tree/tree_check.hpp"

namespace lull::subscriber::test::stager_test {

namespace {

Tree example() {
    return {{"bin/", ""},
            {"bin/app", "x:" + std::string(2500, 'p')},
            {"bin/run", "->app"},
            {"empty", ""},
            {"lib/", ""},
            {"lib/deep/", ""},
            {"lib/deep/one", std::string(700, '1')},
            {"lib/deep/two", std::string(1600, '2')},
            {"zz", "the last"}};
}

void check_intact(Node const& node, StageJob const& job) {
    auto const differences = verify_tree(node.layout, job.release, job.manifest);
    REQUIRE(differences);
    CHECK(differences->empty());
    CHECK(load_manifest(node.layout, job.release, node.publisher.trusted()).value() == job.manifest);
    struct stat lock {};
    REQUIRE(stat(node.layout.lock(job.release).c_str(), &lock) == 0);
    CHECK((lock.st_mode & 07777) == 0644);
}

// Nothing of the release is there, not even parts.
void check_absent(Node const& node, StageJob const& job) {
    CHECK(fs::is_empty(node.layout.versions(job.release.software)));
    CHECK(fs::is_empty(node.layout.releases(job.release.software)));
    CHECK(fs::is_empty(node.layout.locks(job.release.software)));
}

}  // namespace

TEST_CASE("a staged release has exactly the files, modes and links of its manifest, however it was cut") {
    for (std::size_t const cut : {1, 13, 1000, 100000}) {
        Node node(cut);
        auto const job = node.job(release(1, "1.0"), example());
        auto const report = stage(job, node.layout, node.objects, Bytes(0));
        if (!report) FAIL(report.error().error.message);
        CHECK(report->files == 5);
        CHECK(report->unpacked == job.manifest.content_size());
        CHECK(report->cloned == Bytes(0));
        check_intact(node, job);
        CHECK(contents_of(node.layout.tree(job.release) / "bin/run") == std::string(2500, 'p'));
    }
}

TEST_CASE("modes do not depend on the umask") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    auto const before = umask(0077);
    auto const report = stage(job, node.layout, node.objects, Bytes(0));
    umask(before);
    REQUIRE(report);
    check_intact(node, job);
    CHECK((fs::status(node.layout.versions(software("app"))).permissions() & fs::perms::mask) == fs::perms(0755));
}

TEST_CASE("staging and switching: current leads to the new tree and then to the next") {
    Node node;
    auto const first = node.install(1, "1.0", {{"data", "old"}});
    auto const second = node.install(2, "2.0", {{"data", "new"}});
    REQUIRE(switch_current(node.layout, first));
    CHECK(contents_of(node.layout.current_link(first.software) / "data") == "old");
    REQUIRE(switch_current(node.layout, second));
    CHECK(contents_of(node.layout.current_link(first.software) / "data") == "new");
}

TEST_CASE("staging again accepts the finished tree and writes nothing") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
    struct stat before {};
    REQUIRE(stat(node.layout.tree(job.release).c_str(), &before) == 0);
    for (auto const& [digest, shape] : job.objects) REQUIRE(node.objects.remove(digest));
    auto const again = stage(job, node.layout, node.objects, Bytes(0));
    REQUIRE(again);
    CHECK(again->was_there);
    CHECK(again->files == 5);
    struct stat after {};
    REQUIRE(stat(node.layout.tree(job.release).c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
}

TEST_CASE("what an interrupted try has left is cleared away") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    REQUIRE(node.layout.prepare(job.release.software));
    SECTION("half a staging directory") {
        auto const left = node.layout.staging(job.release);
        fs::create_directories(left / "lib/deep");
        write_text(left / "lib/deep/one", "half");
        write_text(left / "stranger", "");
    }
    SECTION("a staging directory that nobody may read") {
        fs::create_directories(node.layout.staging(job.release) / "closed");
        fs::permissions(node.layout.staging(job.release) / "closed", fs::perms::none);
    }
    SECTION("manifest and lock file without a tree") {
        write_text(node.layout.manifest(job.release), "half");
        write_text(node.layout.lock(job.release), "");
    }
    SECTION("a tree without manifest and lock file") {
        REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
        fs::remove(node.layout.manifest(job.release));
        fs::remove(node.layout.lock(job.release));
    }
    auto const report = stage(job, node.layout, node.objects, Bytes(0));
    if (!report) FAIL(report.error().error.message);
    check_intact(node, job);
    CHECK_FALSE(fs::exists(node.layout.staging(job.release)));
}

TEST_CASE("an installed tree that was tampered with is replaced in one step, while its files may be open") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
    auto const victim = node.layout.tree(job.release) / "zz";
    write_text(victim, "THE LAST");
    auto const open_before = open_file(victim, O_RDONLY);
    auto const report = stage(job, node.layout, node.objects, Bytes(0));
    REQUIRE(report);
    CHECK_FALSE(report->was_there);
    check_intact(node, job);
    CHECK_FALSE(fs::exists(node.layout.staging(job.release)));
    Buffer seen(8);
    REQUIRE(read_exactly(open_before->get(), 0, seen, victim));
    CHECK(as_text(seen) == "THE LAST");
}

TEST_CASE("equal files come from the base as copies with inodes of their own, and only the rest is unpacked") {
    Node node;
    auto tree = example();
    auto const old = node.install(1, "1.0", tree);
    tree["zz"] = "another last";
    tree["moved"] = std::string(1600, '2');
    auto job = node.job(release(2, "2.0"), tree);
    job.base = &node.base(old);
    auto const wanted = wanted_segments(job.manifest, &job.base->manifest());
    CHECK(wanted.size() < job.manifest.segments.size());
    std::map<Digest, ObjectShape> fetched;
    for (auto const index : wanted) fetched.insert(*job.objects.find(job.manifest.segments[index].digest));
    job.objects = fetched;

    auto const report = stage(job, node.layout, node.objects, Bytes(0));
    if (!report) FAIL(report.error().error.message);
    CHECK(report->unpacked == Bytes(std::string_view("another last").size()));
    CHECK(report->cloned == job.manifest.content_size() - report->unpacked);
    check_intact(node, job);
    struct stat one {};
    struct stat other {};
    REQUIRE(stat((node.layout.tree(old) / "bin/app").c_str(), &one) == 0);
    REQUIRE(stat((node.layout.tree(job.release) / "bin/app").c_str(), &other) == 0);
    CHECK(one.st_ino != other.st_ino);
    CHECK(other.st_nlink == 1);
}

TEST_CASE(
    "a file of the base that was tampered with is not used: its segments take its place, or are named as missing") {
    Node node;
    auto const old = node.install(1, "1.0", example());
    auto job = node.job(release(2, "2.0"), example());
    job.base = &node.base(old);
    auto const victim = node.layout.tree(old) / "lib/deep/one";
    SECTION("same length, segments here") {
        write_text(victim, std::string(700, 'X'));
        auto const report = stage(job, node.layout, node.objects, Bytes(0));
        REQUIRE(report);
        CHECK(report->unpacked == Bytes(700));
        check_intact(node, job);
    }
    SECTION("a link to something that has the right contents") {
        fs::rename(victim, node.directory / "outside");
        fs::create_symlink(node.directory / "outside", victim);
        auto const report = stage(job, node.layout, node.objects, Bytes(0));
        REQUIRE(report);
        CHECK(report->unpacked == Bytes(700));
    }
    SECTION("segments not fetched") {
        write_text(victim, std::string(700, 'X'));
        auto const manifest = load_manifest(node.layout, old).value();
        auto const shapes = std::exchange(job.objects, {});
        auto const failed = stage(job, node.layout, node.objects, Bytes(0));
        REQUIRE_FALSE(failed);
        CHECK(failed.error().error.fault == Fault::not_found);
        CHECK(failed.error().damaged.empty());
        CHECK_FALSE(failed.error().missing.empty());
        CHECK_FALSE(fs::exists(node.layout.tree(job.release)));
        // What it names is enough.
        for (auto const& digest : failed.error().missing) job.objects.insert(*shapes.find(digest));
        CHECK(job.objects.size() < shapes.size());
        REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
        check_intact(node, job);
    }
    SECTION("the whole base is gone") {
        fs::remove_all(node.layout.tree(old));
        REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
        check_intact(node, job);
    }
}

TEST_CASE("damaged objects are all named, nothing is installed, and new copies help") {
    Node node;
    auto job = node.job(release(1, "1.0"), example());
    auto const first = job.manifest.segments.front().digest;
    auto const last = job.manifest.segments.back().digest;
    auto const whole = node.objects.read(first, MiB(1)).value();
    SECTION("other bytes") {
        REQUIRE(node.objects.write(first, Bytes(whole.size() - 1), as_view("?")));
        REQUIRE(node.objects.write(last, Bytes(0), as_view("?")));
    }
    SECTION("bytes too many, and a shape that lies") {
        REQUIRE(node.objects.write(first, Bytes(whole.size()), as_view("?")));
        job.objects.at(last).plain = Bytes(3);
    }
    auto const failed = stage(job, node.layout, node.objects, Bytes(0));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.fault == Fault::damaged);
    auto expected = std::vector{first, last};
    std::sort(expected.begin(), expected.end());
    CHECK(failed.error().damaged == expected);
    CHECK(failed.error().missing.empty());
    check_absent(node, job);

    for (auto const& digest : failed.error().damaged) REQUIRE(node.objects.remove(digest));
    auto const fresh = node.job(release(1, "1.0"), example());
    REQUIRE(stage(fresh, node.layout, node.objects, Bytes(0)));
    check_intact(node, fresh);
}

TEST_CASE("an object that the journal believes in but that is gone is named as missing") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    auto const lost = job.manifest.segments[1].digest;
    REQUIRE(node.objects.remove(lost));
    auto const failed = stage(job, node.layout, node.objects, Bytes(0));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().missing == std::vector{lost});
    check_absent(node, job);
}

TEST_CASE("a manifest whose digests its own segments do not give fails for good and names the file") {
    Node node;
    auto job = node.job(release(1, "1.0"), example());
    for (auto& entry : job.manifest.entries) {
        if (entry.path == "zz") entry.digest = sha256(as_view("something else"));
    }
    auto const failed = stage(job, node.layout, node.objects, Bytes(0));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.fault == Fault::damaged);
    CHECK(failed.error().error.message.find("zz") != std::string::npos);
    CHECK(failed.error().damaged.empty());
    CHECK(failed.error().missing.empty());
    check_absent(node, job);
}

TEST_CASE("a manifest with hostile paths is refused before anything is written") {
    Node node;
    for (auto const* path : {"../evil", "/tmp/evil", "a/../../evil", ".", "bin//x", "nowhere/x"}) {
        auto job = node.job(release(1, "1.0"), {{"good", "contents"}});
        job.manifest.entries.front().path = path;
        auto const failed = stage(job, node.layout, node.objects, Bytes(0));
        INFO(path);
        REQUIRE_FALSE(failed);
        CHECK(failed.error().error.fault == Fault::refused);
    }
    CHECK_FALSE(fs::exists(node.layout.software(software("app"))));
}

TEST_CASE("a file below a link of the same manifest is refused, and the link's target is untouched") {
    Node node;
    auto job = node.job(release(1, "1.0"), {{"a/", ""}, {"a/file", "evil"}});
    job.manifest.entries.front().type = EntryType::symlink;
    job.manifest.entries.front().target = "..";
    REQUIRE_FALSE(stage(job, node.layout, node.objects, Bytes(0)));
    CHECK_FALSE(fs::exists(node.layout.versions(job.release.software) / "file"));
}

TEST_CASE("links that wait on the disk where staging works are removed and not followed") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    REQUIRE(node.layout.prepare(job.release.software));
    auto const outside = node.directory / "outside";
    fs::create_directory(outside);
    write_text(outside / "victim", "untouched");
    SECTION("the staging directory is a link") {
        fs::create_directory_symlink(outside, node.layout.staging(job.release));
    }
    SECTION("the staging directory holds links") {
        fs::create_directory(node.layout.staging(job.release));
        fs::create_directory_symlink(outside, node.layout.staging(job.release) / "lib");
        fs::create_symlink(outside / "victim", node.layout.staging(job.release) / "zz");
    }
    SECTION("the tree's name is a link") { fs::create_directory_symlink(outside, node.layout.tree(job.release)); }
    SECTION("the manifest's name is a link") {
        fs::create_symlink(outside / "victim", node.layout.manifest(job.release));
    }
    auto const report = stage(job, node.layout, node.objects, Bytes(0));
    if (!report) FAIL(report.error().error.message);
    check_intact(node, job);
    CHECK(contents_of(outside / "victim") == "untouched");
    CHECK(std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1);
}

TEST_CASE("a manifest of another software or version is refused") {
    Node node;
    auto job = node.job(release(1, "1.0"), example());
    job.release.version = VersionName::parse("1.1").value();
    auto const failed = stage(job, node.layout, node.objects, Bytes(0));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.fault == Fault::refused);
}

TEST_CASE("staging keeps the reserve free: it says what it needs, what is free, and where") {
    Node node;
    auto const job = node.job(release(1, "1.0"), example());
    auto const failed = stage(job, node.layout, node.objects, GiB(1 << 30));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.fault == Fault::no_space);
    auto const& message = failed.error().error.message;
    CHECK(message.find(node.layout.versions(job.release.software).string()) != std::string::npos);
    CHECK(message.find("needs") != std::string::npos);
    check_absent(node, job);
}

TEST_CASE("on a small disk a release that does not fit leaves nothing behind, and one that fits is staged") {
    Node node;
    if (geteuid() != 0) {
        WARN("skipped: mounting a small file system needs root");
        return;
    }
    auto const small = node.layout.software(software("app"));
    fs::create_directories(small);
    if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m,nr_inodes=200") != 0) {
        WARN("skipped: cannot mount a tmpfs here");
        return;
    }
    auto const free_before = free_space(small).value();
    std::string const half(600 * 1024, 'x');
    auto const too_large = node.job(release(1, "1.0"), {{"a", half}, {"b", half}});
    auto const failed = stage(too_large, node.layout, node.objects, Bytes(0));
    CHECK_FALSE(failed);
    if (!failed) CHECK(failed.error().error.fault == Fault::no_space);
    check_absent(node, too_large);
    Tree many;
    for (int i = 0; i < 300; ++i) many[fmt::format("f{:03}", i)] = "";
    auto const too_many = stage(node.job(release(2, "2.0"), many), node.layout, node.objects, Bytes(0));
    CHECK_FALSE(too_many);
    if (!too_many) CHECK(too_many.error().error.fault == Fault::no_space);
    CHECK(free_space(small).value().bytes.count() + 16384 >= free_before.bytes.count());
    auto const fits = node.job(release(3, "3.0"), {{"a", half}});
    auto const staged = stage(fits, node.layout, node.objects, Bytes(0));
    CHECK(staged);
    if (staged) check_intact(node, fits);
    CHECK(umount2(small.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a stored manifest is refused if it is another release's, damaged, or signed by somebody else") {
    Node node;
    auto const id = node.install(1, "1.0", example());
    CHECK(load_manifest(node.layout, id));
    CHECK(load_manifest(node.layout, id, node.publisher.trusted()));
    CHECK(load_manifest(node.layout, id, Publisher().trusted()).error().fault == Fault::refused);
    fs::copy_file(node.layout.manifest(id), node.layout.manifest(release(2, "2.0")));
    CHECK(load_manifest(node.layout, release(2, "2.0")).error().fault == Fault::damaged);
    write_text(node.layout.manifest(id), "garbage");
    CHECK(load_manifest(node.layout, id).error().fault == Fault::damaged);
}

}  // namespace lull::subscriber::test::stager_test
