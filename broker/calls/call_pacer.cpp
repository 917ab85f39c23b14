#include "broker/calls/call_pacer.hpp"

namespace lull::broker {

namespace {

constexpr Duration clock_step = std::chrono::microseconds(100);  // a timer that comes early must not come again at once

}  // namespace

Bytes CallPacer::take(Bytes want, Bytes least, TimePoint now) {
    if (now > at_) {
        tokens_ = std::min(depth(), tokens_ + rate_.per_second() * to_seconds(now - at_));
        at_ = now;
    }
    auto const there = Bytes(static_cast<std::uint64_t>(tokens_));
    if (there < least) return {};
    auto const taken = std::min(want, there);
    tokens_ -= static_cast<double>(taken.count());
    return taken;
}

TimePoint CallPacer::when(Bytes least, TimePoint now) const {
    auto const lacking = static_cast<double>(least.count()) - tokens_;
    if (lacking <= 0) return now;
    return now + from_seconds(lacking / std::max(1.0, rate_.per_second())) + clock_step;
}

}  // namespace lull::broker
