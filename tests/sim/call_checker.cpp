#include "tests/sim/call_checker.hpp"

#include <algorithm>

namespace lull::sim {

void CallChecker::began(CallId const& id, std::string const& executor) {
    auto& call = calls_[id];
    ++begun_;
    if (++call.begun > 1) checker_.violated("call {} ran a second time, on {}", to_hex(id), executor);
    if (call.end == CallPhase::refused) checker_.violated("call {} ran after it was refused", to_hex(id));
}

void CallChecker::ended(CallId const& id, CallState const& state) {
    auto& call = calls_[id];
    call.waits = false;
    if (state.phase == CallPhase::refused && call.begun > 0)
        checker_.violated("call {} was refused and had begun", to_hex(id));
    if (state.phase == CallPhase::ended && call.begun == 0)
        checker_.violated("call {} ended and had not begun", to_hex(id));
    // After a restart of the broker it is unknown for good, and nothing else.
    if (call.end && *call.end != state.phase && state.phase != CallPhase::unknown)
        checker_.violated("call {} was {} and is {} now", to_hex(id), to_text(*call.end), to_text(state.phase));
    if (!call.end) call.end = state.phase;
}

void CallChecker::calm() {
    for (auto const& [id, call] : calls_) {
        if (call.waits) checker_.violated("call {} has not ended for its caller", to_hex(id));
        if (call.begun != call.stopped) checker_.violated("call {} still runs", to_hex(id));
    }
}

std::size_t CallChecker::count(CallPhase phase) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(calls_, [&](auto const& entry) { return entry.second.end == phase; }));
}

std::byte CallChecker::byte_at(CallId const& id, CallStream stream, std::uint64_t offset) {
    return static_cast<std::byte>(std::to_integer<std::uint64_t>(id[15]) + 31 * static_cast<std::uint64_t>(stream) +
                                  offset * 7);
}

Buffer CallChecker::bytes_at(CallId const& id, CallStream stream, Bytes offset, std::size_t size) {
    Buffer bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(id, stream, offset.count() + i);
    return bytes;
}

void CallChecker::arrived(CallData const& message, Buffer const& payload) {
    if (payload != bytes_at(message.id, message.stream, message.offset, payload.size())) {
        checker_.violated("{} of call {} has other bytes from {} on", to_text(message.stream), to_hex(message.id),
                          message.offset.count());
    }
}

}  // namespace lull::sim
