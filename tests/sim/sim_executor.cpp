#include "tests/sim/sim_executor.hpp"

#include "schema/call_credit.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t slots = 3;
constexpr Bytes input_window = KiB(32);
constexpr std::uint64_t largest_output = 150'000;
constexpr Duration waits_for_go = 45s;

}  // namespace

Message SimExecutor::greeting() const {
    Hello hello;
    hello.node = *NodeName::parse(name());
    hello.architecture = *ArchitectureName::parse("amd64");
    hello.program = "lull-node sim";
    hello.boot = "boot";
    return hello;
}

void SimExecutor::welcomed(Welcome const&) {
    send(Serve{{software_}, slots});
    later(20s, [this] {  // it may have been lost
        if (is_open()) send(Serve{{software_}, slots});
    });
}

void SimExecutor::take(Message const& message, Buffer const& payload) {
    if (auto const* offer = std::get_if<CallOffer>(&message)) return offered(*offer);
    if (auto const* start = std::get_if<CallGo>(&message)) return go(start->id);
    if (auto const* data = std::get_if<CallData>(&message)) return read(*data, payload);
    if (auto const* cancel = std::get_if<CallCancel>(&message))
        return stop(cancel->id, cancel->reason.value_or(CallReason::cancelled));
    auto const* credit = std::get_if<CallCredit>(&message);
    if (credit == nullptr || !runs_.contains(credit->id) || credit->stream != CallStream::out) return;
    auto& permitted = runs_.at(credit->id).permitted;
    permitted = std::max(permitted, credit->permitted);
    write(credit->id);
}

void SimExecutor::offered(CallOffer const& offer) {
    auto const& id = offer.id;
    if (runs_.contains(id)) return;
    if (runs_.size() >= slots) return refuse(id, CallReason::busy);
    if (world_.random().chance(0.05)) return refuse(id, CallReason::not_prepared);
    auto& run = runs_[id];
    run.writes = world_.random().below(largest_output);
    run.time_limit = std::chrono::seconds(offer.limits.time.value_or(0));
    if (plant_ == Plant::begins_early) begin(id);
    later(world_.random().between(5ms, 4s), [this, id] {
        if (!runs_.contains(id)) return;
        send(CallReady{id});
        later(waits_for_go, [this, id] {
            if (!runs_.contains(id) || runs_.at(id).begun) return;
            remove(id);
            refuse(id, CallReason::not_prepared);
        });
    });
}

void SimExecutor::go(CallId const& id) {
    if (!runs_.contains(id)) return;
    if (!runs_.at(id).begun) begin(id);
    send(CallState{id, CallPhase::running});
    send(CallCredit{id, CallStream::in, input_window});
    write(id);
}

void SimExecutor::begin(CallId const& id) {
    auto& run = runs_.at(id);
    run.begun = true;
    calls_.began(id, name());
    world_.trace("{}: {} begins", name(), to_hex(id));
    later(world_.random().between(1ms, 20s), [this, id] {
        if (!runs_.contains(id)) return;
        runs_.at(id).run_out = true;
        end_if_done(id);
    });
    // Also where the broker's CALL-CANCEL is lost.
    if (plant_ == Plant::outlives) return;
    later(run.time_limit, [this, id] { stop(id, CallReason::time_limit); });
}

// As much as credit allows.
void SimExecutor::write(CallId const& id) {
    auto& run = runs_.at(id);
    if (!run.begun || run.written || plant_ == Plant::begins_early) return;
    while (run.output.count() < run.writes) {
        auto const may = run.permitted - run.output_credit;
        if (may < credit_for(Bytes(1))) return;
        auto const size = std::min({may.count(), run.writes - run.output.count(), 1 + world_.random().below(16'000)});
        send(CallData{id, CallStream::out, run.output, false},
             CallChecker::bytes_at(id, CallStream::out, run.output, size));
        run.output += Bytes(size);
        run.output_credit += credit_for(Bytes(size));
    }
    run.written = true;
    send(CallData{id, CallStream::out, run.output, true});
    send(CallData{id, CallStream::err, Bytes(), true});
    end_if_done(id);
}

void SimExecutor::read(CallData const& message, Buffer const& payload) {
    auto const found = runs_.find(message.id);
    if (found == runs_.end() || message.stream != CallStream::in) return;
    auto& run = found->second;
    if (message.offset != run.input) return stop(message.id, CallReason::broken_flow);  // something was lost
    calls_.arrived(message, payload);
    run.input += Bytes(payload.size());
    run.input_credit += credit_for(Bytes(payload.size()));
    send(CallCredit{message.id, CallStream::in, run.input_credit + input_window});
}

void SimExecutor::end_if_done(CallId const& id) {
    auto const& run = runs_.at(id);
    if (!run.run_out || !run.written) return;
    remove(id);
    CallState state{id, CallPhase::ended};
    state.result = CallResult{0, {}, 1, 2};
    send(state);
}

void SimExecutor::stop(CallId const& id, CallReason reason) {
    auto const found = runs_.find(id);
    if (found == runs_.end()) return;
    bool const begun = found->second.begun;
    remove(id);
    if (!begun) return refuse(id, reason);
    CallState state{id, CallPhase::ended};
    state.result = CallResult{{}, 9, 1, 2};
    state.reason = reason;
    send(state);
}

void SimExecutor::refuse(CallId const& id, CallReason reason) {
    CallState state{id, CallPhase::refused};
    state.reason = reason;
    state.text = "not here";
    send(state);
}

void SimExecutor::remove(CallId const& id) {
    if (runs_.at(id).begun) calls_.stopped(id);
    runs_.erase(id);
}

void SimExecutor::lost() {
    if (plant_ == Plant::outlives) return;
    killed();
}

void SimExecutor::killed() {
    while (!runs_.empty()) remove(runs_.begin()->first);
}

}  // namespace lull::sim
