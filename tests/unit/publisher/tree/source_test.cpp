#include "publisher/tree/source.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "tests/unit/publisher/trees.hpp"

namespace source_test {

using namespace lull;
using namespace lull::publisher;
using test::put_file;

namespace {

std::vector<std::string> paths_of(SourceTree const& tree) {
    std::vector<std::string> paths;
    for (auto const& entry : tree.entries) paths.push_back(entry.path);
    return paths;
}

SourceEntry const& entry_at(SourceTree const& tree, std::string const& path) {
    for (auto const& entry : tree.entries) {
        if (entry.path == path) return entry;
    }
    FAIL("no entry " << path);
    std::abort();
}

// The error of a tree that cannot be published; it names `path`.
Error refusal(fs::path const& root, std::string const& path) {
    auto const tree = open_source(root, TopDirectory::keep);
    REQUIRE_FALSE(tree);
    CHECK_THAT(tree.error().message, Catch::Contains(path));
    return tree.error();
}

}  // namespace

TEST_CASE("a directory is scanned in the order of a manifest, with links, modes and empty directories") {
    test::TemporaryDirectory temporary;
    auto const root = temporary / "tree";
    put_file(root / "a/file", "1");
    put_file(root / "a-b", "22");
    put_file(root / "bin/app", "#!/bin/sh\n", 0700);
    fs::create_directories(root / "empty/inner");
    fs::create_symlink("../a-b", root / "a/link");
    put_file(root / "none", "");

    auto const tree = open_source(root / "", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(paths_of(*tree) ==
          std::vector<std::string>{"a", "a-b", "a/file", "a/link", "bin", "bin/app", "empty", "empty/inner", "none"});
    CHECK(entry_at(*tree, "a").type == EntryType::directory);
    CHECK(entry_at(*tree, "a/link").type == EntryType::symlink);
    CHECK(entry_at(*tree, "a/link").target == "../a-b");
    CHECK(entry_at(*tree, "bin/app").mode == 0700);
    CHECK(entry_at(*tree, "a-b").mode == 0644);
    CHECK(entry_at(*tree, "a-b").stamp.size == Bytes(2));
    CHECK(tree->lasting);
    CHECK(tree->place(entry_at(*tree, "bin/app")) == fs::canonical(root) / "bin/app");
}

TEST_CASE("hard links are separate files") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "tree/one", "same");
    fs::create_hard_link(temporary / "tree/one", temporary / "tree/two");
    auto const tree = open_source(temporary / "tree", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(entry_at(*tree, "one").type == EntryType::file);
    CHECK(entry_at(*tree, "two").type == EntryType::file);
}

TEST_CASE("a single file becomes a tree of that file and keeps its executable bit") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "tool", "x", 0755);
    auto const tree = open_source(temporary / "tool", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(paths_of(*tree) == std::vector<std::string>{"tool"});
    CHECK(tree->entries[0].mode == 0755);
    CHECK(tree->place(tree->entries[0]) == fs::canonical(temporary / "tool"));
}

TEST_CASE("a link to a single file gives the link's name and the file's contents") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "tool-1.4", "x", 0755);
    fs::create_symlink("tool-1.4", temporary / "tool");
    auto const tree = open_source(temporary / "tool", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(tree->entries[0].path == "tool");
    CHECK(tree->entries[0].type == EntryType::file);
    CHECK(tree->place(tree->entries[0]) == fs::canonical(temporary / "tool-1.4"));
}

TEST_CASE("a link to a directory is followed when it is what the operator named") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "real/file", "x");
    fs::create_directory_symlink("real", temporary / "link");
    auto const tree = open_source(temporary / "link", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(paths_of(*tree) == std::vector<std::string>{"file"});
}

TEST_CASE("a missing path, an empty directory and a strip without an archive say what to do") {
    test::TemporaryDirectory temporary;
    auto const missing = open_source(temporary / "nothing", TopDirectory::keep);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().fault == Fault::not_found);
    CHECK_THAT(missing.error().message, Catch::Contains("nothing: No such file or directory; check the path"));

    auto const empty = open_source(temporary.path(), TopDirectory::keep);
    REQUIRE_FALSE(empty);
    CHECK(empty.error().fault == Fault::usage);
    CHECK_THAT(empty.error().message, Catch::Contains("is it mounted?"));

    put_file(temporary / "file", "x");
    auto const strip = open_source(temporary / "file", TopDirectory::strip);
    REQUIRE_FALSE(strip);
    CHECK(strip.error().fault == Fault::usage);
}

TEST_CASE("types that no release can hold are refused by name") {
    test::TemporaryDirectory temporary;
    auto const root = temporary / "tree";
    put_file(root / "fine", "x");

    SECTION("a named pipe") {
        REQUIRE(mkfifo((root / "pipe").c_str(), 0600) == 0);
        auto const error = refusal(root, "pipe");
        CHECK(error.fault == Fault::refused);
        CHECK_THAT(error.message, Catch::Contains("a named pipe"));
    }
    SECTION("a socket") {
        FileDescriptor const fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        auto const path = (root / "sock").string();
        REQUIRE(path.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        CHECK_THAT(refusal(root, "sock").message, Catch::Contains("a socket"));
    }
    SECTION("a setuid file") {
        put_file(root / "sudo", "x", 04755);
        auto const error = refusal(root, "sudo");
        CHECK(error.fault == Fault::refused);
        CHECK_THAT(error.message, Catch::Contains("chmod u-s,g-s"));
    }
    SECTION("an absolute link") {
        fs::create_symlink("/etc/passwd", root / "link");
        CHECK(refusal(root, "link").fault == Fault::refused);
    }
    SECTION("a link that leaves the tree") {
        fs::create_symlink("../outside", root / "link");
        CHECK_THAT(refusal(root, "link").message, Catch::Contains("make it a relative link to something inside"));
    }
    SECTION("a name with a control character, which is not passed on to the terminal") {
        put_file(root / "bad\x1b[2Jname", "x");
        auto const error = refusal(root, "bad\\x1b");
        CHECK(error.message.find('\x1b') == std::string::npos);
    }
    SECTION("a name that is no UTF-8") {
        put_file(root / "bad\xff", "x");
        CHECK(refusal(root, "bad\\xff").fault == Fault::refused);
    }
}

TEST_CASE("a device is refused") {
    auto const tree = open_source("/dev/null", TopDirectory::keep);
    REQUIRE_FALSE(tree);
    CHECK_THAT(tree.error().message, Catch::Contains("/dev/null: it is a character device"));
}

TEST_CASE("an unreadable directory is named") {
    test::TemporaryDirectory temporary;
    auto const root = temporary / "tree";
    put_file(root / "closed/file", "x");
    REQUIRE(chmod((root / "closed").c_str(), 0) == 0);
    if (access((root / "closed").c_str(), R_OK) == 0) return;  // root reads everything
    CHECK_THAT(refusal(root, "closed").message, Catch::Contains("needs read permission"));
}

}  // namespace source_test
