#include "tests/sim/sim_caller.hpp"

#include "schema/call_credit.hpp"
#include "schema/call_id.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Bytes window = KiB(64);
constexpr Duration asks_again = 20s;
constexpr std::uint64_t largest_input = 100'000;

}  // namespace

void SimCaller::act() {
    auto const seq = active_();
    if (!up() || !is_open() || !seq) return;
    auto& random = world_.random();
    // Sometimes an old call, whose answer was heard, is made again.
    if (!done_.empty() && random.chance(0.2)) {
        auto at = done_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(random.below(done_.size())));
        return send(at->second);
    }
    Waiting waiting;
    auto& call = waiting.call;
    call.id = new_call_id(world_.moment().wall);
    for (std::size_t i = 8; i < call.id.size(); ++i) call.id[i] = static_cast<std::byte>(random.below(256));
    call.life = life_of_broker_;
    call.software = software_;
    call.seq = *seq;
    waiting.writes = random.below(largest_input);
    auto const id = call.id;
    waiting_.emplace(id, std::move(waiting));
    calls_.asked(id);
    world_.trace("{}: calls {}", name(), to_hex(id));
    ask(id);
    if (random.chance(0.15)) later(random.between(1ms, 10s), [this, id] { send(CallCancel{id, {}}); });
}

void SimCaller::ask(CallId const& id) {
    if (!waiting_.contains(id)) return;
    if (is_open()) {
        auto const& waiting = waiting_.at(id);
        send(waiting.call);
        send(CallCredit{id, CallStream::out, waiting.output_credit + window});
    }
    later(asks_again, [this, id] { ask(id); });
}

// Whatever was asked in the session before is asked again, under the life of the broker that it belongs to.
void SimCaller::welcomed(Welcome const& message) {
    life_of_broker_ = message.life.value_or(0);
    for (auto const& [id, waiting] : waiting_) send(waiting.call);
}

void SimCaller::take(Message const& message, Buffer const& payload) {
    if (auto const* state = std::get_if<CallState>(&message)) return heard_state(*state);
    if (auto const* data = std::get_if<CallData>(&message)) return read(*data, payload);
    auto const* credit = std::get_if<CallCredit>(&message);
    if (credit == nullptr || !waiting_.contains(credit->id) || credit->stream != CallStream::in) return;
    auto& waiting = waiting_.at(credit->id);
    waiting.permitted = std::max(waiting.permitted, credit->permitted);
    write(waiting);
}

void SimCaller::heard_state(CallState const& state) {
    if (!is_final(state.phase)) return;
    calls_.ended(state.id, state);
    world_.trace("{}: {} is {}{}{}", name(), to_hex(state.id), to_text(state.phase), state.reason ? ", " : "",
                 state.reason ? to_text(*state.reason) : "");
    auto done = waiting_.extract(state.id);
    if (!done.empty()) done_.emplace(state.id, std::move(done.mapped().call));
}

void SimCaller::read(CallData const& message, Buffer const& payload) {
    auto const found = waiting_.find(message.id);
    if (found == waiting_.end() || message.stream != CallStream::out) return;
    auto& waiting = found->second;
    if (message.offset != waiting.output) return send(CallCancel{message.id, {}});  // something was lost
    calls_.arrived(message, payload);
    waiting.output += Bytes(payload.size());
    waiting.output_credit += credit_for(Bytes(payload.size()));
    send(CallCredit{message.id, CallStream::out, waiting.output_credit + window});
}

void SimCaller::write(Waiting& waiting) {
    auto const& id = waiting.call.id;
    while (!waiting.written) {
        auto const may = waiting.permitted - waiting.input_credit;
        auto const left = waiting.writes - waiting.input.count();
        if (left > 0 && may < credit_for(Bytes(1))) return;
        auto const size = std::min({may.count(), left, 1 + world_.random().below(16'000)});
        waiting.written = size == left;
        send(CallData{id, CallStream::in, waiting.input, waiting.written},
             CallChecker::bytes_at(id, CallStream::in, waiting.input, size));
        waiting.input += Bytes(size);
        waiting.input_credit += credit_for(Bytes(size));
    }
}

void SimCaller::killed() {
    for (auto const& [id, waiting] : waiting_) calls_.abandoned(id);
    waiting_.clear();
    done_.clear();
}

}  // namespace lull::sim
