#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/model/flow_types.hpp"
#include "schema/update_info.hpp"

namespace lull::broker {

// Sessions that wait to be served: the most urgent first, among equals first come, first served. Nothing costs a pass
// over all of them: entries lie in buckets, by the order in which they came.
class WaitingQueue {
public:
    void push(SessionId session, Urgency urgency);
    void erase(SessionId session);
    [[nodiscard]] SessionId front() const { return buckets_.begin()->second.front().session; }
    [[nodiscard]] bool empty() const { return where_.empty(); }
    [[nodiscard]] std::size_t size() const { return where_.size(); }
    // 1 for the next to be served.
    [[nodiscard]] std::optional<std::size_t> position(SessionId session) const;

    struct Entry {
        SessionId session = 0;
        std::size_t position = 0;
    };
    // At most `most` sessions from this position on.
    [[nodiscard]] std::vector<Entry> from(std::size_t position, std::size_t most) const;

private:
    struct Waiting {
        std::uint64_t arrival = 0;
        SessionId session = 0;
    };
    struct Place {
        int less_urgent = 0;  // the urgency, negative: the map begins with the most urgent
        std::uint64_t bucket = 0;
        auto operator<=>(Place const&) const = default;
    };
    std::map<Place, std::vector<Waiting>> buckets_;
    std::unordered_map<SessionId, Place> where_;
    std::uint64_t arrivals_ = 0;
};

}  // namespace lull::broker
