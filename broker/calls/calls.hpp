#pragma once

#include <unordered_map>

#include "broker/calls/call_admission.hpp"
#include "broker/calls/call_relay.hpp"
#include "broker/fleet/sessions.hpp"

namespace lull::broker {

// Remote calls: takes them on, gives each to the executor with the least load, lets it begin at most once, and passes
// on what is known of it. Each call ends, for its caller, with exactly one final CALL-STATE for each CALL.
class Calls final : public SessionObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        Peers const& peers;
        Sessions& sessions;
        Complaints& complaints;
    };
    Calls(Parts parts, CallSettings const& settings, Effects& effects);

    // From a node that serves or calls.
    void serve(SessionId session, PeerKey const& node, Serve const& message, Moment now);
    void open(SessionId session, PeerKey const& node, Moment now);
    void call(SessionId session, PeerKey const& node, Call message, Moment now);
    void ready(SessionId session, CallReady const& message, Moment now);
    void state(SessionId session, CallState const& message, Moment now);
    void data(SessionId session, CallData const& message, Buffer payload, Moment now);
    void credit(SessionId session, CallCredit const& message);
    void cancel(PeerKey const& node, CallCancel const& message, Moment now);

    // Ends what has taken too long, and looks for peers that are gone.
    void tick(Moment now);
    // Lets bytes flow; after each event.
    void grant(TimePoint now) { relay_.grant(now); }
    [[nodiscard]] std::optional<TimePoint> wake() const { return relay_.wake(); }

    void session_ended(SessionId session, Moment now) override;
    [[nodiscard]] std::size_t kept_sessions() const override {
        return executors_.all().size() + callers_.size() + opened_.size();
    }

    // Of this broker: what ids belong to.
    [[nodiscard]] std::uint64_t life() const { return settings_.life; }
    [[nodiscard]] CallTable const& table() const { return table_; }

private:
    // Whether the executor of a call that ends has its slot free already, or has to be told to stop.
    enum class Executor { is_free, has_to_stop };

    void answer(SessionId session, CallId const& id, CallPhase phase, CallCause cause);
    // Whether this id was used before; then the caller has an answer.
    [[nodiscard]] bool answer_again(SessionId session, PeerKey const& node, Call const& message);
    void refuse(SessionId session, PeerKey const& node, CallId const& id, CallCause cause);

    // Gives it to an executor, or puts it into the queue, or refuses it for this reason.
    void place(CallRecord& record, CallCause const& otherwise, Moment now);
    void offer(CallRecord& record, SessionId session, Moment now);
    void place_waiting(Moment now);
    void not_by(CallRecord& record, CallCause const& cause, Moment now);  // this executor; the next one
    void begin(CallRecord& record, TimePoint now);
    void stop(CallRecord& record, CallCause const& cause, Moment now);
    void finish(CallRecord& record, CallState end, Executor executor, Moment now);
    void finish(CallRecord& record, CallPhase phase, CallCause const& cause, Executor executor, Moment now);
    void overdue(CallRecord& record, Moment now);
    void broken(CallRecord& record, std::string_view what, Moment now);

    void tell(CallRecord const& record);
    void leave_slot(SessionId session, CallNumber call);
    [[nodiscard]] std::string name_of(SessionId executor) const;
    [[nodiscard]] std::size_t waiting_for(SoftwareName const& software) const;

    Parts parts_;
    CallSettings settings_;
    Effects& effects_;
    CallTable table_;
    Executors executors_;
    CallAdmission admission_;
    CallRelay relay_;
    std::set<CallNumber> waiting_;                                   // those in phase `queued`
    std::map<SessionId, std::set<CallNumber>> callers_;              // live calls
    std::map<SessionId, PeerKey> opened_;                            // sessions that CALL-OPEN began
    std::map<PeerKey, std::size_t> opened_by_;                       // how many of them a node has
    std::map<std::pair<SessionId, CallNumber>, TimePoint> leaving_;  // slots of executors that were told to stop
};

}  // namespace lull::broker
