#include "broker/objects/frame_reader.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/broker/objects/object_bench.hpp"

namespace frame_reader_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

// A transfer of one object, frame by frame, to a node that puts them together.
class Transfer {
public:
    Transfer(ObjectFiles& files, store::ObjectPlace place)
        : threads_(files),
          reader_(threads_.loop, *files.packs),
          place_(std::move(place)) {}

    // Reads up to this many of the stored bytes.
    Status read_until(std::uint64_t end) {
        constexpr std::uint64_t frame = 10'000;
        Status outcome;
        while (outcome && received_.size() < end) {
            auto const length = std::min(frame, end - received_.size());
            bool read = false;
            reader_.read({place_, Bytes(received_.size()), Bytes(length)}, [&](Result<Frame> got) {
                read = true;
                if (got) {
                    auto const bytes = as_view(*got);
                    received_.insert(received_.end(), bytes.begin(), bytes.end());
                } else {
                    outcome = pass(got.error());
                }
                threads_.loop.stop();
            });
            if (!read) threads_.loop.run();
        }
        return outcome;
    }
    Status read_all() { return read_until(place_.shape.stored.count()); }
    // The object as the node unpacks it.
    [[nodiscard]] Result<Buffer> plain() const { return store::unpack_object(place_.shape, received_, MiB(64)); }

    // Moves an object to the newest pack, as garbage collection and scrubbing do.
    void move(store::StoredObject object) {
        threads_.object_writer.move(object.shape, std::move(object.bytes), [&](Status const& status) {
            REQUIRE(status);
            threads_.loop.stop();
        });
        threads_.loop.run();
    }

private:
    ObjectThreads threads_;
    FrameReader reader_;
    store::ObjectPlace place_;
    Buffer received_;
};

}  // namespace

TEST_CASE("an object that is compressed anew in the middle of its transfer arrives right") {
    ObjectFiles files;
    auto const plain = words(400'000, 1);
    auto const quick = store::pack_object(plain, store::quick_level);
    auto const small = store::pack_object(plain, store::small_level);
    auto const place = files.put(quick);
    Transfer transfer(files, place);
    REQUIRE(transfer.read_until(quick.shape.stored.count() / 2));
    REQUIRE(small.shape.stored < quick.shape.stored);
    transfer.move(small);
    REQUIRE(files.packs->find(place.shape.object)->shape == small.shape);
    REQUIRE(transfer.read_all());
    auto const arrived = transfer.plain();
    REQUIRE(arrived);
    CHECK(*arrived == plain);
}

TEST_CASE("control: frames of two forms of an object do not make the object") {
    auto const plain = words(400'000, 1);
    auto const quick = store::pack_object(plain, store::quick_level);
    auto const small = store::pack_object(plain, store::small_level);
    auto mixed = quick.bytes;
    auto const half = static_cast<std::ptrdiff_t>(small.bytes.size() / 2);
    std::copy(small.bytes.begin() + half, small.bytes.end(), mixed.begin() + half);
    CHECK_FALSE(store::unpack_object(quick.shape, mixed, MiB(64)));
}

TEST_CASE("an object whose pack is removed in the middle of its transfer is read from where it moved to") {
    ObjectFiles files(KiB(100));
    auto const plain = noise(90'000, 1);
    auto const place = files.put(plain);
    files.put(noise(90'000, 2));
    Transfer transfer(files, place);
    REQUIRE(transfer.read_until(40'000));
    transfer.move(store::pack_object(plain, store::quick_level));
    files.packs->remove_pack(place.pack).reset();
    CHECK_FALSE(fs::exists(files.pack(place.pack)));
    REQUIRE(transfer.read_all());
    CHECK(transfer.plain().value() == plain);
}

TEST_CASE("an object that was set aside in the middle of its transfer is not read on") {
    ObjectFiles files;
    auto const place = files.put(noise(50'000, 1));
    Transfer transfer(files, place);
    REQUIRE(transfer.read_until(20'000));
    files.packs->forget(place.shape.object);
    auto const status = transfer.read_all();
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::not_found);
}

TEST_CASE("a pack that was cut is an error of the read") {
    ObjectFiles files;
    auto const place = files.put(noise(50'000, 1));
    fs::resize_file(files.pack(1), 30'000);
    Transfer transfer(files, place);
    CHECK(transfer.read_all().error().fault == Fault::damaged);
}

}  // namespace frame_reader_test
