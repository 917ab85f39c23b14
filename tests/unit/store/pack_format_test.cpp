#include "store/pack_format.hpp"

#include <catch2/catch.hpp>

#include <sstream>

#include "schema/limits.hpp"

namespace pack_format_test {

using namespace lull;
using namespace lull::store;
using Catch::Matchers::Contains;

namespace {

ObjectShape hello() { return {sha256(as_view("hello")), ObjectCodec::raw, Bytes(5), Bytes(5)}; }

// The bytes of every hexadecimal dump in a document: lines of an offset and up to 16 bytes.
std::vector<std::string> dumps_in(fs::path const& document) {
    auto const text = read_file(document, MiB(1));
    REQUIRE(text);
    std::vector<std::string> dumps;
    std::istringstream lines{std::string(as_text(*text))};
    for (std::string line; std::getline(lines, line);) {
        if (line.find_first_not_of("0123456789abcdef") != 8 || line.at(8) != ' ') continue;
        if (line.starts_with("00000000")) dumps.emplace_back();
        std::istringstream words(line.substr(8));
        for (std::string byte; words >> byte && byte.size() == 2;) dumps.back() += byte;
    }
    return dumps;
}

}  // namespace

TEST_CASE("the worked examples of FORMAT.md are what we write") {
    auto const dumps = dumps_in(LULL_FORMAT_DOCUMENT);
    REQUIRE(dumps.size() == 2);
    CHECK(dumps[0] == to_hex(encode(PackHeader{1, 0x0123456789abcdef})) + to_hex(encode_object_header(hello())) +
                          to_hex(as_view("hello")));
    CHECK(dumps[1] == to_hex(encode_place(ObjectPlace{1, Bytes(80), hello()})));
}

TEST_CASE("headers and index entries are read back as they were written") {
    ObjectShape const shape{sha256(as_view("x")), ObjectCodec::zstd, limits::stored_object, limits::envelope};
    CHECK(decode_object_header(encode_object_header(shape)).value() == shape);
    CHECK(decode_pack_header(encode(PackHeader{7, 8})).value() == PackHeader{7, 8});
    auto const place = decode_place(shape.object.view(), encode_place({12, MiB(700), shape}));
    REQUIRE(place);
    CHECK(place->pack == 12);
    CHECK(place->offset == MiB(700));
    CHECK(place->shape == shape);
}

TEST_CASE("a flipped bit anywhere in an object's header is found") {
    auto const header = encode_object_header(hello());
    REQUIRE(decode_object_header(header));
    for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
        auto flipped = header;
        flipped.at(bit / 8) ^= std::byte{1} << (bit % 8);
        auto const shape = decode_object_header(flipped);
        REQUIRE_FALSE(shape);
        CHECK(shape.error().fault == Fault::damaged);
    }
    CHECK_FALSE(decode_object_header(View(header).first(header.size() - 1)));
}

TEST_CASE("a pack header of another kind, format or length is damage") {
    auto bytes = encode(PackHeader{1, 2});
    CHECK_FALSE(decode_pack_header(View(bytes).first(bytes.size() - 1)));
    bytes[11] = std::byte{2};
    CHECK_THAT(decode_pack_header(bytes).error().message, Contains("format 2") && Contains("knows format 1"));
    bytes[0] = std::byte{'X'};
    CHECK(decode_pack_header(bytes).error().fault == Fault::damaged);
}

TEST_CASE("an index entry that cannot be is damage") {
    auto const key = hello().object;
    auto const refused = [&](ObjectPlace place) {
        auto const decoded = decode_place(key.view(), encode_place(place));
        return !decoded && decoded.error().fault == Fault::damaged;
    };
    CHECK_FALSE(refused({1, Bytes(80), hello()}));
    CHECK(refused({0, Bytes(80), hello()}));
    CHECK(refused({1, Bytes(79), hello()}));
    auto large = hello();
    large.stored = limits::stored_object + Bytes(1);
    CHECK(refused({1, Bytes(80), large}));
    auto strange = hello();
    strange.codec = static_cast<ObjectCodec>(2);
    CHECK(refused({1, Bytes(80), strange}));
    CHECK_FALSE(decode_place(key.view(), as_view("too short")));
    CHECK_FALSE(decode_place(as_view("no digest"), encode_place({1, Bytes(80), hello()})));
}

TEST_CASE("pack names hold their number and nothing else is a pack name") {
    CHECK(pack_name(1) == "pack-00000001");
    CHECK(pack_number("pack-00000001") == 1);
    CHECK(pack_number(pack_name(4'000'000'000)) == 4'000'000'000);
    for (auto const* const name :
         {"pack-1", "pack-00000000", "pack-0000000x", "pack-00000001.old", "pack-", "notes", "", "pack-99999999999"}) {
        CHECK(pack_number(name) == 0);
    }
}

}  // namespace pack_format_test
