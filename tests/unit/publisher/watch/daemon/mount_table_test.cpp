#include "publisher/watch/daemon/mount_table.hpp"

#include <catch2/catch.hpp>

namespace mount_table_test {

using namespace lull::publisher::watch;

namespace {

constexpr char const* before =
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "30 22 8:2 / /srv rw - ext4 /dev/sda2 rw\n"
    "31 30 7:0 / /srv/software/cd ro - squashfs /dev/loop0 ro\n"
    "32 30 7:1 / /srv/software/app/deep\\040below ro - squashfs /dev/loop1 ro\n"
    "33 30 7:2 / /srv/software-other ro - squashfs /dev/loop2 ro\n"
    "nonsense\n";

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("mounts are sorted by the entry of the directory that they are in") {
    auto const mounts = mounts_below(before, "/srv/software");
    CHECK(mounts == Mounts{{"", {"22 8:1", "30 8:2"}}, {"cd", {"31 7:0"}}, {"app", {"32 7:1"}}});
    CHECK(mounts_below(before, "/").at("srv").size() == 4);
    CHECK(mounts_below("", "/srv").empty());
}

TEST_CASE("a mount point with a space is read as proc writes it") {
    CHECK(mounts_below("5 1 7:9 / /srv/software/a\\040b/c rw - x y z\n", "/srv/software").contains("a b"));
    CHECK(mounts_below("5 1 7:9 / /srv/software/a\\04 rw - x y z\n", "/srv/software").contains("a\\04"));
}

TEST_CASE("entries whose mounts came, went or were replaced have changed") {
    auto const first = mounts_below(before, "/srv/software");
    CHECK(changed_mounts(first, first).empty());
    auto other = first;
    other["cd"] = {"40 7:0"};
    other.erase("app");
    other["usb"] = {"41 7:3"};
    CHECK(changed_mounts(first, other) == Names{"app", "cd", "usb"});
    CHECK(changed_mounts(first, {}) == Names{"", "app", "cd"});
}

}  // namespace mount_table_test
