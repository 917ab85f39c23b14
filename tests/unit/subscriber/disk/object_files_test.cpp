#include "subscriber/disk/object_files.hpp"

#include <sys/stat.h>

#include "fixture.hpp"

namespace lull::subscriber::test::object_files_test {

TEST_CASE("frames written in any order make up the object, in a file of its own that only we can read") {
    Node node;
    auto const digest = sha256(as_view("object"));
    REQUIRE(node.objects.write(digest, Bytes(5), as_view("world")));
    REQUIRE(node.objects.write(digest, Bytes(0), as_view("hello")));
    REQUIRE(node.objects.sync(digest));
    CHECK(node.objects.size(digest).value() == Bytes(10));
    CHECK(as_text(node.objects.read(digest, Bytes(10)).value()) == "helloworld");
    struct stat status {};
    REQUIRE(stat((node.layout.incoming() / digest.hex()).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    CHECK(node.objects.list().value() == std::vector{digest});
}

TEST_CASE("an object's file is read only up to the bound, and is gone after it was removed") {
    Node node;
    auto const digest = sha256(as_view("object"));
    REQUIRE(node.objects.write(digest, Bytes(0), as_view("0123456789")));
    CHECK(node.objects.read(digest, Bytes(9)).error().fault == Fault::damaged);
    REQUIRE(node.objects.remove(digest));
    REQUIRE(node.objects.remove(digest));
    CHECK(node.objects.read(digest, Bytes(9)).error().fault == Fault::not_found);
    CHECK(node.objects.size(digest).value() == Bytes(0));
    CHECK(node.objects.list().value().empty());
    // What is written next goes into a new file, not into the one that was open.
    REQUIRE(node.objects.write(digest, Bytes(0), as_view("new")));
    CHECK(node.objects.size(digest).value() == Bytes(3));
}

TEST_CASE("no frame is written beyond the largest object that there may be") {
    Node node;
    auto const digest = sha256(as_view("object"));
    auto const most = limits::stored_object;
    CHECK(node.objects.write(digest, most, as_view("x")).error().fault == Fault::usage);
    CHECK(node.objects.write(digest, Bytes(~std::uint64_t{0}), as_view("x")).error().fault == Fault::usage);
    CHECK(node.objects.size(digest).value() == Bytes(0));
}

TEST_CASE("a link in the place of an object's file is not followed") {
    Node node;
    auto const digest = sha256(as_view("object"));
    auto const victim = node.directory / "victim";
    write_text(victim, "untouched");
    fs::create_symlink(victim, node.layout.incoming() / digest.hex());
    CHECK_FALSE(node.objects.write(digest, Bytes(0), as_view("overwritten")));
    CHECK(contents_of(victim) == "untouched");
}

TEST_CASE("many more objects than descriptors are kept open can be written by turns") {
    Node node;
    std::vector<Digest> digests;
    for (int i = 0; i < 100; ++i) digests.push_back(sha256(as_view(std::to_string(i))));
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (auto const& digest : digests) REQUIRE(node.objects.write(digest, Bytes(round), as_view("a")));
    }
    for (auto const& digest : digests) CHECK(as_text(node.objects.read(digest, Bytes(3)).value()) == "aaa");
    CHECK(node.objects.list().value().size() == digests.size());
    auto const open_files = std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    CHECK(open_files < 60);
}

}  // namespace lull::subscriber::test::object_files_test
