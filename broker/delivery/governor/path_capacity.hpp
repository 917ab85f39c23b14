#pragma once

#include <deque>
#include <optional>

#include "broker/delivery/governor/path_delay.hpp"
#include "core/byte_rate.hpp"

namespace lull::broker {

// What a path delivers: measured round by round, and the most of it in the last half minute.
class PathCapacity {
public:
    // A frame arrived.
    void on(QueueSample const& sample);

    // Ends a round. slack: we did not send all the time, so that it tells of us and not of the path; full: a queue
    // stood all the time, so that the path gave all it had to give, and the round counts at once.
    enum class Round { slack, busy, full };
    void end_round(Round round, TimePoint now);

    // The most that the mean of three busy rounds reached in the last 30 s (or the last that was known); zero if never.
    [[nodiscard]] ByteRate learned() const;
    // Of the last round; nothing if it had too few frames to tell.
    [[nodiscard]] std::optional<ByteRate> delivered() const { return delivered_; }
    // Forgets what was learned above this rate: the line has become slower.
    void lower_to(ByteRate rate);

private:
    struct Mean {
        TimePoint when;
        ByteRate rate;
    };
    [[nodiscard]] std::optional<ByteRate> measure();
    [[nodiscard]] double sureness() const;
    void learn(ByteRate rate, TimePoint now);

    std::optional<QueueSample> first_;
    std::optional<QueueSample> last_;
    Bytes after_first_{};
    Bytes unplaced_{};  // of frames since the last one whose time of arrival is known
    std::size_t frames_ = 0;
    Duration span_{};  // of the last measured round
    std::optional<ByteRate> delivered_;
    std::deque<ByteRate> busy_;
    std::deque<Mean> means_;  // falling rates, the highest first
};

}  // namespace lull::broker
