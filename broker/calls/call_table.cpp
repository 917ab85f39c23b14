#include "broker/calls/call_table.hpp"

namespace lull::broker {

bool CallTable::full() const { return live_.size() >= settings_.live || records_.size() >= settings_.known; }

CallRecord& CallTable::add(CallRecord record) {
    auto const number = next_++;
    record.number = number;
    record.state.id = record.request.id;
    bool const fresh = ids_.emplace(record.request.id, number).second;
    LULL_INVARIANT(fresh);
    live_.insert(number);
    return records_.emplace(number, std::move(record)).first->second;
}

CallRecord* CallTable::find(CallId const& id) {
    auto const found = ids_.find(id);
    return found == ids_.end() ? nullptr : &records_.at(found->second);
}

CallRecord* CallTable::find(CallNumber number) {
    auto const found = records_.find(number);
    return found == records_.end() ? nullptr : &found->second;
}

void CallTable::end(CallRecord& record, TimePoint now) {
    auto const was_live = live_.erase(record.number);
    LULL_INVARIANT(was_live == 1 && is_final(record.state.phase));
    record.ended_at = now;
    record.request.arguments = {};
    record.tried = {};
    ended_.push_back(record.number);
}

void CallTable::forget_old(TimePoint now) {
    while (ended_.size() > settings_.shown && now - records_.at(ended_.front()).ended_at >= settings_.keep) {
        auto const old = records_.find(ended_.front());
        past_.forget(old->second.caller, old->second.request.id);
        ids_.erase(old->second.request.id);
        records_.erase(old);
        ended_.pop_front();
    }
}

bool CallTable::is_shown(CallRecord const& record) const {
    return !is_final(record.state.phase) || record.number + settings_.shown >= next_;
}

CallRow row_of(CallRecord const& record, TimePoint now) {
    auto const& request = record.request;
    bool const over = is_final(record.state.phase);
    auto const took = (over ? record.ended_at : now) - record.asked_at;
    CallRow row;
    row.id = request.id;
    row.caller = record.caller_name;
    row.software = request.software;
    row.version = record.version;
    row.seq = request.seq;
    row.program = request.program;
    row.executor = record.state.executor;
    row.phase = record.state.phase;
    row.reason = record.state.reason;
    row.text = record.state.text;
    row.asked = record.asked;
    row.took = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    row.result = record.state.result;
    row.input = record.flow.passed(CallStream::in);
    row.output = record.flow.passed(CallStream::out) + record.flow.passed(CallStream::err);
    return row;
}

}  // namespace lull::broker
