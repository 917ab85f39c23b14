#pragma once

#include "schema/update_info.hpp"

namespace lull::broker {

using lull::Urgency;

// Its weight when a line is divided.
[[nodiscard]] constexpr double weight(Urgency urgency) {
    switch (urgency) {
        case Urgency::background: return 1;
        case Urgency::normal: return 4;
        case Urgency::urgent:
        case Urgency::immediate: return 16;
    }
    return 1;
}

}  // namespace lull::broker
