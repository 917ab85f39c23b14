#include "bench/quiet/quantities.hpp"

#include <catch2/catch.hpp>

#include "bench/quiet/exchange.hpp"

namespace quantities_test {

using namespace lull;
using namespace lull::quiet;
using namespace std::chrono_literals;

TEST_CASE("times, sizes and rates of lull-bench are read with their units") {
    CHECK(parse_duration("10s") == Duration(10s));
    CHECK(parse_duration("250ms") == Duration(250ms));
    CHECK(parse_duration("1.5") == Duration(1500ms));
    CHECK(parse_size("30kB") == 30'000);
    CHECK(parse_size("64KiB") == 65'536);
    CHECK(parse_bit_rate("10Mbit/s") == 1e7);
    CHECK(parse_event_rate("20/s") == 20.0);
}

TEST_CASE("what is no quantity of lull-bench is refused as a mistake of the caller") {
    for (auto const* const text : {"", "s", "-1s", "1h", "1e3s", "inf", "nan", "10 s s"}) {
        CAPTURE(text);
        auto const duration = parse_duration(text);
        REQUIRE_FALSE(duration);
        CHECK(duration.error().fault == Fault::usage);
    }
    CHECK_FALSE(parse_size("30 potatoes"));
    CHECK_FALSE(parse_size("-1"));
    CHECK_FALSE(parse_bit_rate("10MB/s"));
    CHECK_FALSE(parse_bit_rate("0bit/s"));
    CHECK_FALSE(parse_bit_rate("infbit/s"));
    CHECK_FALSE(parse_event_rate("20"));
    CHECK_FALSE(parse_event_rate("0/s"));
}

TEST_CASE("a part of the run has a beginning and a later end") {
    auto const span = parse_span("10s-18s");
    REQUIRE(span);
    CHECK(span->contains(10s));
    CHECK(span->contains(17'999ms));
    CHECK_FALSE(span->contains(18s));
    CHECK_FALSE(parse_span("10s"));
    CHECK_FALSE(parse_span("18s-10s"));
    CHECK_FALSE(parse_span("10s-10s"));
}

TEST_CASE("requests and datagrams of lull-bench come back as they were") {
    auto const request = decode_request(encode(Request{RequestKind::datagrams, 1250, 10'000'000}));
    REQUIRE(request);
    CHECK(request->kind == RequestKind::datagrams);
    CHECK(request->size == 1250);
    CHECK(request->value == 10'000'000);

    std::array<std::byte, datagram_least> bytes{};
    encode(Datagram{0x0123456789abcdef, DatagramKind::stream, 7, 0xfedcba9876543210}, bytes);
    auto const datagram = decode_datagram(bytes);
    REQUIRE(datagram);
    CHECK(datagram->token == 0x0123456789abcdef);
    CHECK(datagram->kind == DatagramKind::stream);
    CHECK(datagram->sequence == 7);
    CHECK(datagram->time == 0xfedcba9876543210);
    CHECK_FALSE(decode_datagram(std::span(bytes).first(datagram_least - 1)));
}

TEST_CASE("a request of another program, of no kind, or of too much is none") {
    auto bytes = encode(Request{RequestKind::web, 30'000, 0});
    CHECK(decode_request(bytes));
    bytes[0] = std::byte{'G'};
    CHECK_FALSE(decode_request(bytes));
    CHECK_FALSE(decode_request(encode(Request{static_cast<RequestKind>('x'), 1, 0})));
    CHECK_FALSE(decode_request(encode(Request{RequestKind::web, web_most + 1, 0})));
    CHECK_FALSE(decode_request(encode(Request{RequestKind::datagrams, datagram_most + 1, 0})));
}

TEST_CASE("a place has a host and a port") {
    auto const place = Place::parse("[2001:db8::1]:7800");
    REQUIRE(place);
    CHECK(place->host == "2001:db8::1");
    CHECK(place->port == "7800");
    CHECK(Place::parse("bench.example:7800"));
    for (auto const* const text :
         {"bench.example", ":7800", "bench.example:", "bench.example:0", "bench.example:65536", "bench.example:http"}) {
        CAPTURE(text);
        CHECK_FALSE(Place::parse(text));
    }
}

}  // namespace quantities_test
