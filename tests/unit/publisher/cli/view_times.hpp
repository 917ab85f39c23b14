#pragma once

#include <cstdlib>
#include <ctime>

#include "core/clock.hpp"

namespace lull::publisher::test {

// Views show local time: this makes it UTC for a test.
class Utc {
public:
    Utc() {
        setenv("TZ", "UTC0", 1);
        tzset();
    }
};

// 2026-01-31, at hour and minute.
inline WallTime today(int hour, int minute) { return {(1769817600LL + hour * 3600 + minute * 60) * 1'000'000}; }

}  // namespace lull::publisher::test
