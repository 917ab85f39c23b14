#include "subscriber/sandbox/call_cgroups.hpp"

#include <catch2/catch.hpp>

#include "subscriber/sandbox/sandbox.hpp"
#include "subscriber/sandbox/syscall_filter.hpp"
#include "tests/support/temporary_directory.hpp"

namespace lull::subscriber::test::call_cgroups_test {

namespace {

void write_text(fs::path const& path, std::string_view text) { REQUIRE(write_file_durably(path, as_view(text), 0644)); }

std::string read_text(fs::path const& path) {
    auto const bytes = read_file(path, MiB(1));
    return bytes ? std::string(as_text(*bytes)) : "none";
}

// A directory with the files that a delegated cgroup has.
void make_cgroup(fs::path const& place, std::string_view processes) {
    write_text(place / "cgroup.procs", processes);
    write_text(place / "cgroup.controllers", "cpu memory pids\n");
    write_text(place / "cgroup.subtree_control", "");
    REQUIRE(make_directories(place / "daemon"));
    write_text(place / "daemon" / "cgroup.procs", "");
}

}  // namespace

TEST_CASE("the cgroup of this process is found where version 2 is mounted alone, and beside version 1") {
    std::string_view const alone = "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    CHECK(cgroup_place("0::/system.slice/lull-executor.service\n", alone) ==
          fs::path("/sys/fs/cgroup/system.slice/lull-executor.service"));
    std::string_view const both =
        "31 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "32 31 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "33 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    CHECK(cgroup_place("4:memory:/x\n0::/y\n", both) == fs::path("/sys/fs/cgroup/unified/y"));
    CHECK_FALSE(cgroup_place("4:memory:/x\n", both));
    CHECK_FALSE(cgroup_place("0::/y\n", "31 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"));
}

TEST_CASE("a cgroup is used only if it was delegated: this process is alone in it, and it has the controllers") {
    lull::test::TemporaryDirectory directory;
    SECTION("alone") {
        make_cgroup(directory.path(), "77\n");
        auto const cgroups = CallCgroups::open(directory.path(), "77");
        REQUIRE(cgroups);
        CHECK(read_text(directory / "daemon/cgroup.procs") == "77");
        CHECK(read_text(directory / "cgroup.subtree_control") == "+memory +pids");
    }
    SECTION("with others") {
        make_cgroup(directory.path(), "76\n77\n");
        auto const cgroups = CallCgroups::open(directory.path(), "77");
        REQUIRE_FALSE(cgroups);
        CHECK(read_text(directory / "daemon/cgroup.procs").empty());
    }
    SECTION("without the controllers") {
        make_cgroup(directory.path(), "77\n");
        write_text(directory / "cgroup.controllers", "hugetlb\n");
        CHECK_FALSE(CallCgroups::open(directory.path(), "77"));
    }
}

TEST_CASE("the status that bubblewrap reports is found, and none where the program never began") {
    CHECK(reported_status("{ \"child-pid\": 12 }\n{ \"exit-code\": 3 }\n") == 3);
    CHECK_FALSE(reported_status("{ \"child-pid\": 12 }\n"));
    CHECK_FALSE(reported_status(""));
    CHECK_FALSE(reported_status("no JSON \xff\n{ \"exit-code\": \"x\" }"));
}

TEST_CASE("the sandbox is bound to the tree, without a network unless it is allowed, and writable nowhere else") {
    SandboxRequest request;
    request.tree = "/var/lib/lull/.calls/app/versions/1-1.0";
    request.program = "bin/solve";
    request.arguments = {"--exact", "a b"};
    SystemPaths const system{{"/usr"}, {"/etc/ld.so.cache"}, {{"/bin", "usr/bin"}}};
    auto words = sandbox_options(request, system, {});
    std::replace(words.begin(), words.end(), '\0', ' ');
    CHECK(words.find("--share-net") == std::string::npos);
    for (auto const* part :
         {"--unshare-all", "--disable-userns", "--die-with-parent", "--new-session", "--ro-bind /usr /usr",
          "--ro-bind /var/lib/lull/.calls/app/versions/1-1.0 /app", "--size 268435456 --tmpfs /tmp",
          "--size 268435456 --tmpfs /dev/shm", "--remount-ro /dev --remount-ro /", "--seccomp 6"}) {
        INFO(part);
        CHECK(words.find(part) != std::string::npos);
    }
    CHECK(words.find(" --bind ") == std::string::npos);
    request.network = NetworkAccess::host;
    auto const with_network = sandbox_options(request, system, {});
    CHECK(with_network.find("--share-net") != std::string::npos);
    CHECK(sandbox_command(request, {}) == std::vector<std::string>{"--args", "5", "--", "/usr/bin/prlimit",
                                                                   "--nproc=64:64", "/app/bin/solve", "--exact",
                                                                   "a b"});
    CHECK_FALSE(syscall_filter().empty());
}

}  // namespace lull::subscriber::test::call_cgroups_test
