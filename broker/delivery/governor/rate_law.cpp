#include "broker/delivery/governor/rate_law.hpp"

#include <algorithm>

namespace lull::broker {

using namespace std::chrono_literals;

namespace {

constexpr unsigned rounds_of_exploring = 5;
constexpr double most_excess = 0.5;
constexpr Duration explore_soon = 1s;  // after one that found more

}  // namespace

RateLaw::RateLaw(PathTuning const& tuning) : tuning_(tuning), growth_(tuning.least_growth) {}

void RateLaw::speed_up(Round const& round, std::optional<ByteRate> delivered) {
    auto const bound = delivered ? *delivered * tuning_.startup_bound : rate_ * 2;
    rate_ = std::min({rate_ * 2, std::max(bound, rate_), round.limit * 2});
    next_explore_ = round.now + explore_soon;
}

void RateLaw::climb(Round const& round) {
    if (exploring_ > 0) return explore(round);
    bool const lately = round.now < episode_until_;
    growth_ = lately ? tuning_.least_growth : std::min(2 * growth_, tuning_.most_growth);
    auto const steady = std::max(round.capacity, rate_) * (to_seconds(round.took) / to_seconds(tuning_.recover));
    auto const step = lately ? steady : rate_ * growth_;
    rate_ = std::min(rate_ + step * round.room, round.limit * 2);
    if (round.capacity.zero()) return;
    auto const most = ceiling(round.capacity);
    rate_ = std::min(rate_, most);
    if (rate_ == most && rate_ <= round.limit && round.now >= next_explore_) {
        excess_ = tuning_.explore;
        explore(round);
    }
}

// A few rounds a little above the learned capacity. If the path delivers that, further ones follow, each twice as bold.
void RateLaw::explore(Round const& round) {
    if (exploring_ > 1) {
        --exploring_;
        return;
    }
    bool const begins = exploring_ == 0;
    bool const found_more = !begins && round.capacity > explored_from_ * (1 + excess_ / 3);
    if (!begins) excess_ = std::min(2 * excess_, most_excess);
    exploring_ = begins || found_more ? rounds_of_exploring : 0;
    next_explore_ = round.now + (found_more ? explore_soon : tuning_.explore_every);
    explored_from_ = round.capacity;
    rate_ = exploring_ > 0 ? explored_from_ * (1 + excess_) : ceiling(round.capacity);
}

// Who is congested far below what the path has once given shares it, and yields more than one who fills it alone.
void RateLaw::cut(Depth depth, ByteRate capacity) {
    constexpr double clearly = 0.9;
    auto const usual = rate_ < capacity * clearly ? tuning_.cut_below : tuning_.cut;
    rate_ = rate_ * (depth == Depth::deep ? tuning_.deep_cut : usual);
    growth_ = tuning_.least_growth;
}

void RateLaw::cut_for_others() { rate_ = rate_ * tuning_.surviving_cut; }

void RateLaw::meet_others(TimePoint now) {
    episode_until_ = now + tuning_.episode;
    exploring_ = 0;
}

void RateLaw::resume(Stop stop, ByteRate capacity, TimePoint now) {
    if (stop == Stop::long_one) episode_until_ = now;
    rate_ = std::max(capacity * tuning_.resume, first_rate);
    growth_ = tuning_.most_growth;
}

}  // namespace lull::broker
