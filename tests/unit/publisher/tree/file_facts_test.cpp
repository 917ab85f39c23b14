#include "publisher/tree/file_facts.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/trees.hpp"

namespace file_facts_test {

using namespace lull;
using namespace lull::publisher;
using test::put_file;

namespace {

FileToRead to_read(fs::path const& path) {
    struct stat status {};
    REQUIRE(lstat(path.c_str(), &status) == 0);
    return {path, stamp_of(status)};
}

// The first 20 bytes of an ELF file.
std::string elf_head(int word, int order, int machine) {
    std::string head(20, '\0');
    head.replace(0, 4,
                 "\x7f"
                 "ELF");
    head[4] = static_cast<char>(word);
    head[5] = static_cast<char>(order);
    head[order == 1 ? 18 : 19] = static_cast<char>(machine & 0xff);
    head[order == 1 ? 19 : 18] = static_cast<char>(machine >> 8);
    return head;
}

}  // namespace

TEST_CASE("a file's facts are its digest and the machine that it is for") {
    test::TemporaryDirectory temporary;
    auto const contents = test::noise(3'000'000, 1);
    put_file(temporary / "data", contents);
    put_file(temporary / "program", elf_head(2, 1, 183) + contents);
    put_file(temporary / "empty", "");

    auto const data = read_facts(to_read(temporary / "data"));
    REQUIRE(data);
    CHECK(data->digest == sha256(as_view(contents)));
    CHECK(data->machine.empty());
    auto const program = read_facts(to_read(temporary / "program"));
    REQUIRE(program);
    CHECK(program->machine == "arm64");
    auto const empty = read_facts(to_read(temporary / "empty"));
    REQUIRE(empty);
    CHECK(empty->digest == sha256({}));
}

TEST_CASE("ELF files name their architecture in Debian's words") {
    CHECK(elf_architecture(as_view(elf_head(2, 1, 62))) == "amd64");
    CHECK(elf_architecture(as_view(elf_head(1, 1, 3))) == "i386");
    CHECK(elf_architecture(as_view(elf_head(1, 1, 40))) == "armhf");
    CHECK(elf_architecture(as_view(elf_head(2, 2, 22))) == "s390x");
    CHECK(elf_architecture(as_view(elf_head(2, 1, 247))) == std::nullopt);  // EM_BPF
    CHECK(elf_architecture(as_view(elf_head(2, 1, 62)).first(19)) == std::nullopt);
    CHECK(elf_architecture(as_view("#!/bin/sh\nexec something long enough")) == std::nullopt);
}

TEST_CASE("a file that is not what was scanned is not published") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "file", "before");
    auto const scanned = to_read(temporary / "file");

    SECTION("changed") { put_file(temporary / "file", "after it"); }
    SECTION("same size, other time") { put_file(temporary / "file", "BEFORE", 0644, 10); }
    SECTION("shorter") { put_file(temporary / "file", ""); }
    SECTION("gone") { fs::remove(temporary / "file"); }
    auto const facts = read_facts(scanned);
    REQUIRE_FALSE(facts);
    CHECK(facts.error().fault == Fault::failed);
    CHECK_THAT(facts.error().message, Catch::Contains("file: it changed while it was being read; publish again"));
}

TEST_CASE("a file that became a link is not followed") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "file", "x");
    auto const scanned = to_read(temporary / "file");
    fs::remove(temporary / "file");
    put_file(temporary / "other", "x");
    fs::create_symlink("other", temporary / "file");
    CHECK_FALSE(read_facts(scanned));
}

TEST_CASE("many files are read by two threads and come back in order") {
    test::TemporaryDirectory temporary;
    std::vector<FileToRead> files;
    for (int i = 0; i < 200; ++i) {
        auto const path = temporary / std::to_string(i);
        put_file(path, std::to_string(i));
        files.push_back(to_read(path));
    }
    Bytes last{};
    auto const facts = read_all_facts(files, [&](Bytes done, Bytes total) {
        CHECK(done >= last);
        CHECK(total == Bytes(10 + 90 * 2 + 100 * 3));
        last = done;
    });
    REQUIRE(facts);
    for (std::size_t i = 0; i < files.size(); ++i) CHECK((*facts)[i].digest == sha256(as_view(std::to_string(i))));

    fs::remove(temporary / "77");
    auto const failed = read_all_facts(files, nullptr);
    REQUIRE_FALSE(failed);
    CHECK_THAT(failed.error().message, Catch::Contains("77: it changed"));
}

}  // namespace file_facts_test
