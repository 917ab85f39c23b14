#include "core/units.hpp"
#include "core/byte_rate.hpp"

#include <catch2/catch.hpp>
#include <limits>

namespace units_test {

using namespace lull;
using namespace std::chrono_literals;

namespace {

std::uint64_t parsed(std::string_view text) {
    auto const bytes = parse_bytes(text);
    INFO(text);
    REQUIRE(bytes);
    return bytes->count();
}

}  // namespace

TEST_CASE("numbers of bytes are read with and without units, in powers of 1024") {
    CHECK(parsed("0") == 0);
    CHECK(parsed("1500") == 1500);
    CHECK(parsed("12 B") == 12);
    CHECK(parsed("64 KiB") == 65536);
    CHECK(parsed("64k") == 65536);
    CHECK(parsed("64KB") == 65536);
    CHECK(parsed("2M") == MiB(2).count());
    CHECK(parsed("1.5 GiB") == MiB(1536).count());
    CHECK(parsed("0.25 KiB") == 256);
    CHECK(parsed(" 3 TiB ") == GiB(3072).count());
    CHECK(parsed("1.999999 TiB") == 2'199'022'156'040);
}

TEST_CASE("the largest numbers of bytes are exact and one more is refused") {
    CHECK(parsed("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
    CHECK_FALSE(parse_bytes("18446744073709551616"));
    CHECK(parsed("16777215 TiB") == 16777215ULL << 40);
    CHECK(parsed("16777215.999999 TiB") > 16777215ULL << 40);
    CHECK_FALSE(parse_bytes("16777216 TiB"));
    CHECK_FALSE(parse_bytes("99999999999999999999999 KiB"));
}

TEST_CASE("what is no number of bytes is a usage error that shows how to write one") {
    for (std::string_view const text :
         {"",       " ",   "B",     "KiB",    "-1",  "+1",   "1.",    ".5 K",        "1.5",   "1.5 B",
          "1..5 K", "1 2", "1 XiB", "1 KiBs", "1e3", "0x10", "1,5 K", "1.1234567 K", "1 K K", "12 i"}) {
        auto const bytes = parse_bytes(text);
        INFO(text);
        REQUIRE_FALSE(bytes);
        CHECK(bytes.error().fault == Fault::usage);
        CHECK(bytes.error().message.find("64 KiB") != std::string::npos);
    }
}

TEST_CASE("numbers of bytes are shown with three significant digits") {
    CHECK(to_text(Bytes(0)) == "0 B");
    CHECK(to_text(Bytes(312)) == "312 B");
    CHECK(to_text(Bytes(1023)) == "1023 B");
    CHECK(to_text(KiB(1)) == "1 KiB");
    CHECK(to_text(MiB(1536)) == "1.5 GiB");
    CHECK(to_text(Bytes(1234567)) == "1.18 MiB");
    CHECK(to_text(KiB(100)) == "100 KiB");
    CHECK(to_text(MiB(10) + KiB(512)) == "10.5 MiB");
    CHECK(to_text(KiB(1000)) == "1000 KiB");
}

TEST_CASE("rounding up moves on to the next unit or the next digit") {
    CHECK(to_text(MiB(1) - Bytes(1)) == "1 MiB");
    CHECK(to_text(GiB(1) - Bytes(1)) == "1 GiB");
    CHECK(to_text(Bytes(10239)) == "10 KiB");
    CHECK(to_text(Bytes(102399)) == "100 KiB");
    CHECK(to_text(Bytes(std::numeric_limits<std::uint64_t>::max())) == "16 EiB");
}

TEST_CASE("wall time is shown by RFC 3339 in UTC") {
    CHECK(to_text(WallTime{0}) == "1970-01-01T00:00:00Z");
    CHECK(to_text(WallTime{1'769'850'720'999'999}) == "2026-01-31T09:12:00Z");
    CHECK(to_text(WallTime{951'782'400'000'000}) == "2000-02-29T00:00:00Z");
    CHECK(precise_text(WallTime{1'769'850'720'999'999}) == "2026-01-31T09:12:00.999999Z");
    CHECK(precise_text(WallTime{-1}) == "1969-12-31T23:59:59.999999Z");
    CHECK(to_text(WallTime{-1}) == "1969-12-31T23:59:59Z");
    CHECK_FALSE(to_text(WallTime{std::numeric_limits<std::int64_t>::max()}).empty());
    CHECK_FALSE(to_text(WallTime{std::numeric_limits<std::int64_t>::min()}).empty());
}

TEST_CASE("durations are shown in the largest unit that says enough") {
    CHECK(to_text(Duration(999ms)) == "0 s");
    CHECK(to_text(Duration(4s)) == "4 s");
    CHECK(to_text(Duration(59s)) == "59 s");
    CHECK(to_text(Duration(60s)) == "1 min");
    CHECK(to_text(Duration(12min + 59s)) == "12 min");
    CHECK(to_text(Duration(1h)) == "1 h");
    CHECK(to_text(Duration(3h + 20min)) == "3 h 20 min");
    CHECK(to_text(Duration(24h)) == "1 d");
    CHECK(to_text(Duration(24h * 5 + 23h)) == "5 d");
    CHECK(to_text(Duration(-5s)) == "0 s");
}

TEST_CASE("sums and differences of bytes count") {
    CHECK((KiB(1) + Bytes(1)).count() == 1025);
    CHECK((KiB(1) - Bytes(1)).count() == 1023);
    CHECK(KiB(1) < MiB(1));
    CHECK(Bytes().zero());
}

TEST_CASE("rates of lines are read and written as lines are sold") {
    CHECK(parse_bit_rate("20Mbit") == Mbit(20));
    CHECK(parse_bit_rate("1.5 Gbit/s") == Mbit(1500));
    CHECK(parse_bit_rate("500kbit") == Mbit(0.5));
    CHECK(to_text(Mbit(19.5)) == "19.5 Mbit/s");
    CHECK(to_text(Mbit(1000)) == "1 Gbit/s");
    CHECK(to_text(ByteRate()) == "0 bit/s");
    for (auto const* text : {"", "20", "Mbit", "-1Mbit", "0Mbit", "20MB", "1e300Gbit", "nan Mbit"}) {
        INFO(text);
        CHECK_FALSE(parse_bit_rate(text).has_value());
    }
}

}  // namespace units_test
