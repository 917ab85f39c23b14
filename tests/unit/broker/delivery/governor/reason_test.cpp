#include "broker/delivery/governor/reason.hpp"

#include <catch2/catch.hpp>
#include <set>

namespace reason_test {

using namespace lull::broker;

TEST_CASE("each reason has a text of its own") {
    std::set<std::string_view> texts;
    for (int i = 0; i <= static_cast<int>(Reason::only_quiet); ++i) texts.insert(to_text(static_cast<Reason>(i)));
    CHECK(texts.size() == static_cast<std::size_t>(Reason::only_quiet) + 1);
    CHECK(!texts.contains("unknown"));
}

}  // namespace reason_test
