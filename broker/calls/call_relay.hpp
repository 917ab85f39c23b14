#pragma once

#include "broker/calls/call_pacer.hpp"
#include "broker/calls/call_table.hpp"
#include "broker/model/effects.hpp"

namespace lull::broker {

// Passes on the bytes of calls. Credit that a receiver gives is granted to the sender as fast as the pacer allows, to
// all streams in turn; bytes go on as they come. What is on its way is bounded: see window().
class CallRelay {
public:
    CallRelay(CallTable& table, CallSettings const& settings, Effects& effects)
        : table_(table),
          pacer_(settings.rate),
          effects_(effects) {}

    // CALL-GO was sent: credit that was given before may flow.
    void begin(CallRecord const& record);
    // Credit of the receiver of this stream.
    void permit(CallRecord& record, CallCredit const& message);
    // False: the sender broke the rules of the flow, and the call has to end.
    [[nodiscard]] bool pass(CallRecord& record, CallData const& message, Buffer payload);

    // Grants what the pacer allows.
    void grant(TimePoint now);
    // When more can be granted, if something waits for that.
    [[nodiscard]] std::optional<TimePoint> wake() const { return wake_; }

private:
    struct Wish {
        CallNumber call = 0;
        CallStream stream = CallStream::in;
        auto operator<=>(Wish const&) const = default;
    };
    // Bytes of a stream that are on their way at most: 256 KiB, and less if many calls live, so that all of them
    // together have at most 64 MiB on their way.
    [[nodiscard]] Bytes window() const;
    void wish(Wish wish);

    CallTable& table_;
    CallPacer pacer_;
    Effects& effects_;
    std::deque<Wish> wishes_;
    std::set<Wish> wished_;  // the same
    std::optional<TimePoint> wake_;
};

}  // namespace lull::broker
