#include "publisher/tree/archive.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <catch2/catch.hpp>
#include <memory>

#include "publisher/tree/source.hpp"
#include "tests/unit/publisher/tree/zip_bytes.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace archive_test {

using namespace lull;
using namespace lull::publisher;

namespace {

// Writes archives member by member, also such as no decent program writes.
class ArchiveMaker {
public:
    explicit ArchiveMaker(fs::path const& path) : archive_(archive_write_new()) {
        auto const kind = path.extension().string();
        if (kind == ".zip") {
            archive_write_set_format_zip(archive_);
        } else {
            archive_write_set_format_pax_restricted(archive_);
        }
        if (kind == ".gz") archive_write_add_filter_gzip(archive_);
        if (kind == ".xz") archive_write_add_filter_xz(archive_);
        if (kind == ".zst") archive_write_add_filter_zstd(archive_);
        if (kind == ".bz2") archive_write_add_filter_bzip2(archive_);
        if (kind == ".lzma") archive_write_add_filter_lzma(archive_);
        if (kind == ".Z") archive_write_add_filter_compress(archive_);
        REQUIRE(archive_write_open_filename(archive_, path.c_str()) == ARCHIVE_OK);
    }
    ~ArchiveMaker() { archive_write_free(archive_); }
    ArchiveMaker(ArchiveMaker const&) = delete;
    ArchiveMaker& operator=(ArchiveMaker const&) = delete;

    ArchiveMaker& file(char const* path, std::string_view contents, int mode = 0644) {
        return add(path, AE_IFREG, mode, contents, [](archive_entry*) {});
    }
    ArchiveMaker& directory(char const* path) {
        return add(path, AE_IFDIR, 0755, "", [](archive_entry*) {});
    }
    ArchiveMaker& symlink(char const* path, char const* target) {
        return add(path, AE_IFLNK, 0777, "", [&](archive_entry* entry) { archive_entry_set_symlink(entry, target); });
    }
    ArchiveMaker& hardlink(char const* path, char const* target) {
        return add(path, AE_IFREG, 0644, "", [&](archive_entry* entry) { archive_entry_set_hardlink(entry, target); });
    }
    ArchiveMaker& special(char const* path, unsigned type) {
        return add(path, type, 0644, "", [](archive_entry*) {});
    }

private:
    template <class Finish>
    ArchiveMaker& add(char const* path, unsigned type, int mode, std::string_view contents, Finish finish) {
        std::unique_ptr<archive_entry, void (*)(archive_entry*)> const entry(archive_entry_new(), archive_entry_free);
        archive_entry_set_pathname(entry.get(), path);
        archive_entry_set_filetype(entry.get(), type);
        archive_entry_set_perm(entry.get(), static_cast<mode_t>(mode));
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(contents.size()));
        finish(entry.get());
        REQUIRE(archive_write_header(archive_, entry.get()) >= ARCHIVE_WARN);
        if (!contents.empty()) REQUIRE(archive_write_data(archive_, contents.data(), contents.size()) > 0);
        return *this;
    }

    archive* archive_;
};

std::vector<std::string> paths_of(SourceTree const& tree) {
    std::vector<std::string> paths;
    for (auto const& entry : tree.entries) paths.push_back(entry.path);
    return paths;
}

std::string contents_of(fs::path const& path) {
    auto const bytes = read_file(path, MiB(64));
    REQUIRE(bytes);
    return std::string(as_text(*bytes));
}

Error refusal(fs::path const& archive, ArchiveLimits const& most = {}) {
    auto const unpacked = UnpackedArchive::unpack(archive, most);
    REQUIRE_FALSE(unpacked);
    CHECK_THAT(unpacked.error().message, Catch::Contains(archive.filename().string()));
    return unpacked.error();
}

// How many directories of unpacked archives lie about.
std::size_t left_behind(fs::path const& directory) {
    std::size_t count = 0;
    for (auto const& entry : fs::directory_iterator(directory)) {
        count += entry.path().filename().string().starts_with("lull-unpacked-") ? 1 : 0;
    }
    return count;
}

// TMPDIR for one test.
class TemporaryPlace {
public:
    TemporaryPlace() { setenv("TMPDIR", directory_.path().c_str(), 1); }
    ~TemporaryPlace() { unsetenv("TMPDIR"); }
    TemporaryPlace(TemporaryPlace const&) = delete;
    TemporaryPlace& operator=(TemporaryPlace const&) = delete;
    [[nodiscard]] fs::path const& path() const { return directory_.path(); }
    [[nodiscard]] fs::path operator/(std::string const& name) const { return directory_ / name; }

private:
    test::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("archives are known by their names") {
    for (auto const* name : {"a.tar", "a.tar.gz", "a.TGZ", "a.tar.xz", "a.txz", "a.tar.zst", "a.tzst", "a.tar.bz2",
                             "a.tbz2", "a.tbz", "a.tb2", "a.tar.Z", "a.taz", "a.tar.lzma", "a.tlz", "a.zip"}) {
        CHECK(has_archive_name(fs::path("/x") / name));
    }
    for (auto const* name : {"tar", ".tar", "a.gz", "a.jar", "a.whl", "a.apk", "a.deb", "a.tar.old", "zip"})
        CHECK_FALSE(has_archive_name(name));
}

TEST_CASE("an archive of each kind becomes the tree that it holds, and leaves nothing behind") {
    TemporaryPlace place;
    auto const name = GENERATE("a.tar", "a.tar.gz", "a.tar.xz", "a.tar.zst", "a.tar.bz2", "a.tar.lzma", "a.tar.Z",
                               "a.zip");
    auto const big = test::noise(300'000, 5);
    ArchiveMaker(place / name)
        .directory("./")
        .directory("./empty/")
        .file("./bin/app", "#!/bin/sh\n", 0755)
        .file("lib/data", big)
        .symlink("lib/link", "../bin/app");
    {
        auto const tree = open_source(place / name, TopDirectory::keep);
        REQUIRE(tree);
        CHECK(paths_of(*tree) == std::vector<std::string>{"bin", "bin/app", "empty", "lib", "lib/data", "lib/link"});
        CHECK(tree->entries[1].mode == 0755);
        CHECK(tree->entries[4].mode == 0644);
        CHECK(tree->entries[5].target == "../bin/app");
        CHECK(contents_of(tree->place(tree->entries[4])) == big);
        CHECK_FALSE(tree->lasting);
        CHECK(left_behind(place.path()) == 1);
    }
    CHECK(left_behind(place.path()) == 0);
}

TEST_CASE("the top directory of an archive stays unless it is to be stripped") {
    TemporaryPlace place;
    ArchiveMaker(place / "one.tar").file("app-1.4/bin/app", "x", 0755).file("app-1.4/README", "y");
    ArchiveMaker(place / "two.tar").file("app/app", "x").file("README", "y");

    auto const kept = open_source(place / "one.tar", TopDirectory::keep);
    REQUIRE(kept);
    CHECK(paths_of(*kept) == std::vector<std::string>{"app-1.4", "app-1.4/README", "app-1.4/bin", "app-1.4/bin/app"});
    auto const stripped = open_source(place / "one.tar", TopDirectory::strip);
    REQUIRE(stripped);
    CHECK(paths_of(*stripped) == std::vector<std::string>{"README", "bin", "bin/app"});
    auto const not_one = open_source(place / "two.tar", TopDirectory::strip);
    REQUIRE_FALSE(not_one);
    CHECK(not_one.error().fault == Fault::usage);
    CHECK_THAT(not_one.error().message, Catch::Contains("2 entries at the top"));
}

TEST_CASE("hard links in an archive become separate files") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").file("one", "same").hardlink("two", "./one");
    auto const tree = open_source(place / "a.tar", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(contents_of(tree->place(tree->entries[1])) == "same");
}

TEST_CASE("a member that comes twice is taken from its last place and does not write through a hard link") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").file("one", "first").hardlink("two", "one").file("one", "second");
    auto const tree = open_source(place / "a.tar", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(contents_of(tree->root / "one") == "second");
    CHECK(contents_of(tree->root / "two") == "first");
}

TEST_CASE("names that are not ASCII survive in every kind of archive") {
    TemporaryPlace place;
    auto const name = GENERATE("a.tar", "a.tar.gz", "a.zip");
    ArchiveMaker(place / name).file("gr\xc3\xbcn/\xe2\x82\xac", "x");
    auto const tree = open_source(place / name, TopDirectory::keep);
    REQUIRE(tree);
    CHECK(paths_of(*tree) == std::vector<std::string>{"gr\xc3\xbcn", "gr\xc3\xbcn/\xe2\x82\xac"});
}

TEST_CASE("an archive cannot write outside of its directory") {
    TemporaryPlace place;
    auto const archive = place / "evil.tar";
    SECTION("by ..") { ArchiveMaker(archive).file("../outside", "x"); }
    SECTION("by .. in the middle") { ArchiveMaker(archive).file("a/../../outside", "x"); }
    SECTION("through a link") { ArchiveMaker(archive).symlink("door", "..").file("door/outside", "x"); }
    SECTION("through an absolute link") {
        ArchiveMaker(archive).symlink("door", place.path().c_str()).file("door/outside", "x");
    }
    SECTION("by a hard link to something outside") {
        test::put_file(place / "secret", "secret");
        ArchiveMaker(archive).hardlink("stolen", "../secret");
    }
    CHECK(refusal(archive).fault == Fault::refused);
    CHECK_FALSE(fs::exists(place / "outside"));
    CHECK(left_behind(place.path()) == 0);
}

TEST_CASE("a link in an archive that leaves the tree is refused when the tree is scanned") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").symlink("link", "/etc/passwd").file("x", "x");
    auto const tree = open_source(place / "a.tar", TopDirectory::keep);
    REQUIRE_FALSE(tree);
    CHECK_THAT(tree.error().message, Catch::Contains("link"));
    CHECK(left_behind(place.path()) == 0);
}

TEST_CASE("types that no release can hold are refused by archive and member") {
    TemporaryPlace place;
    auto const archive = place / "a.tar";
    SECTION("a device") { ArchiveMaker(archive).special("dev/null", AE_IFCHR); }
    SECTION("a named pipe") { ArchiveMaker(archive).special("dev/null", AE_IFIFO); }
    SECTION("setuid") { ArchiveMaker(archive).file("dev/null", "x", 04755); }
    auto const error = refusal(archive);
    CHECK(error.fault == Fault::refused);
    CHECK_THAT(error.message, Catch::Contains("'dev/null'"));
}

TEST_CASE("an archive may not unpack to more than its bounds") {
    TemporaryPlace place;
    ArchiveMaker(place / "bomb.tar.gz").file("zeros", std::string(10'000'000, '\0'));
    REQUIRE(fs::file_size(place / "bomb.tar.gz") < 100'000);
    auto const large = refusal(place / "bomb.tar.gz", {MiB(9), 10});
    CHECK(large.fault == Fault::no_space);
    CHECK_THAT(large.message, Catch::Contains("TMPDIR"));

    ArchiveMaker(place / "many.tar").file("1", "").file("2", "").file("3", "").file("4", "");
    CHECK_THAT(refusal(place / "many.tar", {MiB(9), 3}).message, Catch::Contains("more than 3 members"));
}

TEST_CASE("what is no archive, or only half of one, is damaged") {
    TemporaryPlace place;
    auto const good = place / "good.tar.gz";
    ArchiveMaker(good).file("data", test::noise(200'000, 3));
    auto const bytes = contents_of(good);
    auto const bad = place / "bad.tar.gz";
    SECTION("text") { test::put_file(bad, "this is no archive at all, whatever its name says"); }
    SECTION("empty") { test::put_file(bad, ""); }
    SECTION("cut off") { test::put_file(bad, std::string_view(bytes).substr(0, bytes.size() / 2)); }
    CHECK(refusal(bad).fault == Fault::damaged);
    CHECK(left_behind(place.path()) == 0);
}

TEST_CASE("a byte that was changed anywhere in a compressed archive is noticed") {
    TemporaryPlace place;
    auto const name = GENERATE("a.tar.gz", "a.tar.xz", "a.tar.bz2");
    ArchiveMaker(place / name).file("data", test::noise(200'000, 3)).file("last", "x");
    auto const good = contents_of(place / name);
    REQUIRE(UnpackedArchive::unpack(place / name, ArchiveLimits{}));
    for (std::size_t at = 20; at < good.size(); at += good.size() / 40) {
        auto bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        test::put_file(place / name, bad);
        INFO(at);
        CHECK(refusal(place / name).fault == Fault::damaged);
    }
    std::size_t const padding = std::string_view(name) == "a.tar.bz2" ? 1 : 0;  // bits that mean nothing
    for (std::size_t back = 1 + padding; back <= 8; ++back) {                   // gzip: CRC and size
        auto bad = good;
        bad[bad.size() - back] = static_cast<char>(bad[bad.size() - back] ^ 0x10);
        test::put_file(place / name, bad);
        INFO(back);
        CHECK(refusal(place / name).fault == Fault::damaged);
    }
}

TEST_CASE("an archive that was cut at any place is damaged") {
    TemporaryPlace place;
    auto const name = GENERATE("a.tar", "a.tar.gz", "a.tar.zst", "a.zip");
    ArchiveMaker(place / name).file("data", test::noise(100'000, 3)).file("last", test::noise(5'000, 4));
    auto const good = contents_of(place / name);
    auto const most = std::string_view(name) == "a.tar" ? std::size_t{105'000} : good.size();
    for (std::size_t length = 0; length < most; length += good.size() / 30 + 1) {
        test::put_file(place / name, std::string_view(good).substr(0, length));
        INFO(length);
        CHECK(refusal(place / name).fault == Fault::damaged);
    }
}

TEST_CASE("a gzip file of several members is read to its end") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").file("data", test::noise(100'000, 3));
    auto const tar = contents_of(place / "a.tar");
    test::put_file(place / "1", tar.substr(0, 50'000));
    test::put_file(place / "2", tar.substr(50'000));
    auto const packed = [&](char const* part) {
        auto const command = "gzip -nc '" + (place / part).string() + "' > '" + (place / part).string() + ".gz'";
        REQUIRE(system(command.c_str()) == 0);
        return contents_of(place / (std::string(part) + ".gz"));
    };
    test::put_file(place / "b.tar.gz", packed("1") + packed("2"));
    auto const tree = open_source(place / "b.tar.gz", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(contents_of(tree->root / "data") == test::noise(100'000, 3));
}

TEST_CASE("an archive within a compressed archive is not opened further") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar.gz").file("zeros", std::string(1'000'000, '\0'));
    auto const command = "gzip -nc '" + (place / "a.tar.gz").string() + "' > '" + (place / "b.tar.gz").string() + "'";
    REQUIRE(system(command.c_str()) == 0);
    CHECK(refusal(place / "b.tar.gz").fault == Fault::damaged);
}

TEST_CASE("the fields of a zip archive have to be right") {
    TemporaryPlace place;
    test::ZipBytes zip{"app", "hello", 0, 0x3610A686, 5};
    auto const outcome = [&] {
        test::put_file(place / "a.zip", zip.bytes());
        return open_source(place / "a.zip", TopDirectory::keep);
    };
    REQUIRE(outcome());
    SECTION("the checksum") {
        zip.crc ^= 1;
        CHECK(outcome().error().fault == Fault::damaged);
    }
    SECTION("the size") {
        zip.size = 6;
        CHECK(outcome().error().fault == Fault::damaged);
    }
    SECTION("encrypted") {
        zip.flags = 1;
        CHECK_THAT(outcome().error().message, Catch::Contains("it is encrypted"));
    }
    SECTION("a name in code page 437") {
        zip.name = "gr\x81n";
        CHECK(paths_of(*outcome()) == std::vector<std::string>{"gr\xc3\xbcn"});
    }
    SECTION("a name in UTF-8 without the flag for it") {
        zip.name = "gr\xc3\xbcn";
        CHECK(paths_of(*outcome()) == std::vector<std::string>{"gr\xc3\xbcn"});
    }
    SECTION("a file that is named like the directory itself") {
        zip.name = ".";
        CHECK_THAT(outcome().error().message, Catch::Contains("cannot have this name"));
    }
}

TEST_CASE("an archive without members is refused as empty") {
    TemporaryPlace place;
    test::put_file(place / "a.tar", std::string(10'240, '\0'));
    CHECK_THAT(refusal(place / "a.tar").message, Catch::Contains("no members"));
}

TEST_CASE("names are taken as tar takes them") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").file("/etc//app/./conf", "x").file("./b//c", "y");
    auto const tree = open_source(place / "a.tar", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(paths_of(*tree) == std::vector<std::string>{"b", "b/c", "etc", "etc/app", "etc/app/conf"});
    CHECK(tree->notes.size() == 1);
}

TEST_CASE("members that go through a link inside the archive land where it points") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar")
        .directory("usr/bin")
        .symlink("bin", "usr/bin")
        .file("bin/app", "app", 0755)
        .symlink("deep/sbin", "../bin")
        .file("deep/sbin/tool", "tool", 0755)
        .hardlink("again", "bin/app");
    auto const tree = open_source(place / "a.tar", TopDirectory::keep);
    REQUIRE(tree);
    CHECK(contents_of(tree->root / "usr/bin/app") == "app");
    CHECK(contents_of(tree->root / "usr/bin/tool") == "tool");
    CHECK(contents_of(tree->root / "again") == "app");
    CHECK(fs::is_symlink(tree->root / "bin"));
}

TEST_CASE("links that go in a circle are refused") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").symlink("a", "b").symlink("b", "a").file("a/x", "x");
    CHECK(refusal(place / "a.tar").fault == Fault::refused);
}

TEST_CASE("an archive that expands beyond all measure is refused unless that is allowed") {
    TemporaryPlace place;
    auto const command = "cd '" + place.path().string() +
                         "' && truncate -s 1200M zeros && tar -czf a.tar.gz zeros && tar -cSf b.tar zeros && rm zeros";
    REQUIRE(system(command.c_str()) == 0);
    for (auto const* name : {"a.tar.gz", "b.tar"})
        CHECK_THAT(refusal(place / name).message, Catch::Contains("more than 100 times"));
    ArchiveLimits most;
    most.any_expansion = true;
    CHECK(UnpackedArchive::unpack(place / "b.tar", most));
}

TEST_CASE("an error about a member does not name the temporary directory") {
    TemporaryPlace place;
    ArchiveMaker(place / "a.tar").file("x", "file").file("x/y", "within it");
    auto const error = refusal(place / "a.tar");
    CHECK_THAT(error.message, !Catch::Contains("lull-unpacked"));
    CHECK_THAT(error.message, Catch::Contains("'x/y'"));
}

}  // namespace archive_test
