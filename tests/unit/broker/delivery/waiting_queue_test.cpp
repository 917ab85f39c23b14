#include "broker/delivery/waiting_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

namespace waiting_queue_test {

using namespace lull;
using namespace lull::broker;

TEST_CASE("the queue has the order and the positions of a list that is searched from its front") {
    std::mt19937_64 random(GENERATE(1, 2, 3));
    std::vector<std::pair<Urgency, SessionId>> list;
    WaitingQueue queue;
    SessionId next = 1;
    for (int i = 0; i < 4000; ++i) {
        if (random() % 5 < 3 || list.empty()) {
            auto const urgency = static_cast<Urgency>(random() % 4);
            auto const behind = std::ranges::find_if(list, [&](auto const& entry) { return entry.first < urgency; });
            list.insert(behind, {urgency, next});
            queue.push(next++, urgency);
        } else {
            auto const gone = list.begin() + static_cast<std::ptrdiff_t>(random() % list.size());
            queue.erase(gone->second);
            list.erase(gone);
        }
        REQUIRE(queue.size() == list.size());
        if (list.empty()) continue;
        REQUIRE(queue.front() == list.front().second);
        auto const index = random() % list.size();
        REQUIRE(queue.position(list[index].second) == index + 1);
    }
    auto const page = queue.from(3, 10);
    REQUIRE(page.size() == std::min<std::size_t>(10, list.size() - 2));
    for (std::size_t i = 0; i < page.size(); ++i) {
        CHECK(page[i].session == list[i + 2].second);
        CHECK(page[i].position == i + 3);
    }
    CHECK_FALSE(queue.position(next));
    queue.erase(next);
    CHECK(queue.size() == list.size());
}

}  // namespace waiting_queue_test
