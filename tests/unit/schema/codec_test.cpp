#include "schema/codec.hpp"

#include <catch2/catch.hpp>
#include <limits>

namespace codec_test {

using namespace lull;

namespace {

struct Inner {
    std::uint32_t small = 0;
    static void describe(auto& self, auto& visit) { visit("s", self.small); }
    bool operator==(Inner const&) const = default;
};

struct Outer {
    std::string text;
    Buffer bytes;
    std::uint64_t number = 0;
    std::int64_t integer = 0;
    bool truth = false;
    Digest digest;
    std::array<std::byte, 3> fixed{};
    std::vector<Inner> inners;
    std::vector<std::string> words;
    std::optional<std::string> maybe;
    static void describe(auto& self, auto& visit) {
        visit("t", self.text);
        visit("b", self.bytes);
        visit("n", self.number);
        visit("i", self.integer);
        visit("u", self.truth);
        visit("d", self.digest);
        visit("f", self.fixed);
        visit("v", self.inners);
        visit("w", self.words);
        visit("m", self.maybe);
    }
    bool operator==(Outer const&) const = default;
};

Outer outer() {
    Outer o;
    o.text = "na\xc3\xafve\n";
    o.bytes = Buffer(300, std::byte{7});
    o.number = std::numeric_limits<std::uint64_t>::max();
    o.integer = std::numeric_limits<std::int64_t>::min();
    o.truth = true;
    o.fixed = {std::byte{1}, std::byte{2}, std::byte{3}};
    o.inners = {Inner{1}, Inner{std::numeric_limits<std::uint32_t>::max()}};
    o.words = {"", std::string(limits::text, 'x')};
    o.maybe = "here";
    return o;
}

constexpr Bytes most = KiB(64);

Buffer raw(std::string_view bytes) { return to_buffer(as_view(bytes)); }

std::string reason(View bytes, Bytes bound = most) {
    auto const document = Document::parse(bytes, bound);
    REQUIRE_FALSE(document.has_value());
    CHECK(document.error().fault == Fault::damaged);
    return document.error().message;
}

bool contains(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

// A body that is a single value.
template <class Write>
Document document(Write write) {
    Encoder out;
    write(out);
    auto parsed = Document::parse(out.take(), most);
    REQUIRE(parsed.has_value());
    return std::move(*parsed);
}

}  // namespace

TEST_CASE("a described struct survives encoding") {
    CHECK(decode<Outer>(encode(outer()), most) == outer());
    CHECK(decode<Outer>(encode(Outer()), most) == Outer());
}

TEST_CASE("keys that nobody reads are ignored, whatever they hold") {
    Encoder out;
    out.map(4);
    out.text("z");
    out.array(1);
    out.map(0);
    out.text("s");
    out.number(5);
    out.number(9);  // a key that is no text
    out.boolean(true);
    out.text("z");  // unknown keys may even repeat
    out.integer(-1);
    CHECK(decode<Inner>(out.take(), most) == Inner{5});
}

TEST_CASE("a key that stands twice is refused") {
    Encoder out;
    out.map(2);
    out.text("s");
    out.number(1);
    out.text("s");
    out.number(1);
    auto const decoded = decode<Inner>(out.take(), most);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(contains(decoded.error().message, "'s' stands twice"));
}

TEST_CASE("errors inside of nested values name the innermost key") {
    Encoder out;
    out.map(1);
    out.text("s");
    out.number(std::uint64_t{1} << 32);
    auto const decoded = decode<Inner>(out.take(), most);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().message == "field 's': 4294967296 does not fit 32 bits");
}

TEST_CASE("text and binary values are not taken for each other") {
    auto const text = document([](Encoder& out) { out.text("abc"); });
    CHECK(text.root().text() == "abc");
    CHECK_FALSE(text.root().binary().has_value());
    auto const binary = document([](Encoder& out) { out.binary(raw("abc")); });
    CHECK(as_text(*binary.root().binary()) == "abc");
    CHECK_FALSE(binary.root().text().has_value());
}

TEST_CASE("values are asked for by their own type only") {
    auto const number = document([](Encoder& out) { out.number(std::uint64_t{1} << 63); });
    CHECK(number.root().number() == std::uint64_t{1} << 63);
    CHECK_FALSE(number.root().integer().has_value());
    CHECK_FALSE(number.root().boolean().has_value());
    CHECK_FALSE(number.root().array_size().has_value());
    CHECK_FALSE(number.root().field("x").has_value());
    auto const negative = document([](Encoder& out) { out.integer(-1); });
    CHECK_FALSE(negative.root().number().has_value());
    CHECK(negative.root().integer() == -1);
    auto const positive = document([](Encoder& out) { out.integer(1); });
    CHECK(positive.root().number() == 1u);
    auto const truth = document([](Encoder& out) { out.boolean(false); });
    CHECK(truth.root().boolean() == false);
    CHECK_FALSE(truth.root().number().has_value());
}

TEST_CASE("floating point and nil are values of no field") {
    for (auto const& body : {raw(std::string_view("\xca\x3f\x80\x00\x00", 5)), raw("\xc0")}) {
        auto const parsed = Document::parse(body, most);
        REQUIRE(parsed.has_value());
        CHECK_FALSE(parsed->root().number().has_value());
        CHECK_FALSE(parsed->root().text().has_value());
        CHECK_FALSE(parsed->root().boolean().has_value());
    }
}

TEST_CASE("text is bounded and UTF-8") {
    auto const longest = document([](Encoder& out) { out.text(std::string(limits::text, 'x')); });
    CHECK(longest.root().text().has_value());
    auto const longer = document([](Encoder& out) { out.text(std::string(limits::text + 1, 'x')); });
    CHECK(contains(longer.root().text().error().message, "4097 bytes"));
    auto const bad = document([](Encoder& out) { out.text("\xff"); });
    CHECK(contains(bad.root().text().error().message, "UTF-8"));
}

TEST_CASE("fixed binary values have their exact size") {
    for (std::size_t const size : {0u, 31u, 33u}) {
        auto const body = document([&](Encoder& out) { out.binary(Buffer(size)); });
        Digest digest;
        PeerKey key;
        CHECK_FALSE(codec::read(body.root(), digest).has_value());
        CHECK_FALSE(codec::read(body.root(), key).has_value());
    }
}

TEST_CASE("a document is one value, whole, with nothing behind it") {
    CHECK(contains(reason({}), "ends early"));
    CHECK(contains(reason(raw("\x92\x01")), "ends early"));
    CHECK(contains(reason(raw("\x01\x01")), "1 bytes follow the end of a body of 1 bytes"));
    CHECK(contains(reason(raw("\xc1")), "byte 0 is no MessagePack"));
    CHECK(contains(reason(raw("\x92\x01\xc1")), "byte 2 is no MessagePack"));
    CHECK(contains(reason(Buffer(101), Bytes(100)), "larger than 100"));
    CHECK(Document::parse(raw("\x01"), Bytes(1)).has_value());
}

TEST_CASE("extension types are refused") {
    CHECK(contains(reason(raw(std::string_view("\xd4\x01\x02", 3))), "extension"));
    CHECK(contains(reason(raw(std::string_view("\xc7\x00\x01", 3))), "extension"));
    CHECK(contains(reason(raw(std::string_view("\xd6\xff\x00\x00\x00\x00", 6))), "extension"));
}

TEST_CASE("nesting is bounded") {
    auto const nested = [](std::size_t depth) { return raw(std::string(depth, '\x91') + '\x01'); };
    CHECK(Document::parse(nested(limits::nesting), most).has_value());
    CHECK(contains(reason(nested(limits::nesting + 1)), "deeper than 12"));
    CHECK(contains(reason(raw(std::string(1'000'000, '\x91')), MiB(2)), "deeper than 12"));
    CHECK(contains(reason(raw(std::string(1'000'000, '\x81')), MiB(2)), "deeper than 12"));
    std::string sideways = "\xdc";
    sideways += std::string_view("\x03\xe8", 2);
    for (int i = 0; i < 1000; ++i) sideways += '\x90';
    CHECK(Document::parse(raw(sideways), most).has_value());
}

TEST_CASE("a header that asks for more than the body holds is refused before memory is spent") {
    CHECK(contains(reason(raw("\xdd\xff\xff\xff\xff")), "more elements than it may have"));
    CHECK(contains(reason(raw("\xdf\xff\xff\xff\xff")), "more elements than it may have"));
    CHECK(contains(reason(raw("\xdb\xff\xff\xff\xff")), "ends early"));
    CHECK(contains(reason(raw("\xc6\xff\xff\xff\xff")), "ends early"));
    CHECK(contains(reason(raw("\xdc\xff\xff")), "more elements than it may have"));
}

TEST_CASE("headers cannot ask together for more than the body holds") {
    // Each of twelve arrays asks for as many elements as there are bytes: one alone would pass, and so would all of
    // them.
    std::string body;
    for (int i = 0; i < 12; ++i) body += std::string_view("\xdd\x00\x00\xea\x60", 5);
    body.resize(60'000, '\xc0');
    CHECK(contains(reason(raw(body)), "more elements than it may have"));
}

TEST_CASE("every prefix of a body, and every body with a byte changed, is read or refused") {
    auto const good = encode(outer());
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_FALSE(decode<Outer>(View(good).first(size), most).has_value());
    }
    for (std::size_t at = 0; at < 400; ++at) {
        for (unsigned const bits : {0x01u, 0x80u, 0xffu}) {
            auto bad = good;
            bad[at] ^= static_cast<std::byte>(bits);
            auto const decoded = decode<Outer>(bad, most);
            if (!decoded) CHECK(decoded.error().fault == Fault::damaged);
        }
    }
}

TEST_CASE("a document may be moved, and its items go with it") {
    auto first = document([](Encoder& out) { out.text("stays"); });
    auto const item = first.root();
    auto const second = std::move(first);
    CHECK(item.text() == "stays");
    CHECK(second.root().text() == "stays");
}

}  // namespace codec_test
