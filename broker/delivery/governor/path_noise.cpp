#include "broker/delivery/governor/path_noise.hpp"

#include <algorithm>
#include <vector>

namespace lull::broker {

namespace {

constexpr std::size_t group_size = 10;
constexpr std::size_t groups_kept = 12;
constexpr Duration hardly_any = std::chrono::microseconds(1500);
constexpr double nearly_all = 0.9;  // of the samples of a group
constexpr double few = 0.5;         // of the groups

Duration at_share(std::vector<Duration> values, double share) {
    auto const place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

}  // namespace

void PathNoise::add(Duration queue) {
    group_.push_back(queue);
    if (group_.size() == group_size) close_group();
}

void PathNoise::close_group() {
    auto const group = std::exchange(group_, {});
    if (*std::min_element(group.begin(), group.end()) > hardly_any) return;
    for (auto const queue : group) last_.push_back(queue);
    while (last_.size() > groups_kept * group_size) last_.pop_front();
    jitter_ = at_share(std::vector(last_.begin(), last_.end()), 0.5);
    levels_.push_back(at_share(std::vector(group.begin(), group.end()), nearly_all));
    if (levels_.size() > groups_kept) levels_.pop_front();
    level_ = at_share(std::vector(levels_.begin(), levels_.end()), few);
}

}  // namespace lull::broker
