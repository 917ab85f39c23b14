#include "core/files.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <functional>

#include "tests/support/temporary_directory.hpp"

namespace files_test {

using namespace lull;
using test::TemporaryDirectory;

namespace {

void put(fs::path const& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

std::string text_of(fs::path const& path) {
    auto const bytes = read_file(path, MiB(64));
    REQUIRE(bytes);
    return std::string(as_text(*bytes));
}

unsigned mode_of(fs::path const& path) {
    struct stat status {};
    REQUIRE(lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

std::size_t entries_in(fs::path const& path) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

FileDescriptor directory(fs::path const& path) {
    auto handle = open_file(path, O_RDONLY | O_DIRECTORY);
    REQUIRE(handle);
    return std::move(*handle);
}

// The exit status of a child that runs `body`, with its standard error closed.
int status_of_child(std::function<void()> const& body) {
    pid_t const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        body();
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool says(Error const& error, std::string const& text) { return error.message.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("a file descriptor closes once, moves, and can be released") {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    FileDescriptor reader(ends[0]);
    FileDescriptor moved(std::move(reader));
    CHECK(moved.get() == ends[0]);
    CHECK_FALSE(reader.valid());
    moved.reset();
    CHECK(fcntl(ends[0], F_GETFD) == -1);
    FileDescriptor writer(ends[1]);
    CHECK(writer.release() == ends[1]);
    CHECK(fcntl(ends[1], F_GETFD) != -1);
    close(ends[1]);
}

TEST_CASE("closing a file descriptor keeps errno") {
    FileDescriptor none_left(dup(STDERR_FILENO));
    FileDescriptor bad(9999);
    errno = ENOSPC;
    none_left.reset();
    bad.reset();
    CHECK(errno == ENOSPC);
}

TEST_CASE("an errno becomes a sentence with verb, path and reason, and a kind of fault") {
    std::vector<std::pair<int, Fault>> const faults = {{ENOSPC, Fault::no_space},  {EDQUOT, Fault::no_space},
                                                       {ENOENT, Fault::not_found}, {EACCES, Fault::refused},
                                                       {EPERM, Fault::refused},    {EIO, Fault::failed}};
    for (auto const& [number, fault] : faults) {
        errno = number;
        CHECK(fail_errno("write", "/some/where").value().fault == fault);
    }
    errno = ENOSPC;
    CHECK(fail_errno("write", "/some/where").value().message == "cannot write /some/where: No space left on device");
}

TEST_CASE("opening what is not there names the path") {
    TemporaryDirectory dir;
    auto const file = open_file(dir / "absent", O_RDONLY);
    REQUIRE_FALSE(file);
    CHECK(file.error().fault == Fault::not_found);
    CHECK(says(file.error(), (dir / "absent").string()));
}

TEST_CASE("opened files are not inherited by programs that we start") {
    TemporaryDirectory dir;
    auto const file = open_file(dir / "file", O_RDWR | O_CREAT);
    REQUIRE(file);
    CHECK((fcntl(file->get(), F_GETFD) & FD_CLOEXEC) != 0);
    auto const root = directory(dir.path());
    auto const beneath = open_beneath(root.get(), "file", O_RDONLY);
    REQUIRE(beneath);
    CHECK((fcntl(beneath->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a path beneath a directory opens and creates") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "a/b");
    auto const root = directory(dir.path());
    auto const made = open_beneath(root.get(), "a/b/file", O_WRONLY | O_CREAT | O_EXCL, 0600);
    REQUIRE(made);
    CHECK(mode_of(dir / "a/b/file") == 0600);
    CHECK(open_beneath(root.get(), "a/../a/b/file", O_RDONLY));
    CHECK(open_beneath(root.get(), "a/b", O_RDONLY | O_DIRECTORY, 0700));
    auto const absent = open_beneath(root.get(), "absent", O_RDONLY);
    REQUIRE_FALSE(absent);
    CHECK(absent.error().fault == Fault::not_found);
    CHECK(says(absent.error(), (dir / "absent").string()));
}

TEST_CASE("a path that leaves its directory is refused and creates nothing") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "in");
    put(dir / "secret", "x");
    auto const root = directory(dir / "in");
    for (auto const& path : {std::string("../secret"), std::string("a/../../secret"), std::string(".."),
                             (dir / "secret").string(), std::string("/etc/passwd"), std::string("/")}) {
        INFO(path);
        auto const file = open_beneath(root.get(), path, O_RDONLY);
        REQUIRE_FALSE(file);
        if (path != "a/../../secret") CHECK(file.error().fault == Fault::refused);
    }
    CHECK_FALSE(open_beneath(root.get(), "../new", O_WRONLY | O_CREAT, 0600));
    CHECK_FALSE(fs::exists(dir / "new"));
}

TEST_CASE("symbolic links are refused, last or on the way, inside or outside") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "in/real");
    put(dir / "in/real/file", "x");
    put(dir / "secret", "x");
    fs::create_symlink("real/file", dir / "in/link");
    fs::create_symlink("real", dir / "in/linked");
    fs::create_symlink("../secret", dir / "in/out");
    fs::create_symlink("/etc", dir / "in/etc");
    fs::create_symlink("absent", dir / "in/dangling");
    auto const root = directory(dir / "in");
    for (auto const& path : {"link", "linked/file", "out", "etc/passwd", "etc"}) {
        INFO(path);
        auto const file = open_beneath(root.get(), path, O_RDONLY);
        REQUIRE_FALSE(file);
        CHECK(file.error().fault == Fault::refused);
        CHECK(says(file.error(), "symbolic link"));
    }
    CHECK_FALSE(open_beneath(root.get(), "dangling", O_WRONLY | O_CREAT, 0600));
    CHECK_FALSE(fs::exists(dir / "in/absent"));
}

TEST_CASE("a file is read whole up to the limit and refused beyond it") {
    TemporaryDirectory dir;
    put(dir / "file", "0123456789");
    CHECK(as_text(*read_file(dir / "file", Bytes(10))) == "0123456789");
    auto const refused = read_file(dir / "file", Bytes(9));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == Fault::damaged);
    CHECK(says(refused.error(), "larger than 9 B"));
    put(dir / "empty", "");
    CHECK(read_file(dir / "empty", Bytes(0))->empty());
}

TEST_CASE("files whose size the kernel does not know are bounded as well") {
    auto const status = read_file("/proc/self/status", KiB(64));
    REQUIRE(status);
    CHECK(as_text(*status).starts_with("Name:"));
    CHECK(read_file("/proc/self/status", Bytes(100)).error().fault == Fault::damaged);
}

TEST_CASE("directories, FIFOs and absent files are not read, and nothing blocks") {
    TemporaryDirectory dir;
    REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
    CHECK(says(read_file(dir / "fifo", KiB(1)).error(), "not a regular file"));
    CHECK(says(read_file(dir.path(), KiB(1)).error(), "not a regular file"));
    CHECK(read_file(dir / "absent", KiB(1)).error().fault == Fault::not_found);
}

TEST_CASE("bytes are written and read at an offset, and a file that is too short is damaged") {
    TemporaryDirectory dir;
    auto const file = open_file(dir / "file", O_RDWR | O_CREAT);
    REQUIRE(file);
    REQUIRE(write_exactly(file->get(), 3, as_view("abc"), dir / "file"));
    std::array<std::byte, 3> into{};
    REQUIRE(read_exactly(file->get(), 3, into, dir / "file"));
    CHECK(as_text(into) == "abc");
    auto const short_read = read_exactly(file->get(), 4, into, dir / "file");
    REQUIRE_FALSE(short_read);
    CHECK(short_read.error().fault == Fault::damaged);
    CHECK(says(short_read.error(), "ends at byte 6, and 1 more"));
    CHECK_FALSE(read_exactly(file->get(), std::numeric_limits<std::uint64_t>::max(), into, dir / "file"));
    CHECK(read_exactly(file->get(), 100, {}, dir / "file"));
}

TEST_CASE("writing to a full device is no_space") {
    auto const full = open_file("/dev/full", O_WRONLY);
    REQUIRE(full);
    CHECK(write_exactly(full->get(), 0, as_view("x"), "/dev/full").error().fault == Fault::no_space);
}

TEST_CASE("a durable write replaces the whole file, with its mode whatever the umask, and leaves nothing else") {
    TemporaryDirectory dir;
    put(dir / "file", "something much longer than the new text");
    auto const before = umask(077);
    auto const status = write_file_durably(dir / "file", as_view("new"), 0644);
    umask(before);
    REQUIRE(status);
    CHECK(text_of(dir / "file") == "new");
    CHECK(mode_of(dir / "file") == 0644);
    CHECK(entries_in(dir.path()) == 1);
}

TEST_CASE("a durable write replaces a symbolic link, not what it points to") {
    TemporaryDirectory dir;
    put(dir / "target", "old");
    fs::create_symlink("target", dir / "link");
    REQUIRE(write_file_durably(dir / "link", as_view("new"), 0600));
    CHECK(text_of(dir / "target") == "old");
    CHECK(text_of(dir / "link") == "new");
    CHECK_FALSE(fs::is_symlink(dir / "link"));
}

TEST_CASE("a durable write into a missing directory fails and makes nothing") {
    TemporaryDirectory dir;
    auto const status = write_file_durably(dir / "absent/file", as_view("x"), 0600);
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::not_found);
    CHECK(says(status.error(), (dir / "absent/file").string()));
    CHECK(entries_in(dir.path()) == 0);
}

TEST_CASE("a durable write that cannot be renamed into place leaves no temporary file") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "taken/inner");
    REQUIRE_FALSE(write_file_durably(dir / "taken", as_view("x"), 0600));
    CHECK(entries_in(dir.path()) == 1);
    CHECK(entries_in(dir / "taken") == 1);
}

TEST_CASE("a file name without a directory is written into the current one") {
    TemporaryDirectory dir;
    auto const before = fs::current_path();
    fs::current_path(dir.path());
    auto const status = write_file_durably("file", as_view("x"), 0600);
    fs::current_path(before);
    CHECK(status);
    CHECK(text_of(dir / "file") == "x");
}

TEST_CASE("a failed fsync ends the process with status 70") {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);  // pipes cannot be synced
    CHECK(status_of_child([&] { sync_file_or_die(ends[1], "pipe"); }) == 70);
    CHECK(status_of_child([] { sync_directory_or_die("/absent/directory"); }) == 70);
    TemporaryDirectory dir;
    CHECK(status_of_child([&] { sync_directory_or_die(dir.path()); }) == 0);
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("directories are made with their mode whatever the umask, and existing ones stay as they are") {
    TemporaryDirectory dir;
    fs::create_directory(dir / "old");
    fs::permissions(dir / "old", fs::perms(0755));
    auto const before = umask(027);
    auto const status = make_directories(dir / "old/a/b", 0751);
    umask(before);
    REQUIRE(status);
    CHECK(mode_of(dir / "old") == 0755);
    CHECK(mode_of(dir / "old/a") == 0751);
    CHECK(mode_of(dir / "old/a/b") == 0751);
    CHECK(make_directories(dir / "old/a/b", 0700));
    CHECK(mode_of(dir / "old/a/b") == 0751);
    CHECK(make_directories(dir / "trailing/slash/"));
    CHECK(fs::is_directory(dir / "trailing/slash"));
}

TEST_CASE("a directory can be made beneath a linked directory but not beneath a file") {
    TemporaryDirectory dir;
    fs::create_directory(dir / "real");
    fs::create_directory_symlink("real", dir / "link");
    CHECK(make_directories(dir / "link/sub"));
    CHECK(fs::is_directory(dir / "real/sub"));
    put(dir / "file", "x");
    auto const status = make_directories(dir / "file/sub");
    REQUIRE_FALSE(status);
    CHECK(says(status.error(), "Not a directory"));
}

TEST_CASE("removing a tree removes all of it, read-only directories included") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "tree/a/b/c");
    put(dir / "tree/a/b/c/file", "x");
    put(dir / "tree/a/other", "x");
    REQUIRE(mkfifo((dir / "tree/fifo").c_str(), 0600) == 0);
    fs::permissions(dir / "tree/a/b/c", fs::perms(0555));
    fs::permissions(dir / "tree/a/b", fs::perms(0000));
    fs::permissions(dir / "tree/a", fs::perms(0111));
    REQUIRE(remove_tree(dir / "tree"));
    CHECK(entries_in(dir.path()) == 0);
}

TEST_CASE("removing a tree does not follow symbolic links") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "outside");
    put(dir / "outside/file", "x");
    fs::permissions(dir / "outside", fs::perms(0555));
    fs::create_directories(dir / "tree");
    fs::create_directory_symlink("../outside", dir / "tree/link");
    REQUIRE(remove_tree(dir / "tree"));
    CHECK(text_of(dir / "outside/file") == "x");
    CHECK(mode_of(dir / "outside") == 0555);

    fs::create_directory_symlink("outside", dir / "link");
    REQUIRE(remove_tree(fs::path((dir / "link").string() + "/")));
    CHECK_FALSE(fs::is_symlink(dir / "link"));
    CHECK(text_of(dir / "outside/file") == "x");
    fs::permissions(dir / "outside", fs::perms(0755));
}

TEST_CASE("removing beneath a directory stays in it") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "outside");
    put(dir / "outside/file", "x");
    fs::create_directories(dir / "tree/a/b");
    put(dir / "tree/a/b/file", "x");
    fs::create_directory_symlink("../outside", dir / "tree/link");
    auto const tree = open_file(dir / "tree", O_PATH | O_DIRECTORY);
    REQUIRE(tree);
    CHECK(remove_beneath(tree->get(), "link/file").error().fault == Fault::refused);
    CHECK(remove_beneath(tree->get(), "../outside/file").error().fault == Fault::refused);
    CHECK(text_of(dir / "outside/file") == "x");
    CHECK(remove_beneath(tree->get(), "link"));
    CHECK(remove_beneath(tree->get(), "a"));
    CHECK(remove_beneath(tree->get(), "a"));
    CHECK(remove_beneath(tree->get(), "a/b/file"));
    CHECK(entries_in(dir / "tree") == 0);
    CHECK(text_of(dir / "outside/file") == "x");
}

TEST_CASE("what is mounted in a tree is neither removed nor opened for a change") {
    TemporaryDirectory dir;
    fs::create_directories(dir / "outside");
    put(dir / "outside/file", "x");
    fs::create_directories(dir / "tree/a/mounted");
    if (mount((dir / "outside").c_str(), (dir / "tree/a/mounted").c_str(), nullptr, MS_BIND, nullptr) != 0) {
        WARN("skipped: cannot mount anything here");
        return;
    }
    auto const tree = open_file(dir / "tree", O_PATH | O_DIRECTORY);
    REQUIRE(tree);
    CHECK(open_beneath(tree->get(), "a/mounted/file", O_RDONLY));
    CHECK(open_within(tree->get(), "a/mounted/file", O_RDONLY).error().fault == Fault::refused);
    CHECK(remove_beneath(tree->get(), "a/mounted/file").error().fault == Fault::refused);
    CHECK(remove_beneath(tree->get(), "a/mounted").error().fault == Fault::refused);
    CHECK(remove_beneath(tree->get(), "a").error().fault == Fault::refused);
    auto const removed = remove_tree(dir / "tree");
    CHECK(umount2((dir / "tree/a/mounted").c_str(), MNT_DETACH) == 0);
    REQUIRE_FALSE(removed);
    CHECK(says(removed.error(), "something is mounted there"));
    CHECK(text_of(dir / "outside/file") == "x");
}

TEST_CASE("removing what is not there is fine, and a single file goes as well") {
    TemporaryDirectory dir;
    CHECK(remove_tree(dir / "absent"));
    CHECK(remove_tree(dir / "absent/too"));
    put(dir / "file", "x");
    CHECK(remove_tree(dir / "file"));
    CHECK(entries_in(dir.path()) == 0);
}

TEST_CASE("free space counts bytes and inodes, and names a path that is not there") {
    TemporaryDirectory dir;
    auto const space = free_space(dir.path());
    REQUIRE(space);
    CHECK(space->bytes > Bytes());
    CHECK(space->inodes > 0);
    CHECK(free_space(dir / "absent").error().fault == Fault::not_found);
}

TEST_CASE("a copy has the same bytes and an inode of its own") {
    TemporaryDirectory dir;
    std::string text(3'000'001, 'x');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    put(dir / "from", text);
    auto const from = open_file(dir / "from", O_RDONLY);
    auto const to = open_file(dir / "to", O_WRONLY | O_CREAT | O_EXCL);
    REQUIRE(from);
    REQUIRE(to);
    REQUIRE(clone_or_copy(from->get(), to->get(), dir / "to"));
    CHECK(text_of(dir / "to") == text);
    CHECK(fs::hard_link_count(dir / "to") == 1);
}

TEST_CASE("files that copy_file_range cannot copy are read and written") {
    TemporaryDirectory dir;
    auto const from = open_file("/proc/self/limits", O_RDONLY);
    auto const to = open_file(dir / "to", O_WRONLY | O_CREAT | O_EXCL);
    REQUIRE(from);
    REQUIRE(clone_or_copy(from->get(), to->get(), dir / "to"));
    CHECK(text_of(dir / "to") == text_of("/proc/self/limits"));
}

TEST_CASE("copying an empty file gives an empty file, and copying to a full device is no_space") {
    TemporaryDirectory dir;
    put(dir / "from", "");
    auto const empty = open_file(dir / "from", O_RDONLY);
    auto const to = open_file(dir / "to", O_WRONLY | O_CREAT);
    REQUIRE(clone_or_copy(empty->get(), to->get(), dir / "to"));
    CHECK(fs::file_size(dir / "to") == 0);
    put(dir / "something", "x");
    auto const something = open_file(dir / "something", O_RDONLY);
    auto const full = open_file("/dev/full", O_WRONLY);
    CHECK(clone_or_copy(something->get(), full->get(), "/dev/full").error().fault == Fault::no_space);
}

TEST_CASE("secrets have to be private, and the message says which chmod to run") {
    TemporaryDirectory dir;
    put(dir / "key", "x");
    fs::permissions(dir / "key", fs::perms(0600));
    CHECK(require_private(dir / "key"));
    fs::permissions(dir / "key", fs::perms(0400));
    CHECK(require_private(dir / "key"));
    fs::permissions(dir.path(), fs::perms(0700));
    CHECK(require_private(dir.path()));

    for (unsigned const mode : {0640U, 0604U, 0602U, 0610U, 0644U}) {
        fs::permissions(dir / "key", fs::perms(mode));
        auto const status = require_private(dir / "key");
        REQUIRE_FALSE(status);
        CHECK(status.error().fault == Fault::refused);
        CHECK(says(status.error(), "chmod 600 " + (dir / "key").string()));
    }
    fs::permissions(dir.path(), fs::perms(0750));
    CHECK(says(require_private(dir.path()).error(), "chmod 700 "));
}

TEST_CASE("secrets of other users, special files and absent ones are refused") {
    TemporaryDirectory dir;
    CHECK(require_private(dir / "absent").error().fault == Fault::not_found);
    REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
    CHECK(require_private(dir / "fifo").error().fault == Fault::refused);
    put(dir / "key", "x");
    fs::permissions(dir / "key", fs::perms(0600));
    if (geteuid() == 0) {
        REQUIRE(chown((dir / "key").c_str(), 65534, 65534) == 0);
        CHECK(says(require_private(dir / "key").error(), "belongs to user 65534"));
    } else {
        CHECK(says(require_private("/etc/passwd").error(), "belongs to user 0"));
    }
}

TEST_CASE("a lock is held by one at a time and is free again afterwards") {
    TemporaryDirectory dir;
    {
        auto const first = lock_exclusively(dir / "lock");
        REQUIRE(first);
        auto const second = lock_exclusively(dir / "lock");
        REQUIRE_FALSE(second);
        CHECK(second.error().fault == Fault::refused);
        CHECK(says(second.error(), (dir / "lock").string()));
        CHECK(status_of_child([&] { _exit(lock_exclusively(dir / "lock") ? 1 : 42); }) == 42);
    }
    CHECK(lock_exclusively(dir / "lock"));
    CHECK(lock_exclusively(dir / "absent/lock").error().fault == Fault::not_found);
}

TEST_CASE("a lock file that must not be opened is not taken for one that another process has") {
    TemporaryDirectory dir;
    put(dir / "lock", "process 1 (somebody)");
    fs::permissions(dir.path(), fs::perms(0755));
    fs::permissions(dir / "lock", fs::perms(0400));
    int const status = status_of_child([&] {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(1);
        auto const lock = lock_exclusively(dir / "lock");
        _exit(!lock && lock.error().fault == Fault::failed && says(lock.error(), "Permission denied") ? 42 : 1);
    });
    CHECK(status == 42);
}

TEST_CASE("temporary files that a crash left are removed, and nothing whose name only begins like theirs") {
    TemporaryDirectory dir;
    for (auto const* name : {".lull-aB3dE6", ".lull-longer-name", ".lull-abc", "lull-aB3dE6", "data"}) {
        REQUIRE(write_file_durably(dir / name, as_view("x"), 0600));
    }
    fs::create_directory(dir / ".lull-backup");  // as long as the name of a temporary file
    REQUIRE(remove_temporary_files(dir.path()));
    CHECK_FALSE(fs::exists(dir / ".lull-aB3dE6"));
    for (auto const* name : {".lull-longer-name", ".lull-abc", "lull-aB3dE6", "data", ".lull-backup"}) {
        CHECK(fs::exists(dir / name));
    }
    CHECK_FALSE(remove_temporary_files(dir / "absent"));
}

TEST_CASE("a copy that is stopped says so") {
    TemporaryDirectory dir;
    REQUIRE(write_file_durably(dir / "from", Buffer(MiB(20).count()), 0600));
    auto const from = open_file(dir / "from", O_RDONLY);
    auto const to = open_file(dir / "to", O_RDWR | O_CREAT, 0600);
    std::stop_source stop;
    REQUIRE(clone_or_copy(from->get(), to->get(), dir / "to", stop.get_token()));
    CHECK(fs::file_size(dir / "to") == MiB(20).count());
    stop.request_stop();
    auto const again = open_file(dir / "again", O_RDWR | O_CREAT, 0600);
    auto const status = clone_or_copy(from->get(), again->get(), dir / "again", stop.get_token());
    bool const cloned = fs::file_size(dir / "again") > 0;  // where the file system clones, there is nothing to stop
    CHECK((cloned || status.error().fault == Fault::cancelled));
}

}  // namespace files_test
