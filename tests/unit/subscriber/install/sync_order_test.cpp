#include "install/sync_order.hpp"

#include <algorithm>

#include "fixture.hpp"
#include "subscriber/install/switch_current.hpp"

// In which order staging and switching make things durable.

namespace lull::subscriber::test::sync_order_test {

namespace {

using Calls = std::vector<DiskCall>;
using Kind = DiskCall::Kind;

constexpr std::size_t never = static_cast<std::size_t>(-1);

std::size_t first(Calls const& calls, Kind kind, fs::path const& path) {
    auto const found = std::ranges::find_if(
        calls, [&](DiskCall const& call) { return call.kind == kind && call.path == path.string(); });
    return found == calls.end() ? never : static_cast<std::size_t>(found - calls.begin());
}

std::size_t last_write_below(Calls const& calls, fs::path const& directory) {
    auto const prefix = directory.string() + "/";
    for (std::size_t i = calls.size(); i > 0; --i) {
        if (calls[i - 1].kind == Kind::wrote && calls[i - 1].path.starts_with(prefix)) return i - 1;
    }
    return never;
}

Calls without(Calls calls, Kind kind, fs::path const& path) {
    std::erase_if(calls, [&](DiskCall const& call) { return call.kind == kind && call.path == path.string(); });
    return calls;
}

// What a power cut may leave half done. Empty: nothing.
std::string fault_of(Calls const& calls, StageJob const& job, Layout const& layout) {
    auto const staging = layout.staging(job.release);
    auto const named = first(calls, Kind::named, layout.tree(job.release));
    if (named == never) return "the tree did not get its name";
    auto const all = first(calls, Kind::synced_all, staging);
    auto const synced = [&](fs::path const& path) { return std::min(all, first(calls, Kind::synced, path)); };
    if (all != never && all < last_write_below(calls, staging)) return "something was written behind syncfs";
    for (auto const& entry : job.manifest.entries) {
        auto const path = staging / entry.path;
        if (entry.type == EntryType::symlink) continue;
        if (synced(path) >= named) return entry.path + " was not synced before the tree got its name";
        auto const parent = path.parent_path();
        if (all == never && synced(parent) <= synced(path)) return entry.path + " was synced behind its directory";
    }
    if (synced(staging) >= named) return "the tree itself was not synced before it got its name";
    auto const manifest = first(calls, Kind::named, layout.manifest(job.release));
    auto const releases = first(calls, Kind::synced, layout.releases(job.release.software));
    if (manifest == never || releases == never || releases < manifest || releases > named)
        return "the manifest was not durable before the tree got its name";
    if (first(calls, Kind::synced, layout.lock(job.release)) > named) return "the lock file was not synced";
    if (first(calls, Kind::synced, layout.locks(job.release.software)) > named) return "locks/ was not synced";
    for (std::size_t i = named; i < calls.size(); ++i) {
        if (calls[i].kind == Kind::synced && calls[i].path == layout.versions(job.release.software).string()) return "";
    }
    return "versions/ was not synced behind the new name";
}

Tree small_tree() {
    return {{"bin/", ""},      {"bin/app", "x:program"},      {"lib/", ""},
            {"lib/deep/", ""}, {"lib/deep/data", "contents"}, {"link", "->bin/app"},
            {"top", "more"}};
}

Tree large_tree() {
    auto tree = small_tree();
    for (int i = 0; i < 100; ++i) tree[fmt::format("lib/deep/file-{:03}", i)] = fmt::format("contents {}", i);
    return tree;
}

struct Recorded {
    Node node;
    StageJob job;
    Calls calls;

    explicit Recorded(Tree const& tree) : job(node.job(release(2, "2.0"), tree)) {
        REQUIRE(node.layout.prepare(job.release.software));
        DiskCalls const recorder;
        auto const staged = stage(job, node.layout, node.objects, Bytes(0));
        if (!staged) FAIL(staged.error().error.message);
        calls = recorder.calls();
    }
    [[nodiscard]] std::string fault(Calls const& of) const { return fault_of(of, job, node.layout); }
};

}  // namespace

TEST_CASE("a small tree is synced file by file, then directory by directory from the inside, before it gets its name") {
    Recorded const small(small_tree());
    CHECK(small.fault(small.calls) == "");
    CHECK(std::ranges::none_of(small.calls, [](DiskCall const& call) { return call.kind == Kind::synced_all; }));
}

TEST_CASE("a large tree is synced at once, behind the last write and before it gets its name") {
    Recorded const large(large_tree());
    CHECK(large.fault(large.calls) == "");
    CHECK(std::ranges::count(large.calls, Kind::synced_all, &DiskCall::kind) == 1);
    CHECK(std::ranges::count(large.calls, Kind::synced, &DiskCall::kind) < 10);
}

TEST_CASE("control: each sync that is left out, and each wrong order, is seen") {
    Recorded const small(small_tree());
    auto const staging = small.node.layout.staging(small.job.release);
    auto const& layout = small.node.layout;
    auto const& software = small.job.release.software;
    for (auto const& path : {staging / "bin/app", staging / "lib/deep", staging / "lib", staging,
                             layout.lock(small.job.release), layout.locks(software), layout.versions(software)}) {
        INFO(path);
        CHECK(small.fault(without(small.calls, Kind::synced, path)) != "");
    }
    auto reversed = small.calls;
    std::swap(reversed[first(reversed, Kind::synced, staging / "lib/deep")],
              reversed[first(reversed, Kind::synced, staging / "lib/deep/data")]);
    CHECK(small.fault(reversed) != "");

    Recorded const large(large_tree());
    auto const below = large.node.layout.staging(large.job.release);
    CHECK(large.fault(without(large.calls, Kind::synced_all, below)) != "");
    auto early = large.calls;
    auto const at = first(early, Kind::synced_all, below);
    std::rotate(early.begin(), early.begin() + static_cast<std::ptrdiff_t>(at),
                early.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    CHECK(large.fault(early) != "");
}

TEST_CASE("a syncfs that fails makes the staging fail, and nothing gets its name") {
    Node node;
    auto const job = node.job(release(2, "2.0"), large_tree());
    fail_syncfs(true);
    auto const failed = stage(job, node.layout, node.objects, Bytes(0));
    fail_syncfs(false);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.fault == Fault::failed);
    CHECK(failed.error().missing.empty());
    CHECK_FALSE(fs::exists(node.layout.tree(job.release)));
    CHECK_FALSE(fs::exists(node.layout.staging(job.release)));
    CHECK(stage(job, node.layout, node.objects, Bytes(0)));
}

TEST_CASE("a switch syncs the directory of `current` behind the new link") {
    Node node;
    auto const id = node.install(1, "1.0", {{"data", "contents"}});
    DiskCalls const recorder;
    REQUIRE(switch_current(node.layout, id));
    auto const calls = recorder.calls();
    auto const named = first(calls, Kind::named, node.layout.current_link(id.software));
    auto const synced = first(calls, Kind::synced, node.layout.software(id.software));
    CHECK(named != never);
    CHECK(synced != never);
    CHECK(synced > named);
}

}  // namespace lull::subscriber::test::sync_order_test
