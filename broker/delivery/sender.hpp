#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "broker/delivery/governor/governor.hpp"
#include "broker/delivery/waiting_queue.hpp"
#include "broker/model/actions.hpp"
#include "core/clock.hpp"

namespace lull::broker {

struct SenderLimits {
    Bytes frame = KiB(256);         // payload of one DATA
    Bytes window = MiB(4);          // sent and not yet acknowledged, a session; often less, see Sender::window()
    Bytes first_window = KiB(256);  // the same until the session has acknowledged something; at least a frame
    Bytes cap = MiB(64);  // the same, all sessions together; as much again may be out to those that are set aside
    std::size_t transfers = 64;  // sessions served at once; the others queue
    Duration patience = std::chrono::milliseconds(
        500);  // with a session that takes nothing while others want to be served
    Duration most_patience = std::chrono::seconds(
        30);  // with one set aside that acknowledges nothing, when there are too many of them
    bool operator==(SenderLimits const&) const = default;
};

// Decides which frame goes to which session next. A waiting request is a descriptor; bytes are read only when the
// receiver's credit (disk), its window (network), the global cap and the governor all allow it, so memory does not
// depend on how slow a receiver is. Serves the most urgent sessions first, and those of equal urgency in turn. A
// session that takes nothing for a while, because its window is full, its credit used up, or all sent and not
// acknowledged, makes room for those that queue or that the cap refuses: it is set aside until it can take something,
// and then queues again.
class Sender {
public:
    // The governor outlives the sender.
    Sender(SenderLimits limits, Governor& governor) : limits_(limits), governor_(governor) {}

    struct Transfer {
        store::ObjectPlace place;
        Bytes offset{};
        SoftwareName software;
        Urgency urgency = Urgency::normal;
    };

    enum class Place { served, queued, overfull };
    // Appends a transfer to a session's requests; overfull: more than limits::objects_per_session wait there, nothing
    // is taken.
    Place enqueue(SessionId session, Transfer transfer);

    // Cumulative figures of ACK and CREDIT. False for an acknowledgement of bytes that were never sent: a broken peer.
    [[nodiscard]] bool acknowledge(SessionId session, Bytes received, TimePoint now);
    void permit(SessionId session, Bytes permitted);

    // Drops a session and what it had in flight.
    void drop(SessionId session);

    struct Outgoing {
        std::vector<SendFrame> frames;  // that may go now
        std::vector<SetPacing> pacing;  // before they do
        std::vector<SendProbe> probes;
        std::optional<TimePoint> again;  // when the governor may permit more, if nothing happens before
    };
    [[nodiscard]] Outgoing next(TimePoint now);

    // Sessions to end, because another one cannot be set aside before their bytes are gone: the longest set aside
    // first.
    [[nodiscard]] std::vector<SessionId> overdue(TimePoint now) const;

    // Place in the queue, 1 for the next to be served; 0 while served or set aside; nothing without requests.
    [[nodiscard]] std::optional<std::size_t> position(SessionId session) const;
    // Sessions in the queue, the next to be served first.
    [[nodiscard]] WaitingQueue const& waiting() const { return waiting_; }
    // The sessions that are served, and how urgent what they get is.
    [[nodiscard]] std::vector<Governor::Wish> wishes() const;
    // Bytes sent for this software in this session so far.
    [[nodiscard]] std::optional<Bytes> sent_for(SessionId session, SoftwareName const& software) const;
    // No session is being served or waits for that.
    [[nodiscard]] bool idle() const { return served_.empty() && waiting_.empty() && in_flight_.zero(); }
    [[nodiscard]] Bytes in_flight() const { return in_flight_ + aside_in_flight_; }
    // How many sessions it keeps something for.
    [[nodiscard]] std::size_t sessions() const { return queues_.size(); }

private:
    // finishing: all is sent and not all acknowledged
    enum class Service { idle, waiting, served, finishing, aside };
    struct Queue {
        std::deque<Transfer> transfers;
        Bytes sent{};
        Bytes acknowledged{};
        Bytes permitted{};
        std::map<SoftwareName, Bytes> by_software;
        Service service = Service::idle;
        std::uint64_t listed = 0;          // its key in finishing_ or aside_
        std::optional<TimePoint> blocked;  // since when it has taken nothing
        [[nodiscard]] Bytes flying() const { return sent - acknowledged; }
        // As urgent as the most urgent transfer that waits here: what is before it must not hold it up.
        [[nodiscard]] Urgency urgency() const;
        std::array<std::size_t, 1 + static_cast<std::size_t>(enum_last(Urgency()))> by_urgency{};  // transfers
    };

    // What a session may have in flight now: an equal share of the cap with one share left over, so that sessions whose
    // peers have vanished cannot use up what the others need; little until the peer has shown that it takes anything.
    [[nodiscard]] Bytes window(Queue const& queue) const;
    [[nodiscard]] Bytes next_length(Queue const& queue) const;
    [[nodiscard]] bool can_take(Queue const& queue) const;
    void ask_for_service(SessionId session, Queue& queue);
    void list(std::map<std::uint64_t, SessionId>& sessions, SessionId session, Queue& queue);
    void unlist(Queue const& queue);
    void leave_service(SessionId session, Queue& queue);
    void set_aside_the_blocked(TimePoint now);
    void set_aside(SessionId session, Queue& queue, TimePoint now);
    void take_back(SessionId session, Queue& queue);
    [[nodiscard]] std::vector<SessionId> in_turn() const;
    [[nodiscard]] bool serve(SessionId session, Queue& queue, Outgoing& outgoing, TimePoint now);
    [[nodiscard]] bool ready(SessionId session, Queue& queue, TimePoint now);
    [[nodiscard]] SendFrame take_frame(SessionId session, Queue& queue, Bytes length, TimePoint now);
    [[nodiscard]] bool make_room_for(Urgency urgency);
    void wait(SessionId session, Queue& queue);

    SenderLimits limits_;
    Governor& governor_;
    std::map<SessionId, Queue> queues_;
    std::deque<SessionId> served_;  // in turn
    WaitingQueue waiting_;
    std::map<std::uint64_t, SessionId> finishing_;  // the longest first
    std::map<std::uint64_t, SessionId> aside_;      // the longest first
    std::uint64_t next_listed_ = 0;
    Bytes in_flight_{};  // of all but those that are set aside
    Bytes aside_in_flight_{};
    Bytes homeless_{};      // in flight of a session that should be set aside and does not fit there
    bool refused_ = false;  // a session got nothing because of the cap
};

}  // namespace lull::broker
