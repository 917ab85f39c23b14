#include "store/packs.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <random>
#include <thread>

#include "child.hpp"
#include "failing_disk.hpp"
#include "store/compression.hpp"
#include "store/pack_format.hpp"
#include "tests/support/temporary_directory.hpp"

namespace packs_test {

using namespace lull;
using namespace lull::store;
using namespace lull::store::test;
using Catch::Matchers::Contains;
using lull::test::TemporaryDirectory;

namespace {

StoredObject object_of(std::uint64_t seed, std::size_t size) {
    std::mt19937_64 random(seed);
    Buffer bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    return pack_object(bytes, quick_level);
}

// A directory with a database and packs, which can be closed and opened again.
class Store {
public:
    explicit Store(Bytes roll_at = MiB(256)) { options_.roll_at = roll_at; }

    [[nodiscard]] Status open() {
        close();
        EnvironmentOptions environment;
        environment.directory = directory_ / "db";
        environment.tables = {Packs::table};
        auto opened = Environment::open(environment);
        if (!opened) return pass(opened.error());
        environment_.emplace(std::move(*opened));
        options_.directory = directory_ / "packs";
        auto packs = Packs::open(options_, *environment_);
        if (!packs) return pass(packs.error());
        packs_.emplace(std::move(*packs));
        return {};
    }
    void close() {
        packs_.reset();
        environment_.reset();
    }

    [[nodiscard]] ObjectPlace append(StoredObject const& object) {
        auto const place = packs_->append(object.shape, object.bytes);
        if (!place) FAIL(place.error().message);
        return *place;
    }
    void commit(ObjectPlace const& place) {
        packs_->sync();
        auto const status = environment_->apply(Batch{Packs::index_change(place)});
        if (!status) FAIL(status.error().message);
        packs_->publish(place);
    }
    void keep(StoredObject const& object) { commit(append(object)); }

    [[nodiscard]] bool has(StoredObject const& object) {
        auto const plain = packs_->read_plain(object.shape.object, MiB(1));
        return plain && sha256(*plain) == object.shape.object;
    }
    [[nodiscard]] fs::path pack(std::uint32_t number) const { return directory_ / ("packs/" + pack_name(number)); }
    [[nodiscard]] fs::path directory() const { return directory_.path(); }
    [[nodiscard]] Environment& environment() { return *environment_; }
    [[nodiscard]] Packs& packs() { return *packs_; }
    [[nodiscard]] Packs::Options& options() { return options_; }

    void flip(std::uint32_t number, std::uint64_t offset) const {
        auto const file = open_file(pack(number), O_RDWR);
        REQUIRE(file);
        Buffer byte(1);
        REQUIRE(read_exactly(file->get(), offset, byte, pack(number)));
        byte[0] ^= std::byte{0x10};
        REQUIRE(write_exactly(file->get(), offset, byte, pack(number)));
    }

private:
    TemporaryDirectory directory_;
    Packs::Options options_;
    std::optional<Environment> environment_;
    std::optional<Packs> packs_;
};

}  // namespace

TEST_CASE("an object is found once it is published, and after a restart") {
    Store store;
    REQUIRE(store.open());
    auto const raw = object_of(1, 10'000);
    auto const compressed = pack_object(Buffer(50'000, std::byte{7}), quick_level);
    auto const place = store.append(raw);
    CHECK_FALSE(store.packs().find(raw.shape.object));
    store.commit(place);
    store.keep(compressed);
    for (int round = 0; round < 2; ++round) {
        CHECK(store.packs().count() == 2);
        CHECK(store.packs().find(raw.shape.object)->shape == raw.shape);
        CHECK(store.packs().find(compressed.shape.object)->shape == compressed.shape);
        CHECK(store.has(raw));
        CHECK(store.has(compressed));
        CHECK(store.packs().read_plain(object_of(2, 10).shape.object, MiB(1)).error().fault == Fault::not_found);
        REQUIRE(store.open());
    }
}

TEST_CASE("a pack holds the stored bytes where the index says") {
    Store store;
    REQUIRE(store.open());
    store.keep(object_of(1, 100));
    auto const object = object_of(2, 300);
    store.keep(object);
    auto const place = store.packs().find(object.shape.object).value();
    CHECK(place.pack == 1);
    CHECK(place.offset == Bytes(24 + 56 + 100 + 56));
    Buffer bytes(300);
    REQUIRE(store.packs().pack(place.pack)->read(place.offset, bytes));
    CHECK(bytes == object.bytes);
}

TEST_CASE("after a crash what was committed is there, and what was only appended is cut off") {
    Store store;
    REQUIRE(store.open());
    auto const committed = object_of(1, 5000);
    auto const appended = object_of(2, 7000);
    auto const synced = object_of(3, 9000);
    store.keep(committed);
    auto const size = fs::file_size(store.pack(1));
    (void)store.append(appended);
    (void)store.append(synced);
    store.packs().sync();
    REQUIRE(fs::file_size(store.pack(1)) > size);

    REQUIRE(store.open());
    CHECK(fs::file_size(store.pack(1)) == size);
    CHECK(store.packs().count() == 1);
    CHECK(store.has(committed));
    CHECK_FALSE(store.packs().find(appended.shape.object));
    store.keep(appended);
    REQUIRE(store.open());
    CHECK(store.has(committed));
    CHECK(store.has(appended));
}

TEST_CASE("a process that is killed between append and commit leaves a store that opens") {
    Store store;
    auto const status = in_child([&] {
        if (!store.open()) return 1;
        store.keep(object_of(1, 5000));
        (void)store.append(object_of(2, 100'000));
        raise(SIGKILL);
        return 2;
    });
    REQUIRE(status == 128 + SIGKILL);
    REQUIRE(store.open());
    CHECK(store.packs().count() == 1);
    CHECK(store.has(object_of(1, 5000)));
    CHECK(fs::file_size(store.pack(1)) == 24 + 56 + 5000);
}

TEST_CASE("a new pack is begun when one is large enough, and packs without a committed object go") {
    Store store(KiB(16));
    REQUIRE(store.open());
    for (std::uint64_t i = 0; i < 10; ++i) store.keep(object_of(i, 5000));
    CHECK(fs::exists(store.pack(4)));
    auto const large = object_of(100, 40'000);  // has a pack of its own
    store.keep(large);
    CHECK(store.packs().find(large.shape.object)->pack == 5);
    (void)store.append(object_of(101, 10'000));
    (void)store.append(object_of(102, 10'000));
    REQUIRE(fs::exists(store.pack(7)));

    REQUIRE(store.open());
    CHECK_FALSE(fs::exists(store.pack(6)));
    CHECK_FALSE(fs::exists(store.pack(7)));
    for (std::uint64_t i = 0; i < 10; ++i) CHECK(store.has(object_of(i, 5000)));
    CHECK(store.has(large));
    auto const next = object_of(103, 10'000);
    store.keep(next);
    CHECK(store.packs().find(next.shape.object)->pack == 6);
    CHECK(store.has(next));
}

TEST_CASE("a new pack whose header did not reach the disk is removed at open") {
    Store store;
    REQUIRE(store.open());
    store.keep(object_of(1, 5000));
    REQUIRE(write_file_durably(store.pack(2), Buffer(10), 0600));
    REQUIRE(write_file_durably(store.pack(3), Buffer(5000), 0600));
    REQUIRE(store.open());
    CHECK_FALSE(fs::exists(store.pack(2)));
    CHECK_FALSE(fs::exists(store.pack(3)));
    CHECK(store.has(object_of(1, 5000)));
}

TEST_CASE("a flipped bit in an object or its header is found when it is read") {
    Store store;
    REQUIRE(store.open());
    auto const object = object_of(1, 1000);
    store.keep(object);
    store.keep(object_of(2, 1000));
    REQUIRE(store.has(object));
    for (std::uint64_t const offset : {24 + 5, 24 + 40, 24 + 55, 24 + 56, 24 + 56 + 999}) {
        store.flip(1, offset);
        auto const plain = store.packs().read_plain(object.shape.object, MiB(1));
        REQUIRE_FALSE(plain);
        CHECK(plain.error().fault == Fault::damaged);
        CHECK_THAT(plain.error().message, Contains(store.pack(1).string()) && Contains("restore it from a backup"));
        CHECK(store.has(object_of(2, 1000)));
        store.flip(1, offset);
    }
    CHECK(store.has(object));
}

TEST_CASE("a pack that is missing, cut, of another format, or another pack is called damaged") {
    Store store(KiB(16));
    REQUIRE(store.open());
    for (std::uint64_t i = 0; i < 4; ++i) store.keep(object_of(i, 7000));
    store.close();
    std::string expected;
    SECTION("missing") {
        fs::remove(store.pack(1));
        expected = "it is missing";
    }
    SECTION("cut in an object") {
        fs::resize_file(store.pack(1), fs::file_size(store.pack(1)) - 1);
        expected = "and the index names";
    }
    SECTION("cut in the header") {
        fs::resize_file(store.pack(1), 10);
        expected = "cut off";
    }
    SECTION("damaged header") {
        store.flip(1, 2);
        expected = "does not begin as a pack";
    }
    SECTION("another format") {
        store.flip(1, 11);
        expected = "has format 17";
    }
    SECTION("another database") {
        store.flip(1, 20);
        expected = "another database";
    }
    SECTION("another pack") {
        fs::copy_file(store.pack(2), store.pack(1), fs::copy_options::overwrite_existing);
        expected = "number 2";
    }
    auto const status = store.open();
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::damaged);
    CHECK_THAT(status.error().message, Contains(store.pack(1).string()) && Contains(expected));
}

TEST_CASE("packs whose database is gone are not taken for leftovers") {
    Store store;
    REQUIRE(store.open());
    store.keep(object_of(1, 5000));
    store.close();
    fs::rename(store.directory() / "db", store.directory() / "db.away");
    auto status = store.open();
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::damaged);
    CHECK_THAT(status.error().message, Contains("a database that is not there any more: restore it from a backup"));

    SECTION("also where another database took its place") {
        fs::rename(store.directory() / "packs", store.directory() / "packs.away");
        REQUIRE(store.open());
        store.close();
        fs::remove_all(store.directory() / "packs");
        fs::rename(store.directory() / "packs.away", store.directory() / "packs");
        status = store.open();
        REQUIRE_FALSE(status);
        CHECK_THAT(status.error().message, Contains(store.pack(1).string()) && Contains("another database"));
    }
    CHECK(fs::file_size(store.pack(1)) == 24 + 56 + 5000);
    store.close();
    fs::remove_all(store.directory() / "db");
    fs::rename(store.directory() / "db.away", store.directory() / "db");
    REQUIRE(store.open());
    CHECK(store.has(object_of(1, 5000)));
}

TEST_CASE("an index entry that leads to another object is called damaged and does not return that one") {
    Store store;
    REQUIRE(store.open());
    auto const wanted = object_of(1, 1000);
    auto const other = object_of(2, 1000);
    store.keep(wanted);
    auto place = store.append(other);
    place.shape.object = wanted.shape.object;
    store.commit(place);
    auto const plain = store.packs().read_plain(wanted.shape.object, MiB(1));
    REQUIRE_FALSE(plain);
    CHECK(plain.error().fault == Fault::damaged);
    CHECK_THAT(plain.error().message, Contains("another object"));
}

TEST_CASE("objects that cannot be made durable end the process before their index entries are committed") {
    Store store;
    auto const status = in_child([&] {
        if (!store.open()) return 1;
        auto const place = store.append(object_of(1, 5000));
        if (freopen("/dev/null", "w", stderr) == nullptr) return 3;
        fail_every_sync();
        store.packs().sync();
        (void)store.environment().apply(Batch{Packs::index_change(place)});
        return 2;
    });
    CHECK(status == 70);
    REQUIRE(store.open());
    CHECK(store.packs().count() == 0);
}

TEST_CASE("a pack that is full is durable before the next one is begun") {
    Store store(KiB(8));
    auto const status = in_child([&] {
        if (!store.open()) return 1;
        (void)store.append(object_of(1, 5000));
        if (freopen("/dev/null", "w", stderr) == nullptr) return 3;
        fail_every_sync();
        (void)store.append(object_of(2, 5000));
        return 2;
    });
    CHECK(status == 70);
    CHECK_FALSE(fs::exists(store.pack(2)));
}

TEST_CASE("a damaged index entry is called damaged") {
    Store store;
    REQUIRE(store.open());
    Change const nonsense{Packs::table, to_buffer(object_of(1, 10).shape.object.view()), Buffer(3)};
    REQUIRE(store.environment().apply(Batch{nonsense}));
    auto const status = store.open();
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::damaged);
}

TEST_CASE("an object for which the disk has no room beside the reserve is refused with both numbers") {
    Store store;
    store.options().reserve = GiB(1 << 20);
    REQUIRE(store.open());
    auto const object = object_of(1, 1000);
    auto const place = store.packs().append(object.shape, object.bytes);
    REQUIRE_FALSE(place);
    CHECK(place.error().fault == Fault::no_space);
    CHECK_THAT(place.error().message, Contains("packs") && Contains("needed") && Contains("free"));
    CHECK_FALSE(fs::exists(store.pack(1)));
}

TEST_CASE("an append that the kernel cuts short is taken back") {
    Store store;
    // The limit on a file's size stands in for a disk that fills up during the write.
    auto const status = in_child([&] {
        if (!store.open()) return 1;
        store.keep(object_of(1, 5000));
        auto const size = fs::file_size(store.pack(1));
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit const limit{size + 5000, size + 5000};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
        auto const large = object_of(2, 100'000);
        if (store.packs().append(large.shape, large.bytes)) return 3;
        if (fs::file_size(store.pack(1)) != size) return 4;
        auto const small = object_of(3, 1000);
        if (!store.packs().append(small.shape, small.bytes)) return 5;
        return fs::file_size(store.pack(1)) == size + 56 + 1000 ? 0 : 6;
    });
    CHECK(status == 0);
}

TEST_CASE("one thread appends while another finds, publishes and reads") {
    Store store(KiB(64));
    REQUIRE(store.open());
    for (std::uint64_t i = 0; i < 20; ++i) store.keep(object_of(i, 5000));
    std::atomic<int> appended = 0;
    std::vector<ObjectPlace> places(50);
    std::thread appender([&] {
        for (std::size_t i = 0; i < places.size(); ++i) {
            auto const object = object_of(100 + i, 5000);
            auto place = store.packs().append(object.shape, object.bytes);
            if (!place) std::abort();
            store.packs().sync();
            places[i] = *place;
            appended = static_cast<int>(i + 1);
        }
    });
    bool all_found = true;
    for (int published = 0; published < 50;) {
        for (std::uint64_t i = 0; i < 20; ++i) all_found = all_found && store.has(object_of(i, 5000));
        for (int const now = appended; published < now; ++published) {
            store.packs().publish(places.at(static_cast<std::size_t>(published)));
            all_found = all_found && store.has(object_of(100 + static_cast<std::uint64_t>(published), 5000));
        }
    }
    appender.join();
    CHECK(all_found);
    CHECK(store.packs().count() == 70);
}

}  // namespace packs_test
