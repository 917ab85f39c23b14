#pragma once

#include <cstdint>

namespace lull::broker {

// How much a release may be noticed by others on the line.
enum class Urgency : std::uint8_t { background, normal, urgent };

// Its weight when a line is divided.
[[nodiscard]] constexpr double weight(Urgency urgency) {
    switch (urgency) {
        case Urgency::background: return 1;
        case Urgency::normal: return 4;
        case Urgency::urgent: return 16;
    }
    return 1;
}

}  // namespace lull::broker
