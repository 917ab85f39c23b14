#include "subscriber/proc/path_walk.hpp"

#include <unistd.h>

#include "fixture.hpp"

namespace lull::subscriber::test::path_walk_test {

namespace {

FileDescriptor place(fs::path const& path) { return open_file(path, O_PATH | O_DIRECTORY).value(); }

std::optional<FileIdentity> file_at(fs::path const& path) { return identify(AT_FDCWD, path.c_str(), 0); }

// root/ is what the process takes for "/": a/file and a link in it, and a file outside of it.
struct Walked {
    lull::test::TemporaryDirectory directory;
    fs::path root = directory / "root";

    Walked() {
        fs::create_directories(root / "a/b");
        write_text(root / "a/file", "x");
        write_text(directory / "outside", "x");
    }
    [[nodiscard]] PathWalk from(fs::path const& working_directory) const {
        return PathWalk(place(root), place(working_directory), file_at(root)->device);
    }
};

}  // namespace

TEST_CASE("a path is followed from the root, or from the working directory, that it was meant for") {
    Walked const at;
    auto const walk = at.from(at.root / "a");
    auto const wanted = file_at(at.root / "a/file");
    REQUIRE(wanted);
    CHECK(walk.find("/a/file") == wanted);
    CHECK(walk.find("//a/./b//../file") == wanted);
    CHECK(walk.find("file") == wanted);
    CHECK(walk.find("./file") == wanted);
    CHECK(walk.find("b/../../a/file") == wanted);
    CHECK(walk.find(".") == file_at(at.root / "a"));
    CHECK(walk.find("/") == file_at(at.root));
}

TEST_CASE("what is not there, is no directory, or is no path leads nowhere") {
    Walked const at;
    auto const walk = at.from(at.root / "a");
    CHECK_FALSE(walk.find(""));
    CHECK_FALSE(walk.find("missing"));
    CHECK_FALSE(walk.find("file/more"));
    CHECK_FALSE(walk.find(std::string(5000, 'x')));
    std::string far;
    for (int i = 0; i < 300; ++i) far += "b/../";
    CHECK_FALSE(walk.find(far + "file"));
}

TEST_CASE("nothing above its root is reached, neither by dots nor by links") {
    Walked const at;
    auto const walk = at.from(at.root / "a");
    CHECK_FALSE(walk.find("/../outside"));
    CHECK_FALSE(walk.find("../../../outside"));
    CHECK(walk.find("/../a/file") == file_at(at.root / "a/file"));
    fs::create_symlink("/a/file", at.root / "absolute");
    fs::create_symlink("../../outside", at.root / "a/up");
    CHECK(walk.find("/absolute") == file_at(at.root / "a/file"));
    CHECK_FALSE(walk.find("up"));
}

TEST_CASE("links are followed, and circles of them end") {
    Walked const at;
    auto const walk = at.from(at.root / "a/b");
    fs::create_directory_symlink("a", at.root / "current");
    fs::create_symlink("../current/file", at.root / "a/link");
    fs::create_symlink("circle", at.root / "circle");
    CHECK(walk.find("/current/link") == file_at(at.root / "a/file"));
    CHECK(walk.find("../link") == file_at(at.root / "a/file"));
    CHECK_FALSE(walk.find("/circle"));
}

TEST_CASE("a process whose places are not known leads nowhere") {
    Walked const at;
    PathWalk const walk(FileDescriptor(), FileDescriptor(), 0);
    CHECK_FALSE(walk.find("/a/file"));
    CHECK_FALSE(walk.find("file"));
}

TEST_CASE("the links of /proc that lead to other processes' files are not followed") {
    PathWalk const walk(place("/"), place("/proc/self"), 0);
    CHECK_FALSE(walk.find("/proc/self/exe"));
    CHECK_FALSE(walk.find("cwd/x"));
}

}  // namespace lull::subscriber::test::path_walk_test
