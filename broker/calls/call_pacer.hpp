#pragma once

#include "core/byte_rate.hpp"

namespace lull::broker {

// A token bucket: how much credit may be given out, for all calls together. Takes `now`; somebody else sleeps.
class CallPacer {
public:
    // The bucket holds what flows in 50 ms, and at least 256 KiB. It is full at first.
    explicit CallPacer(ByteRate rate) : rate_(rate), tokens_(depth()) {}

    // Up to `want`, but at least `least` or nothing.
    [[nodiscard]] Bytes take(Bytes want, Bytes least, TimePoint now);
    // When `least` can be taken, if nothing else is taken before.
    [[nodiscard]] TimePoint when(Bytes least, TimePoint now) const;

private:
    [[nodiscard]] double depth() const { return std::max(262'144.0, rate_.per_second() / 20); }

    ByteRate rate_;
    double tokens_;
    TimePoint at_{};
};

}  // namespace lull::broker
