#pragma once

#include "schema/messages.hpp"

namespace lull {

// Whether a peer in this role may send this message to the broker. What the table does not name is denied.
[[nodiscard]] bool may_send(Role role, MessageType type);

}  // namespace lull
