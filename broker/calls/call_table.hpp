#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "broker/calls/call_flow.hpp"
#include "broker/calls/call_settings.hpp"
#include "broker/calls/executors.hpp"
#include "broker/calls/past_calls.hpp"

namespace lull::broker {

// A remote call, from the moment in which it was taken on.
struct CallRecord {
    CallNumber number = 0;
    PeerKey caller;
    NodeName caller_name;
    std::optional<SessionId> session{};  // in which the caller hears of it; none: that has ended
    Call request;                        // without arguments from CALL-GO on
    VersionName version;
    std::optional<SessionId> executor{};   // that prepares or runs it, or did
    Executors::Tried tried{};              // executors that refused or lost it before CALL-GO
    CallState state;                       // as the caller was told
    bool went = false;                     // CALL-GO was sent
    bool begun = false;                    // the executor said so
    std::optional<CallReason> stopping{};  // the executor was told to stop it, because of this
    WallTime asked{};
    TimePoint asked_at{};
    TimePoint deadline{};  // of its phase
    TimePoint ended_at{};
    CallFlow flow{};
};

// Every call of this life of the broker that lives or whose id has to be remembered. An id is in here once: that is
// what "at most once" rests on.
class CallTable {
public:
    explicit CallTable(CallSettings const& settings) : settings_(settings) {}

    // Whether there is room for one more that lives, and for one more id.
    [[nodiscard]] bool full() const;
    // Takes on a call; its id is not in the table. The record stays at its place.
    CallRecord& add(CallRecord record);

    [[nodiscard]] CallRecord* find(CallId const& id);
    [[nodiscard]] CallRecord* find(CallNumber number);
    // Those that have not ended, in the order in which they came.
    [[nodiscard]] std::set<CallNumber> const& live() const { return live_; }
    // The call has ended; its id is remembered.
    void end(CallRecord& record, TimePoint now);
    // Forgets ids whose time is over, unless an operator still sees their calls.
    void forget_old(TimePoint now);
    [[nodiscard]] PastCalls& past() { return past_; }

    // Whether an operator sees it: those that live, and the last ones.
    [[nodiscard]] bool is_shown(CallRecord const& record) const;
    [[nodiscard]] std::map<CallNumber, CallRecord> const& records() const { return records_; }

private:
    CallSettings settings_;
    std::map<CallNumber, CallRecord> records_;
    std::map<CallId, CallNumber> ids_;
    std::set<CallNumber> live_;
    PastCalls past_;
    std::deque<CallNumber> ended_;  // in the order of their ends
    CallNumber next_ = 1;
};

// The row of an operator's table.
[[nodiscard]] CallRow row_of(CallRecord const& record, TimePoint now);

}  // namespace lull::broker
