#include "subscriber/usage/scan_pacer.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr Duration calm = std::chrono::seconds(2);  // between two looks: then everything begins anew
constexpr Duration longest = std::chrono::seconds(1);
constexpr int share = 4;  // at first looks take at most a fifth of the time

}  // namespace

void ScanPacer::looked(TimePoint now, Duration took) {
    bool const hurried = last_ != TimePoint::min() && now - last_ < calm;
    pause_ = hurried ? std::min(longest, std::max(pause_ * 2, took * share)) : Duration();
    last_ = now;
}

Duration ScanPacer::wait(TimePoint now) const {
    return last_ == TimePoint::min() ? Duration() : std::max(Duration(), pause_ - (now - last_));
}

}  // namespace lull::subscriber
