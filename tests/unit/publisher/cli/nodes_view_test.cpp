#include "publisher/cli/nodes_view.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/cli/view_times.hpp"

namespace nodes_view_test {

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::today;
using lull::publisher::test::Utc;

TEST_CASE("nodes shows who is there") {
    Utc const utc;
    Answer answer;
    answer.time = today(11, 0);
    answer.nodes.push_back({NodeName::parse("till-01").value(), PeerKey(), today(10, 59), true, "lull-node 0.1.0"});
    answer.nodes.push_back({NodeName::parse("till-02").value(), PeerKey(), std::nullopt, false, ""});
    CHECK(nodes_text(answer, Painting::off) ==
          "NODE     LINK       LAST SEEN  PROGRAM          KEY\n"
          "till-01  connected  10:59      lull-node 0.1.0  0000000000000000\n"
          "till-02  idle       never                       0000000000000000\n"
          "\n"
          "2 nodes\n");
    CHECK(nodes_json(answer)["nodes"][1].contains("seen") == false);
}

TEST_CASE("an empty list of nodes says what to do") {
    CHECK_THAT(nodes_text({}, Painting::off), Catch::Contains("lull nodes new"));
}

}  // namespace nodes_view_test
