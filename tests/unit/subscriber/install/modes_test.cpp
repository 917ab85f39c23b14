#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.hpp"
#include "subscriber/install/stager.hpp"
#include "subscriber/tree/tree_check.hpp"
#include "subscriber/tree/tree_repair.hpp"

namespace lull::subscriber::test::modes_test {

namespace {

Entry& at(Manifest& m, std::string_view path) { return *std::ranges::find(m.entries, path, &Entry::path); }

struct stat look(fs::path const& path) {
    struct stat status {};
    REQUIRE(lstat(path.c_str(), &status) == 0);
    return status;
}

// A release with a private directory, a directory that its owner may not write to, and a sparse file.
struct Installed {
    Node node{1 << 20};
    ReleaseId id = release(1, "1.0");
    std::string image = std::string(50'000, 'a') + std::string(6'000'000, '\0') + "end";
    Manifest manifest;
    fs::path tree = node.layout.tree(id);

    Installed() {
        auto made = node.publisher.publish(
            id,
            {{"bin/", ""}, {"bin/app", "x:program"}, {"image", image}, {"private/", ""}, {"private/key", "secret"}});
        node.publisher.make_second(made, [](Manifest& m) {
            at(m, "bin").mode = 0555;
            at(m, "bin/app").mode = 0511;
            at(m, "private").mode = 0700;
            at(m, "private/key").mode = 0400;
            at(m, "private/key").modified = 1'234'567'890;
            at(m, "image").data = KiB(64);
            m.strays = {"cache"};
        });
        manifest = made.manifest;
        auto const staged = stage(node.job(id, std::move(made)), node.layout, node.objects, Bytes(0));
        if (!staged) FAIL(staged.error().error.message);
    }
    std::vector<Difference> check() { return verify_tree(node.layout, id, manifest).value(); }
    void repair() {
        std::map<Digest, ObjectShape> const none;
        auto const repaired = repair_tree({id, manifest, none, {}, {}}, check(), node.layout);
        if (!repaired.status) FAIL(repaired.status.error().message);
    }
};

}  // namespace

TEST_CASE("a tree is installed with the modes and times of its manifest") {
    Installed installed;
    CHECK(installed.check().empty());
    CHECK((look(installed.tree / "private").st_mode & 07777) == 0700);
    CHECK((look(installed.tree / "private/key").st_mode & 07777) == 0400);
    CHECK((look(installed.tree / "bin").st_mode & 07777) == 0555);
    CHECK((look(installed.tree / "bin/app").st_mode & 07777) == 0511);
    CHECK(look(installed.tree / "private/key").st_mtim.tv_sec == 1'234'567'890);
    CHECK(look(installed.tree / "bin/app").st_mtim.tv_sec == 1'700'000'000);
}

TEST_CASE("a sparse file stays sparse, also when it is copied from the release before") {
    Installed installed;
    auto const image = look(installed.tree / "image");
    CHECK(image.st_size == static_cast<off_t>(installed.image.size()));
    CHECK(image.st_blocks * 512 < 200'000);
    CHECK(contents_of(installed.tree / "image") == installed.image);

    auto const next = release(2, "2.0");
    auto made = installed.node.publisher.publish(next, {{"image", installed.image}});
    installed.node.publisher.make_second(made, [](Manifest& m) { at(m, "image").data = KiB(64); });
    auto job = installed.node.job(next, std::move(made));
    job.base = &installed.node.base(installed.id);
    auto const staged = stage(job, installed.node.layout, installed.node.objects, Bytes(0));
    REQUIRE(staged);
    CHECK(staged->cloned == Bytes(installed.image.size()));
    auto const copy = installed.node.layout.tree(next) / "image";
    CHECK(look(copy).st_blocks * 512 < 200'000);
    CHECK(contents_of(copy) == installed.image);
}

TEST_CASE("a file without the mark of a sparse one is written in full") {
    Node node(1 << 20);
    auto const id = release(1, "1.0");
    auto made = node.publisher.publish(id, {{"zeros", std::string(400'000, '\0')}});
    node.publisher.make_second(made, [](Manifest&) {});
    REQUIRE(stage(node.job(id, std::move(made)), node.layout, node.objects, Bytes(0)));
    CHECK(look(node.layout.tree(id) / "zeros").st_blocks * 512 >= 400'000);
}

TEST_CASE("modes and times that were changed are found and put right in place") {
    Installed installed;
    auto const inode = look(installed.tree / "private/key").st_ino;
    REQUIRE(chmod((installed.tree / "private/key").c_str(), 0644) == 0);
    REQUIRE(chmod((installed.tree / "private").c_str(), 0755) == 0);
    timespec const now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    REQUIRE(utimensat(AT_FDCWD, (installed.tree / "bin/app").c_str(), now, 0) == 0);
    CHECK(installed.check() == std::vector<Difference>{{"bin/app", DifferenceKind::time},
                                                       {"private", DifferenceKind::mode},
                                                       {"private/key", DifferenceKind::mode}});
    installed.repair();
    CHECK(installed.check().empty());
    CHECK(look(installed.tree / "private/key").st_ino == inode);
}

TEST_CASE("contents that were changed are put right with mode, time and holes, also where the owner may not write") {
    Installed installed;
    fs::remove(installed.tree / "bin/app");
    REQUIRE(chmod((installed.tree / "private/key").c_str(), 0600) == 0);
    write_text(installed.tree / "private/key", "public");
    write_text(installed.tree / "image", "x");
    auto const next = release(2, "2.0");  // has the bytes
    REQUIRE(stage(installed.node.job(next, installed.node.publisher.publish(
                                               next, {{"a", "program"}, {"b", "secret"}, {"c", installed.image}})),
                  installed.node.layout, installed.node.objects, Bytes(0)));
    installed.repair();
    CHECK(installed.check().empty());
    CHECK((look(installed.tree / "bin").st_mode & 07777) == 0555);
    CHECK(look(installed.tree / "private/key").st_mtim.tv_sec == 1'234'567'890);
    CHECK(look(installed.tree / "image").st_blocks * 512 < 200'000);
}

TEST_CASE("without root, directories that their owner may not write to are installed, repaired and removed") {
    if (getuid() != 0) return;  // then the other tests do that
    pid_t const child = fork();
    if (child == 0) {
        // No REQUIRE in here: a failure is an exit status.
        lull::test::TemporaryDirectory directory;
        if (chown(directory.path().c_str(), 65534, 65534) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(3);
        Layout const layout(directory / "root");
        ObjectFiles objects(layout.incoming());
        if (!layout.prepare()) _exit(4);
        Publisher const publisher;
        auto const id = release(1, "1.0");
        auto made = publisher.publish(id, {{"bin/", ""}, {"bin/app", "x:program"}, {"twin", "program"}});
        publisher.make_second(made, [](Manifest& m) {
            at(m, "bin").mode = 0555;
            at(m, "bin/app").mode = 0555;
        });
        StageJob job{id, made.manifest, made.envelope, {}};
        for (auto const& [digest, object] : made.objects) {
            if (!objects.write(digest, Bytes(0), object.bytes)) _exit(5);
            job.objects.emplace(digest, object.shape);
        }
        if (!stage(job, layout, objects, Bytes(0))) _exit(6);
        auto const bin = layout.tree(id) / "bin";
        if (chmod(bin.c_str(), 0755) != 0 || unlink((bin / "app").c_str()) != 0 || chmod(bin.c_str(), 0555) != 0)
            _exit(7);
        auto const found = verify_tree(layout, id, made.manifest);
        if (!found || found->size() != 1) _exit(8);
        std::map<Digest, ObjectShape> const none;
        if (!repair_tree({id, made.manifest, none, {}, {}}, *found, layout).status) _exit(9);
        if (!verify_tree(layout, id, made.manifest)->empty()) _exit(10);
        _exit(remove_tree(layout.tree(id)) ? 0 : 11);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("paths that the manifest allows as strays are no difference") {
    Installed installed;
    fs::create_directories(installed.tree / "cache/deep");
    write_text(installed.tree / "cache/deep/file", "x");
    CHECK(installed.check().empty());
    write_text(installed.tree / "other", "x");
    CHECK(installed.check() == std::vector<Difference>{{"other", DifferenceKind::extra}});
}

TEST_CASE("the data directory is made once, with the mode of the release, and then belongs to the node") {
    Node node;
    auto const app = software("app");
    REQUIRE(node.layout.prepare(app));
    REQUIRE(node.layout.prepare_data(app, 0750));
    CHECK((look(node.layout.data(app)).st_mode & 07777) == 0750);
    REQUIRE(node.layout.prepare_data(app, 0777));
    CHECK((look(node.layout.data(app)).st_mode & 07777) == 0750);
    auto const calls = node.layout.for_calls();
    REQUIRE(calls.prepare_data(app, 0700));
    CHECK_FALSE(fs::exists(calls.data(app)));
}

}  // namespace lull::subscriber::test::modes_test
