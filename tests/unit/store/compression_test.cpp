#include "store/compression.hpp"

#include <catch2/catch.hpp>

#include <random>

namespace compression_test {

using namespace lull;
using namespace lull::store;
using Catch::Matchers::Contains;

namespace {

Buffer noise(std::size_t size) {
    std::mt19937_64 random(size);
    Buffer bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

// Words in random order: compresses about as text does.
Buffer prose(std::size_t size) {
    constexpr std::array<std::string_view, 8> words = {"quiet ",  "line ",  "broker ", "node ",
                                                       "update ", "stage ", "log ",    "seq "};
    std::mt19937_64 random(size);
    std::string text;
    while (text.size() < size) text += words.at(random() % words.size());
    text.resize(size);
    return to_buffer(as_view(text));
}

Fault fault_of_unpacking(ObjectShape const& shape, View stored, Bytes most = MiB(16)) {
    auto const plain = unpack_object(shape, stored, most);
    REQUIRE_FALSE(plain);
    CHECK_THAT(plain.error().message, Contains(shape.object.hex()));
    CHECK(check_object(shape, stored, most).error().message == plain.error().message);
    return plain.error().fault;
}

}  // namespace

TEST_CASE("an object comes back as it went in, at every size and level") {
    for (std::size_t const size : {std::size_t{0}, std::size_t{1}, std::size_t{49}, std::size_t{50}, std::size_t{1000},
                                   std::size_t{1} << 18, std::size_t{1'000'001}}) {
        for (int const level : {quick_level, 12, small_level}) {
            for (auto const& plain : {noise(size), prose(size)}) {
                auto const object = pack_object(plain, level);
                INFO(size << " bytes at level " << level);
                CHECK(object.shape.object == sha256(plain));
                CHECK(object.shape.plain == Bytes(size));
                CHECK(object.shape.stored == Bytes(object.bytes.size()));
                CHECK(object.bytes.size() <= size);
                auto const back = unpack_object(object.shape, object.bytes, Bytes(size));
                REQUIRE(back);
                CHECK(*back == plain);
                CHECK(check_object(object.shape, object.bytes, Bytes(size)));
            }
        }
    }
}

TEST_CASE("text is compressed, and noise is kept as it is") {
    CHECK(pack_object(prose(100'000), quick_level).shape.codec == ObjectCodec::zstd);
    auto const object = pack_object(noise(100'000), quick_level);
    CHECK(object.shape.codec == ObjectCodec::raw);
    CHECK(object.bytes == noise(100'000));
}

TEST_CASE("a gain of less than 2 % is not worth a frame") {
    auto nearly = noise(100'000);
    std::fill_n(nearly.begin(), 1500, std::byte{0});
    CHECK(pack_object(nearly, small_level).shape.codec == ObjectCodec::raw);
    std::fill_n(nearly.begin(), 3000, std::byte{0});
    CHECK(pack_object(nearly, small_level).shape.codec == ObjectCodec::zstd);
}

TEST_CASE("whatever bit of an object is flipped, its bytes are never returned wrong") {
    for (auto const& plain : {prose(700), noise(300)}) {
        auto const object = pack_object(plain, quick_level);
        for (std::size_t bit = 0; bit < object.bytes.size() * 8; ++bit) {
            auto flipped = object.bytes;
            flipped[bit / 8] ^= std::byte{1} << (bit % 8);
            auto const back = unpack_object(object.shape, flipped, MiB(1));
            if (back) CHECK(*back == plain);  // a bit of the frame that means nothing
            if (!back) CHECK(back.error().fault == Fault::damaged);
            CHECK(check_object(object.shape, flipped, MiB(1)).has_value() == back.has_value());
        }
    }
}

TEST_CASE("a shape that does not fit its bytes is damage") {
    auto const plain = prose(50'000);
    auto const object = pack_object(plain, quick_level);
    auto shape = object.shape;
    SECTION("more plain bytes promised") { shape.plain += Bytes(1); }
    SECTION("fewer plain bytes promised") { shape.plain -= Bytes(1); }
    SECTION("more stored bytes promised") { shape.stored += Bytes(1); }
    SECTION("another codec") { shape.codec = ObjectCodec::raw; }
    SECTION("another digest") { shape.object = sha256(as_view("something else")); }
    CHECK(fault_of_unpacking(shape, object.bytes) == Fault::damaged);
}

TEST_CASE("more plain bytes than allowed are refused before any is made") {
    auto const object = pack_object(Buffer(1 << 20), small_level);
    CHECK(object.bytes.size() < 200);
    CHECK(unpack_object(object.shape, object.bytes, MiB(1)));
    CHECK(fault_of_unpacking(object.shape, object.bytes, Bytes((1 << 20) - 1)) == Fault::damaged);
}

TEST_CASE("bytes before, behind or missing from a frame are damage") {
    auto const object = pack_object(prose(50'000), quick_level);
    auto bytes = object.bytes;
    SECTION("a second frame") { bytes.insert(bytes.end(), object.bytes.begin(), object.bytes.end()); }
    SECTION("a byte behind") { bytes.push_back(std::byte{0}); }
    SECTION("a byte missing") { bytes.pop_back(); }
    SECTION("a skippable frame behind") {
        auto const skippable = from_hex("502a4d1800000000").value();
        bytes.insert(bytes.end(), skippable.begin(), skippable.end());
    }
    SECTION("nothing at all") { bytes.clear(); }
    SECTION("four bytes") { bytes.resize(4); }
    auto shape = object.shape;
    shape.stored = Bytes(bytes.size());
    CHECK(fault_of_unpacking(shape, bytes) == Fault::damaged);
}

TEST_CASE("a frame that asks for a larger window than its contents need is refused") {
    // RFC 8878: magic, descriptor (content size in 4 bytes, a window byte follows), window, size, one raw last block of
    // 5 bytes.
    auto const frame = [](std::string_view window) {
        return from_hex(fmt::format("28b52ffd80{}0500000029000068656c6c6f", window)).value();
    };
    ObjectShape shape{sha256(as_view("hello")), ObjectCodec::zstd, Bytes(frame("00").size()), Bytes(5)};
    auto const modest = unpack_object(shape, frame("00"), MiB(1));  // 1 KiB, the least there is
    REQUIRE(modest);
    CHECK(as_text(*modest) == "hello");
    CHECK(fault_of_unpacking(shape, frame("08")) == Fault::damaged);  // 2 KiB
    CHECK(fault_of_unpacking(shape, frame("a8")) == Fault::damaged);  // 2 GiB
}

TEST_CASE("an object that may be stopped is packed as well as one that may not, at every size and level") {
    std::stop_source never;
    for (std::size_t const size : {0, 1, 1000, 300'000, 2'000'000}) {
        for (auto const level : {quick_level, 9}) {
            for (auto const& plain : {noise(size), prose(size)}) {
                auto const usual = pack_object(plain, level);
                auto const object = pack_object(plain, level, never.get_token());
                REQUIRE(object);
                CHECK(object->shape.codec == usual.shape.codec);
                CHECK(object->shape.stored.count() <= usual.shape.stored.count() + usual.shape.stored.count() / 50);
                CHECK(unpack_object(object->shape, object->bytes, MiB(4)).value() == plain);
            }
        }
    }
}

TEST_CASE("packing that is stopped gives no object") {
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(pack_object(prose(300'000), small_level, stop.get_token()));
    CHECK_FALSE(pack_object(noise(300'000), small_level, stop.get_token()));
}

}  // namespace compression_test
