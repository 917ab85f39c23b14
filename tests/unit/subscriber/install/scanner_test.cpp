#include "subscriber/install/scanner.hpp"

#include <sys/stat.h>

#include "core/clock.hpp"
#include "fixture.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/install/switch_current.hpp"

namespace lull::subscriber::test::scanner_test {

namespace {

Tree const app{
    {"bin/", ""}, {"bin/app", "x:program"}, {"data", "contents"}, {"link", "->bin/app"}, {"twin", "contents"}};

// A node with a release that is current, and a scanner that is asked and answers at once.
struct Scanned {
    Node node{5};  // each file has segments of its own
    ReleaseId id = node.install(1, "1.0", app);
    fs::path tree = node.layout.tree(id);
    TreeAccess access;
    std::map<Digest, ObjectShape> objects;

    Scanned() {
        REQUIRE(switch_current(node.layout, id));
        forget_objects();
        settle();
    }

    TreesScanned scan(bool read_all = false, Strays strays = Strays::move) {
        EventLoop loop;
        std::optional<TreesScanned> outcome;
        Scanner scanner(loop, node.layout, {node.publisher.trusted(), Bytes(), strays}, access, [&](Event event) {
            outcome = std::get<TreesScanned>(std::move(event));
            loop.stop();
        });
        scanner.scan({id.software, id, {id}, objects, read_all});
        loop.run();
        REQUIRE(outcome);
        return *outcome;
    }
    TreeFindings findings(bool read_all = false) { return scan(read_all).trees.at(0); }

    [[nodiscard]] bool is_right() {
        auto const manifest = load_manifest(node.layout, id, node.publisher.trusted());
        return manifest && verify_tree(node.layout, id, *manifest).value().empty();
    }

    // What was fetched for the release is gone by the time that it is active.
    void forget_objects() {
        auto const kept = node.objects.list();
        REQUIRE(kept);
        for (auto const& object : *kept) REQUIRE(node.objects.remove(object));
    }
    // Files count as settled some seconds after they were written; here they were written long ago.
    void settle() {
        timespec const old[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
        for (auto const* name : {"bin/app", "data", "twin"})
            REQUIRE(utimensat(AT_FDCWD, (tree / name).c_str(), old, 0) == 0);
    }
    // Writes other bytes of the same length, and makes it look as if nothing had happened.
    void rot(char const* name, std::string_view text) const {
        struct stat before {};
        REQUIRE(stat((tree / name).c_str(), &before) == 0);
        write_text(tree / name, text);
        timespec const times[2] = {before.st_atim, before.st_mtim};
        REQUIRE(utimensat(AT_FDCWD, (tree / name).c_str(), times, 0) == 0);
    }
};

}  // namespace

TEST_CASE("nothing is found in a tree that is as it was installed") {
    Scanned node;
    for (int round = 0; round < 2; ++round) {
        auto const outcome = node.scan();
        CHECK_FALSE(outcome.interrupted);
        CHECK_FALSE(outcome.current_mismatch);
        CHECK(outcome.trees.at(0).repaired == 0);
        CHECK(outcome.trees.at(0).left == 0);
        CHECK(outcome.trees.at(0).status);
    }
}

TEST_CASE("a damaged file is made anew from an equal one, in a file of its own") {
    Scanned node;
    node.rot("data", "cOntents");
    auto const findings = node.findings();
    CHECK(findings.repaired == 1);
    CHECK(findings.left == 0);
    CHECK(findings.example == "data: contents differ");
    CHECK(node.is_right());
    struct stat a {};
    struct stat b {};
    REQUIRE(stat((node.tree / "data").c_str(), &a) == 0);
    REQUIRE(stat((node.tree / "twin").c_str(), &b) == 0);
    CHECK(a.st_ino != b.st_ino);
    CHECK(a.st_nlink == 1);
}

TEST_CASE("whoever has a damaged file open keeps it") {
    Scanned node;
    auto const open = open_file(node.tree / "data", O_RDONLY);
    REQUIRE(open);
    write_text(node.tree / "data", "other");
    (void)node.findings();
    Buffer bytes(5);
    REQUIRE(read_exactly(open->get(), 0, bytes, "data"));
    CHECK(as_text(bytes) == "other");
    CHECK(contents_of(node.tree / "data") == "contents");
}

TEST_CASE("what no file here has is named, and put in place when it has been fetched") {
    Scanned node;
    write_text(node.tree / "bin/app", "PROGRAM");
    auto findings = node.findings();
    CHECK(findings.left == 1);
    CHECK(findings.repaired == 0);
    CHECK(findings.status);
    REQUIRE(findings.lacking.size() == 2);
    auto const made = node.node.publisher.publish(node.id, app);
    for (auto const& segment : findings.lacking) {
        auto const& object = made.objects.at(segment.digest);
        REQUIRE(node.node.objects.write(segment.digest, Bytes(), object.bytes));
        node.objects.emplace(segment.digest, object.shape);
    }
    findings = node.findings();
    CHECK(findings.repaired == 1);
    CHECK(findings.left == 0);
    CHECK(node.is_right());
}

TEST_CASE("paths that do not belong there go, links are not followed, modes and types are put right") {
    Scanned node;
    auto const outside = node.node.directory / "outside";
    fs::create_directory(outside);
    write_text(outside / "precious", "not ours");
    fs::create_directory(node.tree / "more");
    write_text(node.tree / "more/file", "foreign");
    fs::create_directory_symlink(outside, node.tree / "door");
    fs::remove(node.tree / "link");
    fs::create_symlink("data", node.tree / "link");
    chmod((node.tree / "data").c_str(), 0600);
    fs::remove(node.tree / "twin");
    fs::create_directory(node.tree / "twin");
    auto const findings = node.findings();
    CHECK(findings.left == 0);
    CHECK(findings.repaired == 5);
    CHECK(node.is_right());
    CHECK(contents_of(outside / "precious") == "not ours");
}

TEST_CASE("what is no part of a release is moved to lost+found, or deleted where the node's owner said so") {
    Scanned node;
    write_text(node.tree / "bin/app.log", "log");
    auto const lost = node.node.layout.lost(node.id.software);
    SECTION("moved") {
        auto const findings = node.findings();
        CHECK(findings.moved == std::vector<std::string>{"bin/app.log"});
        CHECK(findings.kept.empty());
        CHECK(findings.example == "bin/app.log: not part of the release");
        CHECK(fs::exists(lost));
    }
    SECTION("deleted") {
        auto const findings = node.scan(false, Strays::remove).trees.at(0);
        CHECK(findings.moved.empty());
        CHECK(findings.repaired == 1);
        CHECK_FALSE(fs::exists(lost));
    }
    CHECK(node.is_right());
    CHECK(node.findings().repaired == 0);
}

TEST_CASE("a tree or a manifest that is gone is said to be lost") {
    Scanned node;
    SECTION("the tree") {
        fs::remove_all(node.tree);
        CHECK(node.findings().status.error().fault == Fault::not_found);
    }
    SECTION("its manifest") {
        fs::remove(node.node.layout.manifest(node.id));
        CHECK(node.findings().status.error().fault == Fault::not_found);
    }
    SECTION("its manifest is damaged") {
        write_text(node.node.layout.manifest(node.id), "?");
        CHECK(node.findings().status.error().fault == Fault::damaged);
    }
}

TEST_CASE("a current that points nowhere is found, unless the tree where it should point is not whole") {
    Scanned node;
    auto const link = node.node.layout.current_link(node.id.software);
    fs::remove(link);
    write_text(node.tree / "bin/app", "PROGRAM");
    CHECK_FALSE(node.scan().current_mismatch);
    write_text(node.tree / "bin/app", "program");
    CHECK(node.scan().current_mismatch == node.id);
    CHECK_FALSE(fs::exists(fs::symlink_status(link)));  // the agent has it put right
}

TEST_CASE("a file that looks as it did is not read, until all is read") {
    Scanned node;
    auto const manifest = load_manifest(node.node.layout, node.id).value();
    WallTime const later{SystemClock().wall().micros +
                         10'000'000};  // by then the files have not been changed for a while
    auto const look = [&](std::vector<FileMark> known) {
        return look_at_tree(node.tree, manifest, {std::move(known), later, {}}).value();
    };
    auto const first = look({});
    CHECK(first.read == Bytes(7 + 8 + 8));
    CHECK(look(first.marks).read == Bytes());
    write_text(node.tree / "data", "contents");
    CHECK(look(first.marks).read == Bytes(8));

    // Bytes that rot without a trace: a mark that fits hides them, and reading all finds them.
    node.rot("data", "cOntents");
    auto planted = first.marks;
    for (std::size_t i = 0; i < planted.size(); ++i) {
        struct stat status {};
        REQUIRE(lstat((node.tree / manifest.entries[i].path).c_str(), &status) == 0);
        if (manifest.entries[i].path == "data") planted[i] = mark_of(status, later);
    }
    CHECK(look(planted).differences.empty());
    CHECK(node.findings(true).repaired == 1);
    CHECK(node.is_right());
}

TEST_CASE("a file that was changed just now is not marked, because a further change might not show") {
    Scanned node;
    auto const manifest = load_manifest(node.node.layout, node.id).value();
    auto const seen = look_at_tree(node.tree, manifest, {{}, SystemClock().wall(), {}}).value();
    CHECK(std::ranges::all_of(seen.marks, [](FileMark mark) { return mark == 0; }));
}

TEST_CASE("marks of another manifest, of another length, or damaged ones are not used") {
    Scanned node;
    auto const digest = sha256(as_view("manifest"));
    TreeMarks const marks{digest, {1, 0, 3}};
    REQUIRE(save_marks(node.node.layout, node.id, marks));
    CHECK(load_marks(node.node.layout, node.id, digest, 3) == marks);
    CHECK_FALSE(load_marks(node.node.layout, node.id, sha256(as_view("other")), 3));
    CHECK_FALSE(load_marks(node.node.layout, node.id, digest, 4));
    write_text(node.node.layout.marks(node.id), "lullseen");
    CHECK_FALSE(load_marks(node.node.layout, node.id, digest, 3));
}

TEST_CASE("the scanner stops for whoever wants the trees") {
    Scanned node;
    std::thread installer;
    {
        auto const busy = node.access.take_when_idle({});
        REQUIRE(busy);
        installer = std::thread([&] { auto const turn = node.access.take(node.id.software); });
        while (!node.access.wanted()) std::this_thread::yield();
        // A scan that begins now would wait for its turn; one that is under way sees the wish.
        auto const manifest = load_manifest(node.node.layout, node.id).value();
        auto const seen = look_at_tree(node.tree, manifest,
                                       {{}, SystemClock().wall(), [&](Bytes) { return !node.access.wanted(); }});
        CHECK_FALSE(seen);
    }
    installer.join();
    CHECK_FALSE(node.access.wanted());
    CHECK_FALSE(node.scan().interrupted);
}

}  // namespace lull::subscriber::test::scanner_test
