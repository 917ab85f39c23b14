#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"

namespace lull {

// A share between 0 and 1 that depends on the time of day, as people at some place count it, summer time included:
// "22:00-05:00 Europe/Berlin 100%, 12:00-13:00 Europe/Berlin 50%, else 10%". The first window that holds counts; one
// that ends before it begins goes over midnight. Times of day are those of the zone (tz database); a time that does not
// exist on a day when clocks go forward is the one an hour later.
class Schedule {
public:
    // Always everything.
    Schedule() = default;
    // Fault::usage with what is wrong and what it should look like.
    [[nodiscard]] static Result<Schedule> parse(std::string_view text);

    // The same without shares: everything at these times, nothing at others ("22:00-05:00 Europe/Berlin, 12:00-13:00
    // UTC").
    [[nodiscard]] static Result<Schedule> parse_times(std::string_view text);

    [[nodiscard]] double share_at(WallTime now) const;
    // The next full minute at which that is another one; a day later if it never is.
    [[nodiscard]] WallTime next_change(WallTime now) const;

    bool operator==(Schedule const&) const = default;

private:
    struct Window {
        int begin = 0;  // minutes since midnight
        int end = 0;
        std::string zone;
        double share = 1;
        bool operator==(Window const&) const = default;
    };
    [[nodiscard]] static Result<Window> parse_window(std::string_view text);
    [[nodiscard]] static bool holds(Window const& window, WallTime now);

    std::vector<Window> windows_;
    double otherwise_ = 1;
};

}  // namespace lull
