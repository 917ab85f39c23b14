#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/install/installer.hpp"
#include "subscriber/install/leftovers.hpp"
#include "subscriber/install/scanner.hpp"
#include "subscriber/tree/tree_check.hpp"

// Work on trees that is stopped or cancelled, at any point, and what it leaves.

namespace lull::subscriber::test::stop_test {

namespace {

Tree example() {
    Tree tree{{"bin/", ""}, {"bin/app", "x:" + std::string(2500, 'p')}, {"lib/", ""}};
    for (int i = 0; i < 40; ++i) tree[fmt::format("lib/{:02}", i)] = std::string(300, static_cast<char>('a' + i % 26));
    return tree;
}

// Says stop at the call with this number.
ReadStep stop_at(int number) {
    return [left = std::make_shared<int>(number)](Bytes) { return --*left > 0; };
}

}  // namespace

TEST_CASE("staging that is stopped at any step says so, names nothing, and the next call completes it") {
    Node node;
    auto const old = node.install(1, "1.0", example());
    auto tree = example();
    tree["bin/app"] = "x:" + std::string(2600, 'q');
    auto job = node.job(release(2, "2.0"), tree);
    job.base = &node.base(old);
    int stops = 0;
    for (;; ++stops) {
        job.step = stop_at(stops + 1);
        auto const staged = stage(job, node.layout, node.objects, Bytes(0));
        if (staged) break;
        REQUIRE(staged.error().error.fault == Fault::cancelled);
        CHECK(staged.error().damaged.empty());
        CHECK(staged.error().missing.empty());
        CHECK_FALSE(fs::exists(node.layout.tree(job.release)));
    }
    CHECK(stops > 80);  // each file when it is made and when it is verified, each segment
    CHECK(verify_tree(node.layout, job.release, job.manifest).value().empty());
    CHECK_FALSE(fs::exists(node.layout.staging(job.release)));
}

TEST_CASE("what a stopped staging leaves is cleared away, and so are all temporary files") {
    Node node;
    auto const old = node.install(1, "1.0", example());
    auto job = node.job(release(2, "2.0"), example());
    job.step = stop_at(60);
    REQUIRE_FALSE(stage(job, node.layout, node.objects, Bytes(0)));
    auto const& software = old.software;
    auto const& layout = node.layout;
    CHECK(fs::exists(layout.staging(job.release)));
    fs::create_directories(layout.garbage(release(0, "0.9")) / "rest");
    write_text(layout.repairing(software), "half");
    write_text(layout.releases(software) / ".lull-abcdef", "half");
    write_text(layout.software(software) / ".lull-abcdef", "half");
    write_text(layout.manifest(release(7, "7.0")), "of no version");
    write_text(layout.secret() / ".lull-abcdef", "half");
    write_text(layout.holds() / ".lull-oldold", "half");
    write_text(layout.holds() / ".lull-newnew", "being written");
    timespec const old_times[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
    REQUIRE(utimensat(AT_FDCWD, (layout.holds() / ".lull-oldold").c_str(), old_times, 0) == 0);
    fs::create_symlink("versions/2-2.0", layout.fresh_link(software));

    REQUIRE(clear_leftovers(layout, software));
    REQUIRE(clear_temporary_files(layout, SystemClock().wall()));
    auto const names = [](fs::path const& directory) { return names_in(directory).value(); };
    CHECK(names(layout.versions(software)) == std::vector<std::string>{"1-1.0"});
    CHECK(names(layout.releases(software)) == std::vector<std::string>{"1-1.0.manifest"});
    CHECK(names(layout.locks(software)) == std::vector<std::string>{"1-1.0"});
    CHECK(names(layout.software(software)) == std::vector<std::string>{"locks", "releases", "versions"});
    CHECK(names(layout.holds()) == std::vector<std::string>{".lull-newnew"});
    CHECK_FALSE(fs::exists(layout.secret() / ".lull-abcdef"));
    CHECK(load_manifest(layout, old, node.publisher.trusted()));
}

TEST_CASE("a plan or a staging that is cancelled ends with an event that says so") {
    Node node;
    EventLoop loop;
    TreeAccess access;
    std::vector<Event> told;
    Installer installer(loop, node.layout, {node.publisher.trusted(), MiB(1), MiB(64)}, access, [&](Event event) {
        told.push_back(std::move(event));
        loop.stop();
    });
    auto const id = release(1, "1.0");
    auto const made = node.publisher.publish(id, example());
    Materials materials{id, sha256(made.envelope), std::nullopt, {}};
    auto const packed = store::pack_object(made.envelope, store::quick_level);
    REQUIRE(node.objects.write(materials.manifest, Bytes(0), packed.bytes));
    materials.objects.emplace(materials.manifest, packed.shape);
    for (auto const& [digest, object] : made.objects) {
        REQUIRE(node.objects.write(digest, Bytes(0), object.bytes));
        materials.objects.emplace(digest, object.shape);
    }
    REQUIRE(node.layout.prepare(id.software));
    std::optional<TreeAccess::Turn> turn(access.take(id.software));
    installer.stage({materials});  // waits for its turn
    installer.cancel(id.software, Job::plan);
    installer.cancel(id.software, Job::staging);
    turn.reset();
    run_bounded(loop);
    REQUIRE(std::holds_alternative<StageEnded>(told.at(0)));
    CHECK(std::get<StageEnded>(told.at(0)).status.error().fault == Fault::cancelled);
    CHECK_FALSE(fs::exists(node.layout.tree(id)));

    // Nothing of the cancel is left for what comes after it.
    installer.stage({materials});
    run_bounded(loop);
    REQUIRE(std::holds_alternative<StageEnded>(told.at(1)));
    if (auto const& status = std::get<StageEnded>(told.at(1)).status; !status) FAIL(status.error().message);
    CHECK(fs::exists(node.layout.tree(id)));
}

TEST_CASE("a scan that is cancelled, before its turn or later, is told as interrupted") {
    Node node;
    auto const id = node.install(1, "1.0", example());
    EventLoop loop;
    TreeAccess access;
    std::optional<TreesScanned> outcome;
    Scanner scanner(loop, node.layout, {node.publisher.trusted(), Bytes()}, access, [&](Event event) {
        outcome = std::get<TreesScanned>(std::move(event));
        loop.stop();
    });
    {
        auto const turn = access.take(id.software);
        scanner.scan({id.software, id, {id}, {}, true});
        scanner.cancel(id.software);
        run_bounded(loop);
        CHECK(outcome->interrupted);
    }
    scanner.scan({id.software, id, {id}, {}, true});
    run_bounded(loop);
    CHECK_FALSE(outcome->interrupted);
}

TEST_CASE("trees of different software are changed side by side, of one software by one writer") {
    TreeAccess access;
    std::optional<TreeAccess::Turn> first(access.take(software("a")));
    auto const second = access.take(software("b"));
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(access.take_when_idle(stop.get_token()));
    std::atomic<bool> got = false;
    std::thread other([&] {
        auto const turn = access.take(software("a"));
        got = true;
    });
    while (!access.wanted()) std::this_thread::yield();
    CHECK_FALSE(got);
    first.reset();
    other.join();
    CHECK(got);
}

TEST_CASE("memory that is taken is waited for, but alone everything is given") {
    MemoryBudget budget(MiB(10));
    { auto const all = budget.take(MiB(100)); }
    std::optional<MemoryBudget::Share> first(budget.take(MiB(6)));
    std::atomic<bool> got = false;
    std::thread other([&] {
        auto const share = budget.take(MiB(6));
        got = true;
    });
    { auto const fits = budget.take(MiB(4)); }
    CHECK_FALSE(got);
    first.reset();
    other.join();
    CHECK(got);
}

}  // namespace lull::subscriber::test::stop_test
