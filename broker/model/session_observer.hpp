#pragma once

#include "broker/model/flow_types.hpp"
#include "core/clock.hpp"

namespace lull::broker {

// Implemented by each heart that keeps anything for a session. Sessions::end() calls all of them, however a session
// ends; a session that no heart knows is nothing unusual.
class SessionObserver {
public:
    virtual ~SessionObserver() = default;
    // Forgets all that is kept for this session.
    virtual void session_ended(SessionId session, Moment now) = 0;
    // How many sessions this heart keeps something for.
    [[nodiscard]] virtual std::size_t kept_sessions() const = 0;
};

}  // namespace lull::broker
