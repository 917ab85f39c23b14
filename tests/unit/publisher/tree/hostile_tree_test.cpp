#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/text.hpp"
#include "publisher/release/builder.hpp"
#include "tests/support/hostile_manifests.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace hostile_tree_test {

using namespace lull;
using namespace lull::publisher;
using test::put_file;

namespace {

// A good tree, to which hostile things come one at a time.
struct Place {
    test::TemporaryDirectory directory;
    fs::path root = directory / "tree";

    Place() {
        fs::create_directories(root / "lib/deep");
        put_file(root / "data", "data");
    }

    // What `lull publish` does before it asks the broker.
    [[nodiscard]] Status publish() const {
        auto const tree = open_source(root, TopDirectory::keep);
        if (!tree) return pass(tree.error());
        return build(*tree);
    }
    [[nodiscard]] static Status build(SourceTree const& tree) {
        static SigningKey const key = SigningKey::generate();
        StatCache cache;
        auto const release = build_release(
            tree, {SoftwareName::parse("app").value(), VersionName::parse("1.0").value(), std::nullopt, {}}, key, cache,
            nullptr);
        if (!release) return pass(release.error());
        return {};
    }
};

void check_refused(Status const& status, std::string const& path, std::string const& reason) {
    CAPTURE(lull::quoted(path), reason);
    REQUIRE_FALSE(status);
    CAPTURE(status.error().message);
    CHECK(status.error().fault == Fault::refused);
    CHECK(status.error().message.find(lull::quoted(path)) != std::string::npos);
    CHECK(status.error().message.find(reason) != std::string::npos);
    CHECK_FALSE(has_controls(status.error().message));
}

// Makes a file at a path that may be longer than what open(2) takes in one piece, or that no file system can hold.
bool make_file(fs::path const& root, std::string const& path) {
    auto directory = open_file(root, O_PATH | O_DIRECTORY);
    fs::path const parts(path);
    for (auto part = parts.begin(); part != parts.end(); ++part) {
        auto const name = part->string();
        if (std::next(part) == parts.end()) {
            FileDescriptor const file(openat(directory->get(), name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
            return file.valid();
        }
        mkdirat(directory->get(), name.c_str(), 0755);
        directory->reset(openat(directory->get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory->valid()) return false;
    }
    return false;
}

}  // namespace

TEST_CASE("the tree is good as long as nothing hostile is in it") { CHECK(Place().publish()); }

TEST_CASE(
    "links that lead out of a tree, or are no text, are refused by the publisher with path and reason, in every "
    "spelling") {
    Place const place;
    std::size_t refused = 0;
    for (auto const& [path, target, reason] : test::hostile_links()) {
        if (target.empty() || target.find('\0') != std::string::npos) continue;  // symlink(2) cannot make these
        auto const full = place.root / path;
        REQUIRE(symlink(target.c_str(), full.c_str()) == 0);
        check_refused(place.publish(), path, reason);
        fs::remove(full);
        ++refused;
    }
    CHECK(refused >= 250);
    CHECK(place.publish());
}

TEST_CASE("names that no release can hold are refused by the publisher with path and reason") {
    Place const place;
    std::size_t refused = 0;
    for (auto const& [path, reason] : test::hostile_paths()) {
        bool const on_disk = path.find('\0') == std::string::npos && !path.empty() && path.front() != '/' &&
                             path.back() != '/' && path.find("//") == std::string::npos && reason != "'.' or '..'";
        if (!on_disk || !make_file(place.root, path)) continue;
        auto const status = place.publish();
        REQUIRE_FALSE(status);
        if (path.size() <= limits::path_bytes) check_refused(status, path, reason);
        fs::remove_all(place.root / "lib");
        fs::create_directories(place.root / "lib/deep");
        ++refused;
    }
    CHECK(refused >= 80);
    CHECK(place.publish());
}

TEST_CASE("what no disk can hold is refused when the release is built, should a scan ever find it") {
    Place const place;
    auto const good = open_source(place.root, TopDirectory::keep).value();
    CHECK(Place::build(good));
    for (auto const& [path, reason] : test::hostile_paths()) {
        auto tree = good;
        SourceEntry entry;
        entry.path = path;
        entry.type = EntryType::directory;
        tree.entries.push_back(entry);
        std::sort(tree.entries.begin(), tree.entries.end(),
                  [](auto const& a, auto const& b) { return a.path < b.path; });
        check_refused(Place::build(tree), path, reason);
    }
    for (auto const& [path, target, reason] : test::hostile_links()) {
        auto tree = good;
        SourceEntry entry;
        entry.path = path;
        entry.type = EntryType::symlink;
        entry.target = target;
        tree.entries.push_back(entry);
        std::sort(tree.entries.begin(), tree.entries.end(),
                  [](auto const& a, auto const& b) { return a.path < b.path; });
        check_refused(Place::build(tree), path, reason);
    }
}

TEST_CASE("links that lead round in a circle are refused by the publisher") {
    Place const place;
    SECTION("one") { fs::create_symlink("l", place.root / "l"); }
    SECTION("two") {
        fs::create_symlink("lib/back", place.root / "l");
        fs::create_symlink("../l", place.root / "lib/back");
    }
    SECTION("on the way") {
        fs::create_symlink("lib/back/x", place.root / "l");
        fs::create_symlink("../l/y", place.root / "lib/back");
    }
    check_refused(place.publish(), "l", "in a circle");
}

TEST_CASE("files with special bits, devices, pipes and sockets are refused by the publisher, with path and reason") {
    Place const place;
    auto const victim = place.root / "lib/odd";
    auto const check = [&](std::string const& reason) {
        auto const status = place.publish();
        REQUIRE_FALSE(status);
        CAPTURE(status.error().message, reason);
        CHECK(status.error().message.find(victim.string()) != std::string::npos);
        CHECK(status.error().message.find(reason) != std::string::npos);
        fs::remove(victim);
    };
    for (mode_t const mode : {04755, 02755, 06755, 04644, 04111, 06000}) {
        put_file(victim, "x", 0644);
        REQUIRE(chmod(victim.c_str(), mode) == 0);
        check("setuid, setgid or sticky bit");
    }
    REQUIRE(mkfifo(victim.c_str(), 0644) == 0);
    check("a named pipe");
    // The address of a socket is short, so it is made by the way of the directory.
    FileDescriptor const socket_file(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    victim.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(socket_file.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0);
    check("a socket");
    for (auto const& [type, reason] : {std::pair{S_IFCHR, "a character device"}, {S_IFBLK, "a block device"}}) {
        if (mknod(victim.c_str(), static_cast<mode_t>(type | 0600), makedev(1, 3)) != 0) continue;  // not root
        check(reason);
    }
    CHECK(place.publish());
}

TEST_CASE("a directory that becomes a link to elsewhere while it is published leads nowhere") {
    Place place;
    auto const elsewhere = place.directory / "elsewhere";
    fs::create_directories(elsewhere / "deep");
    put_file(place.root / "lib/deep/key", "1234");
    auto const swap = [&] {
        fs::rename(place.root / "lib", place.directory / "before");
        // The very same file, so that neither its times nor its number tell.
        fs::create_hard_link(place.directory / "before/deep/key", elsewhere / "deep/key");
        fs::create_directory_symlink(elsewhere, place.root / "lib");
    };
    auto const tree = open_source(place.root, TopDirectory::keep);
    REQUIRE(tree);
    SECTION("before it is read") {
        swap();
        auto const built = Place::build(*tree);
        REQUIRE_FALSE(built);
        CHECK_THAT(built.error().message, Catch::Contains("became a symbolic link"));
    }
    SECTION("before it is sent") {
        static SigningKey const key = SigningKey::generate();
        StatCache cache;
        auto const release = build_release(
            *tree, {SoftwareName::parse("app").value(), VersionName::parse("1.0").value(), std::nullopt, {}}, key,
            cache, nullptr);
        REQUIRE(release);
        swap();
        auto const segment = read_segment(*release, 0);
        REQUIRE_FALSE(segment);
        CHECK_THAT(segment.error().message, Catch::Contains("became a symbolic link"));
    }
}

}  // namespace hostile_tree_test
