#include "subscriber/install/incoming.hpp"

#include "fixture.hpp"
#include "store/compression.hpp"

namespace lull::subscriber::test::incoming_test {

namespace {

// What a node hears about an object whose stored bytes came in one frame.
Status outcome_of(store::StoredObject const& object) {
    Node node;
    EventLoop loop;
    Log log("test", LogLevel::error);
    std::optional<ObjectFinished> finished;
    Incoming incoming(loop, node.layout.incoming(), log, [&](Event event) {
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

TEST_CASE("frames behind one that could not be written are skipped until the object is written from there on") {
    Node node;
    EventLoop loop;
    Log log("test", LogLevel::error);
    std::vector<Event> told;
    Incoming incoming(loop, node.layout.incoming(), log, [&](Event event) {
        told.push_back(std::move(event));
        loop.stop();
    });
    auto const plain = noise(300);
    ObjectShape const shape{sha256(plain), ObjectCodec::raw, Bytes(300), Bytes(300)};
    auto const store = [&](std::size_t begin, StoreFrame::Then then) {
        incoming.store({shape, Bytes(begin), then}, to_frame(to_buffer(View(plain).subspan(begin, 100))));
    };
    auto const obstacle = node.layout.incoming() / shape.object.hex();
    fs::create_directory(obstacle);
    store(0, StoreFrame::Then::nothing);
    store(100, StoreFrame::Then::sync);
    store(200, StoreFrame::Then::finish);
    loop.run();
    REQUIRE(told.size() == 1);
    CHECK(std::get<ObjectUnwritten>(told[0]).object == shape.object);

    fs::remove(obstacle);
    store(0, StoreFrame::Then::nothing);
    store(100, StoreFrame::Then::nothing);
    store(200, StoreFrame::Then::finish);
    loop.run();
    REQUIRE(told.size() == 2);
    CHECK(std::get<ObjectFinished>(told[1]).status);
}

TEST_CASE("what could not be deleted is deleted later, unless it has begun to come again") {
    Node node;
    EventLoop loop;
    Log log("test", LogLevel::error);
    Incoming incoming(loop, node.layout.incoming(), log, [&](Event) { loop.stop(); });
    auto const dropped = store::pack_object(noise(200), store::quick_level);
    auto const comes_again = store::pack_object(noise(300), store::quick_level);
    auto const path_of = [&](store::StoredObject const& object) {
        return node.layout.incoming() / object.shape.object.hex();
    };
    for (auto const* object : {&dropped, &comes_again}) fs::create_directory(path_of(*object));  // unlink(2) fails
    incoming.drop({dropped.shape.object, comes_again.shape.object});
    auto const other = store::pack_object(noise(100), store::quick_level);
    incoming.store({other.shape, Bytes(0), StoreFrame::Then::finish}, to_frame(other.bytes));
    loop.run();  // the writer has been at it

    for (auto const* object : {&dropped, &comes_again}) fs::remove(path_of(*object));
    REQUIRE(write_file_durably(path_of(dropped), as_view("rest"), 0600));
    incoming.store({comes_again.shape, Bytes(0), StoreFrame::Then::nothing}, to_frame(comes_again.bytes));
    incoming.drop({});
    incoming.store({comes_again.shape, Bytes(0), StoreFrame::Then::finish}, to_frame(comes_again.bytes));
    loop.run();
    CHECK_FALSE(fs::exists(path_of(dropped)));
    CHECK(fs::exists(path_of(comes_again)));
}

}  // namespace lull::subscriber::test::incoming_test
