#pragma once

#include <deque>
#include <optional>

#include "broker/model/flow_types.hpp"

namespace lull::broker {

// What others send on the broker's own line. Attacks at once and releases slowly: the larger of the last reading and of
// a mean over a second. Counters that a driver updates rarely (once a second is common) are read at their changes only.
class CrossTraffic {
public:
    // False for a reading that says nothing: the first ones, a counter that began anew, or that was not updated since.
    bool on(CounterReading const& reading);

    [[nodiscard]] ByteRate rate() const { return std::max(last_, ByteRate(mean_)); }
    // Ours and others', by the last two readings; what the learned capacity is the maximum of.
    [[nodiscard]] ByteRate total() const { return total_; }
    // The mean time between changes of the counter; zero until there were two.
    [[nodiscard]] Duration period() const { return period_; }

private:
    bool rebase(CounterReading const& reading);

    std::optional<CounterReading> previous_;  // at the last change
    bool unsure_ = false;                     // it may have been updated long before that
    TimePoint asked_{};                       // the last reading: the change came after it
    ByteRate last_;
    double mean_ = 0;  // bytes a second
    ByteRate total_;
    Duration period_{};
};

// The most that a line has carried: it remembers for an hour, and the longer ago the less.
class LineCapacity {
public:
    void on(ByteRate total, TimePoint now);
    [[nodiscard]] ByteRate learned() const { return learned_; }

private:
    ByteRate learned_;
    TimePoint when_{};
};

}  // namespace lull::broker
