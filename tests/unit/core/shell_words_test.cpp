#include "core/shell_words.hpp"

#include <catch2/catch.hpp>

namespace shell_words_test {

using namespace lull;

TEST_CASE("a start command is split into words, with quotes and backslashes") {
    using Words = std::vector<std::string>;
    auto const words = [](std::string_view text) { return split_words(text).value(); };
    CHECK(words("") == Words{});
    CHECK(words("  bin/app   --flag ") == Words{"bin/app", "--flag"});
    CHECK(words("bin/app --title 'two words' \"it's\"") == Words{"bin/app", "--title", "two words", "it's"});
    CHECK(words(R"(a\ b 'c\d' "e\"f" '' g"h"i)") == Words{"a b", R"(c\d)", "e\"f", "", "ghi"});
    CHECK_FALSE(split_words("bin/app 'open"));
    CHECK_FALSE(split_words("bin/app \\"));
}

}  // namespace shell_words_test
