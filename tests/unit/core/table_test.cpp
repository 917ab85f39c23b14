#include "core/table.hpp"

#include <catch2/catch.hpp>

namespace table_test {

using namespace lull;

TEST_CASE("a table aligns its columns by characters and ends no line in blanks") {
    Table table({{"NAME"}, {"SIZE", Align::right}, {"WHY"}});
    table.add({{"gr\xc3\xbcn"}, {"12 KiB"}, {""}});
    table.add({{"a longer name"}, {"1 B"}, {"because", Colour::red}});
    CHECK(table.render(Painting::off) ==
          "NAME             SIZE  WHY\n"
          "gr\xc3\xbcn           12 KiB\n"
          "a longer name     1 B  because\n");
}

TEST_CASE("colours stand around the text only, and only where they are wanted") {
    Table table({{"STATE"}, {"X"}});
    table.add({{"ok", Colour::green}, {"y"}});
    CHECK(table.render(Painting::on) == "STATE  X\n\x1b[32mok\x1b[0m     y\n");
    CHECK(table.render(Painting::off) == "STATE  X\nok     y\n");
}

TEST_CASE("text from elsewhere cannot disturb the terminal") {
    CHECK(harmless("plain") == "plain");
    CHECK(harmless("a\x1b[2Jb\n") == "a?[2Jb?");
    CHECK(harmless("\xc2\x9b"
                   "31m") == "?31m");  // U+009B, the one-byte CSI
    CHECK(harmless("\xff\xc3") == "??");
    CHECK(harmless("\xe2\x82\xac \xf0\x9f\x98\x80") == "\xe2\x82\xac \xf0\x9f\x98\x80");
}

}  // namespace table_test
