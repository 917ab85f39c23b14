#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "broker/actions.hpp"

namespace lull::broker {

struct SenderLimits {
    Bytes frame = KiB(256);          // payload of one DATA
    Bytes window = MiB(4);           // sent and not yet acknowledged, a session; less where many are served, see Sender::window()
    Bytes cap = MiB(64);             // the same, all sessions together: what bounds the broker's memory
    std::size_t transfers = 64;      // sessions served at once; the others queue
};

// Decides which frame goes to whom next. A waiting request is a descriptor; bytes are read only when the receiver's credit (disk),
// its window (network) and the global cap all allow it, so memory does not depend on how slow anyone is. Serves sessions in turn.
class Sender {
public:
    explicit Sender(SenderLimits limits) : limits_(limits) {}

    struct Transfer {
        store::ObjectPlace place;
        Bytes offset{};
        SoftwareName software;
    };

    enum class Place { served, queued, overfull };
    // Appends a transfer to a session's requests; overfull: more than limits::objects_per_session wait there, nothing is taken.
    Place enqueue(SessionId session, Transfer transfer);

    // Cumulative figures of ACK and CREDIT. False for an acknowledgement of bytes that were never sent: a broken peer.
    [[nodiscard]] bool acknowledge(SessionId session, Bytes received);
    void permit(SessionId session, Bytes permitted);

    // Drops a session and what it had in flight.
    void drop(SessionId session);

    // The frames that may go now.
    [[nodiscard]] std::vector<SendFrame> next();

    // Place in the queue, 1 for the next to be served; 0 while served; nothing without requests.
    [[nodiscard]] std::optional<std::size_t> position(SessionId session) const;
    // Sessions in the queue, the next to be served first.
    [[nodiscard]] std::deque<SessionId> const& waiting() const { return waiting_; }
    // Bytes sent for this software in this session so far.
    [[nodiscard]] std::optional<Bytes> sent_for(SessionId session, SoftwareName const& software) const;
    [[nodiscard]] Bytes in_flight() const { return in_flight_; }

private:
    struct Queue {
        std::deque<Transfer> transfers;
        Bytes sent{};
        Bytes acknowledged{};
        Bytes permitted{};
        std::map<SoftwareName, Bytes> by_software;
        bool served = false;
    };

    // What a session may have in flight now: an equal share of the cap with one share left over, so that sessions whose peers have
    // vanished cannot use up what the others need.
    [[nodiscard]] Bytes window() const;
    void leave_service(SessionId session, Queue& queue);
    [[nodiscard]] std::optional<SendFrame> next_frame(SessionId session, Queue& queue);

    SenderLimits limits_;
    std::map<SessionId, Queue> queues_;
    std::deque<SessionId> served_;   // in turn
    std::deque<SessionId> waiting_;  // first come, first served
    Bytes in_flight_{};
};

}  // namespace lull::broker
