#pragma once

#include <array>

#include "schema/call.hpp"
#include "schema/call_credit.hpp"

namespace lull::broker {

// The credit of the three streams of one call. Counts are credit, by credit_for(), not payload. A sender is granted
// what the receiver permits, at most a window ahead of what the broker has passed on. So the broker needs no store of
// bytes: what comes within the grant can go on at once.
class CallFlow {
public:
    // Cumulative. What is more than limits::call_window above what has been passed on does not count.
    void permit(CallStream stream, Bytes permitted);
    // What could be granted now, with this window; nothing if that is not worth a message.
    [[nodiscard]] Bytes wish(CallStream stream, Bytes window) const;
    // Grants that much more. The sum, for the sender.
    [[nodiscard]] Bytes grant(CallStream stream, Bytes credit);

    // Whether a frame is the next one of its stream, and within what was granted. If so it counts as passed on.
    [[nodiscard]] bool pass(CallStream stream, Bytes offset, Bytes payload, bool last);

    // Payload bytes that were passed on.
    [[nodiscard]] Bytes passed(CallStream stream) const { return of(stream).payload; }

    // The smallest grant that is worth a message: less than this lets no small frame go.
    static constexpr Bytes least_grant = credit_for(Bytes(1));

private:
    struct Stream {
        Bytes permitted{};
        Bytes granted{};
        Bytes passed{};
        Bytes payload{};
        bool ended = false;
    };
    [[nodiscard]] Stream& of(CallStream stream) { return streams_.at(static_cast<std::size_t>(stream)); }
    [[nodiscard]] Stream const& of(CallStream stream) const { return streams_.at(static_cast<std::size_t>(stream)); }

    std::array<Stream, 3> streams_{};
};

}  // namespace lull::broker
