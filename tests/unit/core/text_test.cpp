#include "core/text.hpp"

#include <catch2/catch.hpp>

namespace text_test {

using namespace lull;

TEST_CASE("UTF-8 of every length is text") {
    CHECK(is_utf8(""));
    CHECK(is_utf8("plain"));
    CHECK(is_utf8("\xc2\x80\xdf\xbf"));
    CHECK(is_utf8("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
    CHECK(is_utf8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    CHECK(is_utf8(std::string_view("a\0b", 3)));
}

TEST_CASE("what is not shortest, a surrogate, too high or cut is no UTF-8") {
    for (auto const* const bad :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80",
          "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf1\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_utf8(bad));
        CHECK_FALSE(is_utf8(std::string("good") + bad));
    }
}

TEST_CASE("control characters are found in both ranges") {
    CHECK(has_controls("a\nb"));
    CHECK(has_controls("\x1b[31m"));
    CHECK(has_controls("\x7f"));
    CHECK(has_controls("\xc2\x9b"));  // CSI of eight-bit terminals
    CHECK(has_controls(std::string_view("\0", 1)));
    CHECK_FALSE(has_controls("\xc2\xa0 \xe2\x82\xac ~"));
}

TEST_CASE("quoted text cannot disturb a terminal and stays short") {
    CHECK(quoted("till-17") == "'till-17'");
    CHECK(quoted("\xc3\xbc") == "'\xc3\xbc'");
    CHECK(quoted("a\x1b'\\\xff") == "'a\\x1b\\x27\\x5c\\xff'");
    CHECK(quoted("\xc2\x9b") == "'\\xc2\\x9b'");
    CHECK(quoted("") == "''");
    CHECK(quoted(std::string(1000, 'x'), 10) == "'xxxxxxxxxx...'");
    CHECK_FALSE(has_controls(quoted("\n\r\t\x7f")));
}

}  // namespace text_test
