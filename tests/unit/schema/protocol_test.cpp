#include <catch2/catch.hpp>
#include <sstream>

#include "core/files.hpp"
#include "schema/wire.hpp"
#include "tests/unit/schema/samples.hpp"

namespace protocol_test {

// PROTOCOL.md is the contract with whoever writes another end: it must not fall behind the code.

using namespace lull;
using namespace lull::test;

namespace {

std::string document() {
    auto const bytes = read_file(LULL_PROTOCOL_DOCUMENT, MiB(1));
    REQUIRE(bytes.has_value());
    return std::string(as_text(*bytes));
}

// The row "| number | NAME | ..." of the table of messages, or nothing.
std::string row_of(MessageType type, std::string const& text) {
    auto const start = fmt::format("| {} | {} |", static_cast<unsigned>(type), to_text(type));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(start)) return line;
    }
    return {};
}

// The hexadecimal digits of the block ```hex, without what stands behind '|' in its lines.
std::string example_digits(std::string const& text) {
    std::string digits;
    bool inside = false;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("```")) {
            inside = line == "```hex";
        } else if (inside) {
            std::istringstream words(line.substr(0, line.find('|')));
            for (std::string word; words >> word;) digits += word;
        }
    }
    return digits;
}

struct KeyCollector {
    std::vector<std::string> keys;
    template <class T>
    void operator()(char const* key, T const&) {
        keys.push_back(codec::IsOptional<T>::value ? fmt::format("`{}`?", key) : fmt::format("`{}` ", key));
    }
};

}  // namespace

TEST_CASE("PROTOCOL.md has a row for every message") {
    auto const text = document();
    for (auto const& message : messages()) {
        CAPTURE(to_text(type_of(message)));
        CHECK_FALSE(row_of(type_of(message), text).empty());
    }
}

TEST_CASE("PROTOCOL.md names every key of every message, and says which may be missing") {
    auto const text = document();
    for (auto const& message : messages()) {
        std::visit(
            [&]<class M>(M const& m) {
                KeyCollector collector;
                M::describe(m, collector);
                for (auto const& key : collector.keys) {
                    CAPTURE(to_text(M::type), key);
                    CHECK(row_of(M::type, text).find(key) != std::string::npos);
                }
            },
            message);
    }
}

TEST_CASE("a message that PROTOCOL.md does not have would be noticed") {
    CHECK(row_of(static_cast<MessageType>(99), document()).empty());
    CHECK(row_of(MessageType::ping, "| 60 | PONG | x |\n| 6 | PING | x |\n").empty());
}

TEST_CASE("the worked example of PROTOCOL.md is an UPDATE that can be read, and is signed as TRUST.md says") {
    auto const text = document();
    auto const frame = from_hex(example_digits(text));
    REQUIRE(frame.has_value());
    auto const message = wire::decode_announcement(*frame);
    REQUIRE(message.has_value());
    CHECK(wire::encode_announcement(*message) == *frame);
    auto const& update = std::get<Update>(*message);
    CHECK(update.entry.seq == Seq{8});

    constexpr std::string_view before_key = "public signing key of the example: `";
    auto const at = text.find(before_key);
    REQUIRE(at != std::string::npos);
    auto const key = PeerKey::parse(std::string_view(text).substr(at + before_key.size(), 64));
    REQUIRE(key.has_value());
    auto const info = open_update_info(update.entry.update, TrustedKeys({key->bytes()}));
    REQUIRE(info.has_value());
    CHECK(info->software.text() == "kiosk");
}

}  // namespace protocol_test
