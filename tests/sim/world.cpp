#include "tests/sim/world.hpp"

#include <algorithm>

namespace lull::sim {

bool Random::chance(double probability) {
    constexpr double to_unit = 1.0 / 9007199254740992.0;  // 2^53
    return static_cast<double>(engine_() >> 11) * to_unit < probability;
}

Duration Random::between(Duration least, Duration most) {
    auto const span = static_cast<std::uint64_t>((most - least).count()) + 1;
    return least + Duration(static_cast<std::int64_t>(below(span)));
}

World::World(std::uint64_t seed, bool tracing) : random_(seed), tracing_(tracing) {}

Moment World::moment() const {
    constexpr std::int64_t start_of_time = 1'750'000'000'000'000;
    return {now_, WallTime{start_of_time +
                           std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count()}};
}

void World::after(Duration delay, std::function<void()> what) {
    queue_.push_back({now_ + delay, order_++, std::move(what)});
    std::push_heap(queue_.begin(), queue_.end(), Later());
}

void World::run_until(TimePoint until) {
    while (!queue_.empty() && queue_.front().when <= until) {
        std::pop_heap(queue_.begin(), queue_.end(), Later());
        auto const next = std::move(queue_.back());
        queue_.pop_back();
        now_ = next.when;
        ++happened_;
        next.what();
    }
    now_ = until;
}

void World::print(std::string const& text) const {
    fmt::print(stderr, "{:>12.6f} {}\n", std::chrono::duration<double>(elapsed()).count(), text);
}

Duration Lane::pass(TimePoint now, Duration time) {
    last_ = std::max(last_ + Duration(1), now + time);
    return last_ - now;
}

}  // namespace lull::sim
