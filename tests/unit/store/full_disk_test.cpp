#include <catch2/catch.hpp>

#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "changes.hpp"
#include "store/compression.hpp"
#include "store/packs.hpp"
#include "tests/support/temporary_directory.hpp"

namespace full_disk_test {

using namespace lull;
using namespace lull::store;
using namespace lull::store::test;
using Catch::Matchers::Contains;
using lull::test::TemporaryDirectory;

namespace {

// A tiny file system that is unmounted when the test ends; only root may mount one.
class TinyDisk {
public:
    explicit TinyDisk(char const* size) {
        auto const options = std::string("size=") + size;
        mounted_ = mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
        if (!mounted_) WARN("skipped: cannot mount a small tmpfs to fill: " << strerrordesc_np(errno));
    }
    ~TinyDisk() {
        if (mounted_) umount2(directory_.path().c_str(), MNT_DETACH);
    }
    TinyDisk(TinyDisk const&) = delete;
    TinyDisk& operator=(TinyDisk const&) = delete;

    [[nodiscard]] bool mounted() const { return mounted_; }
    [[nodiscard]] fs::path operator/(std::string const& name) const { return directory_ / name; }

private:
    TemporaryDirectory directory_;
    bool mounted_ = false;
};

Environment opened(fs::path const& directory) {
    EnvironmentOptions options;
    options.directory = directory;
    options.tables = {"words", Packs::table};
    auto environment = Environment::open(options);
    if (!environment) FAIL(environment.error().message);
    return std::move(*environment);
}

Buffer noise(std::size_t size) {
    Buffer bytes(size);
    fill_random(bytes);
    return bytes;
}

}  // namespace

TEST_CASE("on a full disk a commit fails for lack of space, and the database keeps working") {
    TinyDisk const disk("2m");
    if (!disk.mounted()) return;
    {
        auto environment = opened(disk / "db");
        REQUIRE(environment.apply(Batch{put("words", "a", "apple")}));
        int refused = 0;
        // From large to small, so that the disk is full to its last page, and writes end in the middle as well.
        for (std::size_t const size : {std::size_t{600'000}, std::size_t{100'000}, std::size_t{9'000}}) {
            for (int i = 0; i < 100; ++i) {
                auto const name = std::to_string(size) + "-" + std::to_string(i);
                auto const status = environment.apply(
                    Batch{put("words", "a", "pear"), put("words", name, std::string(size, 'b'))});
                if (status) continue;
                CHECK(status.error().fault == Fault::no_space);
                CHECK_THAT(status.error().message, Contains((disk / "db").string()));
                CHECK(text_at(environment, "words", name) == "(none)");
                ++refused;
                break;
            }
        }
        CHECK(refused == 3);
        CHECK(text_at(environment, "words", "a") == "pear");
    }
    auto environment = opened(disk / "db");
    CHECK(text_at(environment, "words", "a") == "pear");
    CHECK(text_at(environment, "words", "600000-0").size() == 600'000);
    // The way out of a full disk.
    REQUIRE(environment.apply(Batch{erase("words", "9000-0")}));
    CHECK(environment.apply(Batch{put("words", "a", "plum")}));
}

TEST_CASE("on a full disk an object is refused with what is needed, and the pack stays as it was") {
    TinyDisk const disk("4m");
    if (!disk.mounted()) return;
    auto environment = opened(disk / "db");
    Packs::Options options;
    options.directory = disk / "packs";
    options.reserve = KiB(512);
    auto packs = Packs::open(options, environment);
    REQUIRE(packs);
    auto const first = pack_object(noise(1'000'000), quick_level);
    auto const place = packs->append(first.shape, first.bytes);
    REQUIRE(place);
    packs->sync();
    REQUIRE(environment.apply(Batch{Packs::index_change(*place)}));
    packs->publish(*place);
    auto const size = fs::file_size(disk / "packs/pack-00000001");

    auto const large = pack_object(noise(3'000'000), quick_level);
    auto const status = packs->append(large.shape, large.bytes);
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::no_space);
    CHECK_THAT(status.error().message, Contains((disk / "packs").string()) && Contains("free"));
    CHECK(fs::file_size(disk / "packs/pack-00000001") == size);
    CHECK(packs->read_plain(first.shape.object, MiB(4)));
    auto const small = pack_object(noise(1000), quick_level);
    CHECK(packs->append(small.shape, small.bytes));
}

}  // namespace full_disk_test
