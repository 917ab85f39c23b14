#pragma once

#include <map>

#include "schema/messages.hpp"
#include "tests/sim/checker.hpp"

namespace lull::sim {

// What must hold for remote calls, whatever fails: no call runs twice, what is said of a call is true and stays, and
// each call ends for its caller.
class CallChecker {
public:
    explicit CallChecker(Checker& checker) : checker_(checker) {}

    // ---- executors ----
    void began(CallId const& id, std::string const& executor);
    void stopped(CallId const& id) { ++calls_[id].stopped; }

    // ---- callers ----
    void asked(CallId const& id) { calls_[id].waits = true; }
    // The caller has a final answer.
    void ended(CallId const& id, CallState const& state);
    // Nobody waits for it any more: the caller's process was killed.
    void abandoned(CallId const& id) { calls_[id].waits = false; }

    // All is calm: nothing may run or be waited for.
    void calm();

    [[nodiscard]] std::size_t count(CallPhase phase) const;
    [[nodiscard]] std::size_t begun() const { return begun_; }

    // The byte of a stream of a call at this offset.
    [[nodiscard]] static std::byte byte_at(CallId const& id, CallStream stream, std::uint64_t offset);
    [[nodiscard]] static Buffer bytes_at(CallId const& id, CallStream stream, Bytes offset, std::size_t size);
    void arrived(CallData const& message, Buffer const& payload);

private:
    struct Call {
        std::size_t begun = 0;
        std::size_t stopped = 0;
        bool waits = false;
        std::optional<CallPhase> end{};
    };
    Checker& checker_;
    std::map<CallId, Call> calls_;
    std::size_t begun_ = 0;
};

}  // namespace lull::sim
