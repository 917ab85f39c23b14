#include "core/bytes.hpp"

#include <catch2/catch.hpp>

namespace bytes_test {

using namespace lull;

TEST_CASE("hexadecimal text has two lower-case digits a byte") {
    Buffer const bytes = {std::byte{0x00}, std::byte{0x0f}, std::byte{0xa0}, std::byte{0xff}};
    CHECK(to_hex(bytes) == "000fa0ff");
    CHECK(to_hex({}).empty());
}

TEST_CASE("hexadecimal text of either case reads back as the same bytes") {
    auto const bytes = from_hex("000FA0ff");
    REQUIRE(bytes);
    CHECK(to_hex(*bytes) == "000fa0ff");
    CHECK(from_hex("")->empty());
}

TEST_CASE("every byte value survives the way to text and back") {
    Buffer all;
    for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::byte>(i));
    CHECK(from_hex(to_hex(all)) == all);
}

TEST_CASE("odd lengths and characters that are no digits are refused") {
    for (std::string_view const text :
         {"0", "abc", "0g", "g0", "0x12", " 1", "1 ", "/0", ":0", "@0", "G0", "`0", "-1"}) {
        auto const bytes = from_hex(text);
        INFO(text);
        REQUIRE_FALSE(bytes);
        CHECK(bytes.error().fault == Fault::damaged);
    }
    CHECK(from_hex("00zz").error().message.find("position 2") != std::string::npos);
    CHECK(from_hex("000z").error().message.find("position 3") != std::string::npos);
}

TEST_CASE("views show text as bytes and bytes as text") {
    CHECK(as_text(as_view("lull")) == "lull");
    CHECK(as_text(to_buffer(as_view("lull"))) == "lull");
}

}  // namespace bytes_test
