#pragma once

#include "core/clock.hpp"

// What both sockets of a node towards its broker do in the same way.
namespace lull::subscriber {

inline constexpr Duration heartbeat = std::chrono::seconds(30);          // between two signs of life
inline constexpr Duration heartbeat_timeout = std::chrono::seconds(90);  // of silence: the connection is given up
inline constexpr int messages_a_turn = 64;                               // then the loop looks at what else there is

}  // namespace lull::subscriber
