#pragma once

#include <random>
#include <stdexcept>

#include "broker/objects/object_writer.hpp"
#include "store/compression.hpp"
#include "tests/support/temporary_directory.hpp"

// Stored objects on a disk, and the threads that write them. Needs no decision code and no socket, so that
// ThreadSanitizer sees all of it.

namespace lull::broker::test {

inline Buffer noise(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    Buffer bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

// Words, of which level 19 makes less than level 3.
inline Buffer words(std::size_t size, std::uint64_t seed) {
    std::string text;
    for (std::uint64_t state = seed; text.size() < size;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text += fmt::format("word{} ", (state >> 40) % 5000);
    }
    return to_buffer(as_view(text));
}

// The files of a broker's objects.
class ObjectFiles {
public:
    explicit ObjectFiles(Bytes roll_at = MiB(256), std::size_t most_open = 64)
        : roll_at_(roll_at),
          most_open_(most_open) {
        open();
    }

    // As after a restart.
    void reopen() {
        packs.reset();
        database.reset();
        open();
    }
    // Stores an object durably, on the thread that calls.
    store::ObjectPlace put(store::StoredObject const& object) {
        auto const place = packs->append(object.shape, object.bytes).value();
        packs->sync();
        auto const status = database->apply(store::Batch{store::Packs::index_change(place)});
        if (!status) throw std::runtime_error(status.error().message);
        packs->publish(place);
        return place;
    }
    store::ObjectPlace put(View plain, int level = store::quick_level) { return put(store::pack_object(plain, level)); }
    [[nodiscard]] bool holds(View plain) {
        auto const found = packs->read_plain(sha256(plain), MiB(64));
        return found && std::ranges::equal(*found, plain);
    }
    [[nodiscard]] fs::path pack(std::uint32_t number) const {
        return directory / fmt::format("packs/pack-{:08}", number);
    }

    lull::test::TemporaryDirectory directory;
    std::optional<store::Environment> database;
    std::optional<store::Packs> packs;

private:
    void open() {
        database.emplace(
            store::Environment::open({.directory = directory / "state", .tables = {store::Packs::table}}).value());
        packs.emplace(store::Packs::open(
                          {.directory = directory / "packs", .roll_at = roll_at_, .most_open = most_open_}, *database)
                          .value());
    }

    Bytes roll_at_;
    std::size_t most_open_;
};

// A loop with the threads that write objects.
struct ObjectThreads {
    explicit ObjectThreads(ObjectFiles& files)
        : writer(*files.database, loop),
          workers(loop, 2),
          object_writer(loop, workers, *files.packs, writer) {}

    EventLoop loop;
    store::Writer writer;
    Workers workers;
    ObjectWriter object_writer;
};

}  // namespace lull::broker::test
