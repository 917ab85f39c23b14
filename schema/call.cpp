#include "schema/call.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "schema/limits.hpp"
#include "schema/manifest.hpp"

namespace lull {

std::string_view to_text(CallPhase phase) {
    switch (phase) {
        case CallPhase::queued: return "queued";
        case CallPhase::preparing: return "preparing";
        case CallPhase::running: return "running";
        case CallPhase::ended: return "ended";
        case CallPhase::refused: return "refused";
        case CallPhase::unknown: return "unknown";
    }
    return "unknown phase";
}

std::string_view to_text(CallReason reason) {
    switch (reason) {
        case CallReason::invalid: return "invalid";
        case CallReason::no_release: return "no-release";
        case CallReason::not_callable: return "not-callable";
        case CallReason::no_executor: return "no-executor";
        case CallReason::not_allowed: return "not-allowed";
        case CallReason::busy: return "busy";
        case CallReason::too_many: return "too-many";
        case CallReason::too_often: return "too-often";
        case CallReason::queue_time: return "queue-time";
        case CallReason::time_limit: return "time-limit";
        case CallReason::output_limit: return "output-limit";
        case CallReason::memory_limit: return "memory-limit";
        case CallReason::not_prepared: return "not-prepared";
        case CallReason::not_started: return "not-started";
        case CallReason::cancelled: return "cancelled";
        case CallReason::caller_lost: return "caller-lost";
        case CallReason::executor_lost: return "executor-lost";
        case CallReason::other_life: return "other-life";
        case CallReason::broken_flow: return "broken-flow";
    }
    return "unknown reason";
}

std::string_view to_text(CallStream stream) {
    switch (stream) {
        case CallStream::in: return "stdin";
        case CallStream::out: return "stdout";
        case CallStream::err: return "stderr";
    }
    return "unknown stream";
}

Status validate_callable(std::vector<std::string> const& programs) {
    if (programs.size() > limits::callable_per_release) {
        return fail(Fault::refused, "{} callable programs are more than {}", programs.size(),
                    limits::callable_per_release);
    }
    for (auto program = programs.begin(); program != programs.end(); ++program) {
        if (auto status = validate_path(*program); !status) return status;
        if (std::find(programs.begin(), program, *program) != program)
            return fail(Fault::refused, "the callable program {} is listed twice", lull::quoted(*program));
    }
    return {};
}

Status validate_call(std::string const& program, std::vector<Buffer> const& arguments, CallLimits const& limits) {
    if (!program.empty()) {
        if (auto status = validate_path(program); !status) return status;
    }
    if (arguments.size() > limits::call_arguments) {
        return fail(Fault::refused, "{} arguments are more than the {} that a call may have", arguments.size(),
                    limits::call_arguments);
    }
    Bytes sum;
    for (auto const& argument : arguments) {
        sum += Bytes(argument.size());
        if (std::ranges::find(argument, std::byte{0}) != argument.end())
            return fail(Fault::refused, "an argument holds a zero byte");
    }
    if (sum > limits::call_argument_bytes) {
        return fail(Fault::refused, "{} bytes of arguments are more than the {} that a call may have", sum.count(),
                    limits::call_argument_bytes.count());
    }
    if (limits.time && (*limits.time == 0 || *limits.time > limits::call_seconds)) {
        return fail(Fault::refused, "a time limit of {} s; it has to be 1 to {}", *limits.time, limits::call_seconds);
    }
    return {};
}

}  // namespace lull
