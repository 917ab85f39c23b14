#include "subscriber/incoming.hpp"

#include "fixture.hpp"
#include "store/compression.hpp"

namespace lull::subscriber::test {

namespace {

// What a node hears about an object whose stored bytes came in one frame.
Status outcome_of(store::StoredObject const& object) {
    Node node;
    EventLoop loop;
    std::optional<ObjectFinished> finished;
    Incoming incoming(loop, node.layout.incoming(), [&](Event event) {
        finished = std::get<ObjectFinished>(std::move(event));
        loop.stop();
    });
    incoming.store({object.shape, Bytes(0), StoreFrame::Then::finish}, to_frame(object.bytes));
    loop.run();
    REQUIRE(finished->object == object.shape.object);
    return finished->status;
}

Buffer noise(std::size_t size) {
    Buffer bytes(size);
    fill_random(bytes);
    return bytes;
}

}  // namespace

TEST_CASE("an object that came in full is finished when its contents are what its digest says") {
    for (auto const& plain : {noise(600'000), Buffer(600'000)}) {
        auto object = store::pack_object(plain, store::quick_level);
        CHECK(outcome_of(object));
        object.bytes[object.bytes.size() / 2] ^= std::byte{1};
        CHECK(outcome_of(object).error().fault == Fault::damaged);
    }
    CHECK(store::pack_object(noise(600'000), store::quick_level).shape.codec == ObjectCodec::raw);
    CHECK(store::pack_object(Buffer(600'000), store::quick_level).shape.codec == ObjectCodec::zstd);
}

}  // namespace lull::subscriber::test
