#pragma once

#include <optional>

#include "broker/delivery/governor/path_tuning.hpp"
#include "core/byte_rate.hpp"

namespace lull::broker {

// How the rate of a path grows and falls. It doubles at the start; in cruise it grows up to a little below the capacity
// that was learned: boldly on a line that has been clean for a while, steadily where others were met lately. Now and
// then it explores above the capacity.
class RateLaw {
public:
    explicit RateLaw(PathTuning const& tuning);

    [[nodiscard]] ByteRate rate() const { return rate_; }
    [[nodiscard]] ByteRate ceiling(ByteRate capacity) const { return capacity * tuning_.ceiling; }

    // What a round showed.
    struct Round {
        TimePoint now;
        Duration took{};
        double room = 1;    // 1: no queue at all; 0: as much as is borne
        ByteRate capacity;  // learned so far; zero if unknown
        ByteRate limit;     // of level 2
    };
    void speed_up(Round const& round, std::optional<ByteRate> delivered);
    void climb(Round const& round);

    // A queue stood; deep: a long one.
    enum class Depth { usual, deep };
    void cut(Depth depth, ByteRate capacity);
    // It stood although we were silent: somebody else's.
    void cut_for_others();
    // Others are met, and growth is slow for an episode.
    void meet_others(TimePoint now);
    // Data flows again; after a long stop as if nobody had been there.
    enum class Stop { short_one, long_one };
    void resume(Stop stop, ByteRate capacity, TimePoint now);

    static constexpr ByteRate first_rate{250'000};

private:
    void explore(Round const& round);

    PathTuning tuning_;
    ByteRate rate_ = first_rate;
    double growth_;  // a round, on a clean line
    TimePoint episode_until_{};
    unsigned exploring_ = 0;  // rounds left
    double excess_ = 0;
    ByteRate explored_from_;
    TimePoint next_explore_{};
};

}  // namespace lull::broker
