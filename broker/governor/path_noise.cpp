#include "broker/governor/path_noise.hpp"

#include <algorithm>
#include <vector>

namespace lull::broker {

namespace {

constexpr std::size_t group_size = 10;
constexpr std::size_t groups_kept = 12;
constexpr Duration hardly_any = std::chrono::milliseconds(1);

}  // namespace

void PathNoise::add(Duration queue) {
    group_.push_back(queue);
    if (group_.size() == group_size) close_group();
}

void PathNoise::close_group() {
    auto const group = std::exchange(group_, {});
    if (*std::min_element(group.begin(), group.end()) > hardly_any) return;
    kept_.insert(kept_.end(), group.begin(), group.end());
    if (kept_.size() > group_size * groups_kept) kept_.erase(kept_.begin(), kept_.begin() + group_size);
    std::vector<Duration> sorted(kept_.begin(), kept_.end());
    auto const place = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 9 / 10);
    std::nth_element(sorted.begin(), place, sorted.end());
    level_ = *place;
}

}  // namespace lull::broker
