#pragma once

#include "core/crypto.hpp"
#include "schema/call.hpp"

namespace lull {

// The id of a call that is made now: eight bytes of time (microseconds, highest byte first), then eight random ones. So
// the ids of a node rise, and a broker that has forgotten an id still knows that it had it.
[[nodiscard]] inline CallId new_call_id(WallTime now) {
    CallId id{};
    fill_random(id);
    for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<std::byte>(now.micros >> (8 * (7 - i)));
    return id;
}

}  // namespace lull
