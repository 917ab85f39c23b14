#include "broker/delivery/governor/delay_base.hpp"

#include <algorithm>
#include <vector>

#include "core/byte_rate.hpp"

namespace lull::broker {

namespace {

// A drift is believed once it had this many whole buckets to show itself.
constexpr std::size_t least_buckets = 3;

struct Point {
    double x = 0;
    double y = 0;
};

double slope(Point a, Point b) { return (b.y - a.y) / (b.x - a.x); }

// Points in the order of x; the lower hull by Andrew's monotone chain.
std::vector<Point> lower_hull(std::vector<Point> const& points) {
    std::vector<Point> hull;
    for (auto const point : points) {
        while (hull.size() >= 2 && slope(hull[hull.size() - 2], hull.back()) >= slope(hull.back(), point))
            hull.pop_back();
        hull.push_back(point);
    }
    return hull;
}

}  // namespace

Duration DelayBase::moved(Bucket const& bucket, TimePoint to) const {
    return bucket.least + scaled(to - bucket.when, drift_);
}

Duration DelayBase::at(TimePoint now) const {
    LULL_INVARIANT(!buckets_.empty());
    return least_ + scaled(now - least_when_, drift_);
}

void DelayBase::add(TimePoint when, Duration delay) {
    if (buckets_.empty() || when - buckets_.back().begin >= limits_.bucket) return begin_bucket(when, delay);
    auto& bucket = buckets_.back();
    if (delay < moved(bucket, when)) {
        bucket.least = delay;
        bucket.when = when;
    }
    if (delay < at(when)) {
        least_ = delay;
        least_when_ = when;
    }
}

void DelayBase::begin_bucket(TimePoint when, Duration delay) {
    estimate_drift();
    buckets_.push_back({when, when, delay});
    if (buckets_.size() > limits_.buckets) buckets_.pop_front();
    auto const least = std::min_element(buckets_.begin(), buckets_.end(), [&](Bucket const& a, Bucket const& b) {
        return moved(a, when) < moved(b, when);
    });
    least_ = least->least;
    least_when_ = least->when;
}

void DelayBase::estimate_drift() {
    if (buckets_.size() < least_buckets) return;
    std::vector<Point> points;
    double middle = 0;
    for (auto const& bucket : buckets_) {
        points.push_back({to_seconds(bucket.when - buckets_.front().when), to_seconds(bucket.least)});
        middle += points.back().x / static_cast<double>(buckets_.size());
    }
    auto const hull = lower_hull(points);
    auto const end = std::find_if(hull.begin() + 1, hull.end() - 1,
                                  [&](Point const& point) { return point.x >= middle; });
    drift_ = std::clamp(slope(*(end - 1), *end), -limits_.most_drift, limits_.most_drift);
}

}  // namespace lull::broker
