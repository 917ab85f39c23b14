#include "core/nearest_word.hpp"

#include <catch2/catch.hpp>

namespace nearest_word_test {

using namespace lull;

TEST_CASE("the edit distance counts inserted, removed, replaced and swapped letters") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("publish", "publish") == 0);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("pubish", "publish") == 1);
    CHECK(edit_distance("puublish", "publish") == 1);
    CHECK(edit_distance("pxblish", "publish") == 1);
    CHECK(edit_distance("stauts", "status") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest word is found, the first of two that are equally near") {
    CHECK(nearest_word("stauts", {"publish", "status", "start"}) == "status");
    CHECK(nearest_word("lit", {"list", "lint"}) == "list");
    CHECK(nearest_word("list", {"lint", "list"}) == "list");
}

TEST_CASE("nothing is suggested where nothing is near or the word is absurdly long") {
    CHECK_FALSE(nearest_word("frobnicate", {"publish", "status"}));
    CHECK_FALSE(nearest_word("x", {}));
    CHECK_FALSE(nearest_word(std::string(65, 'x'), {std::string(65, 'x')}));
}

}  // namespace nearest_word_test
