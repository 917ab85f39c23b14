#pragma once

#include <map>
#include <optional>
#include <set>

#include "broker/model/flow_types.hpp"
#include "schema/messages.hpp"

namespace lull::broker {

// Numbers calls in the order in which they came.
using CallNumber = std::uint64_t;

// The nodes that run programs for others: what each serves, and which calls have a slot there.
class Executors {
public:
    struct Executor {
        PeerKey node;
        NodeName name;
        std::set<SoftwareName> software;
        std::size_t slots = 0;
        std::set<CallNumber> calls;  // that are prepared or run there
    };

    // SERVE: what the session serves from now on. Its calls keep their slots. False: there are `most` executors.
    [[nodiscard]] bool set(SessionId session, Executor const& executor, std::size_t most);
    // The session has ended. The calls that had a slot there.
    [[nodiscard]] std::set<CallNumber> remove(SessionId session);

    using Tried = std::set<SessionId>;
    // The one with a free slot and the least part of its slots taken, by name among equals; none of `tried`.
    [[nodiscard]] std::optional<SessionId> least_loaded(SoftwareName const& software, Tried const& tried) const;
    // Whether one that was not tried serves this software, be it full or not.
    [[nodiscard]] bool serves(SoftwareName const& software, Tried const& tried = {}) const;

    // A call gets or leaves a slot.
    void take(SessionId session, CallNumber call);
    void release(SessionId session, CallNumber call);

    [[nodiscard]] Executor const* find(SessionId session) const;
    [[nodiscard]] std::map<SessionId, Executor> const& all() const { return executors_; }

private:
    std::map<SessionId, Executor> executors_;
};

}  // namespace lull::broker
