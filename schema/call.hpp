#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/units.hpp"

// The values of remote calls: a node asks the broker for a run of a program, an executor runs it. PROTOCOL.md section 8
// has the sequence.

namespace lull {

// Names a call (call_id.hpp). It belongs to one life of the broker.
using CallId = std::array<std::byte, 16>;

// How far a call is. The last three are final: a call has one of them exactly once.
enum class CallPhase : std::uint8_t {
    queued,     // waits for an executor with a free slot
    preparing,  // an executor fetches what it lacks; the program has not begun
    running,    // the executor was told to begin
    ended,      // the program ran and ended, by itself or stopped by the executor; the result is known
    refused,    // the program never began
    unknown,    // the program may have run, wholly or in part; it will not be run again
};
constexpr CallPhase enum_last(CallPhase) { return CallPhase::unknown; }
[[nodiscard]] std::string_view to_text(CallPhase phase);
[[nodiscard]] constexpr bool is_final(CallPhase phase) { return phase >= CallPhase::ended; }

// Why a call was refused, stopped, or has no known result.
enum class CallReason : std::uint8_t {
    invalid,        // the request breaks a rule; the text says which
    no_release,     // the broker does not have this release
    not_callable,   // the signed release does not list the program
    no_executor,    // no connected node serves this software
    not_allowed,    // the executor's owner does not allow it
    busy,           // the queue, or the broker's table of calls, is full
    too_many,       // this node has as many calls at once as it may have
    too_often,      // this node has asked for as many calls in a minute as it may
    queue_time,     // the call waited in the queue for as long as it may
    time_limit,     // the program ran for as long as it may
    output_limit,   // the program wrote as much as it may
    memory_limit,   // the program took as much memory as it may
    not_prepared,   // the executor could not fetch, verify or stage the release
    not_started,    // the executor could not start the program
    cancelled,      // the caller cancelled the call
    caller_lost,    // the broker lost the connection to the caller
    executor_lost,  // the broker lost the connection to the executor
    other_life,     // the id belongs to an earlier life of the broker, or to a time that it does not remember
    broken_flow,    // a side sent bytes that no credit allows, or bytes at the wrong offset
};
constexpr CallReason enum_last(CallReason) { return CallReason::broken_flow; }
[[nodiscard]] std::string_view to_text(CallReason reason);

// The three streams of a call: the caller sends `in`, the executor the other two.
enum class CallStream : std::uint8_t { in, out, err };
constexpr CallStream enum_last(CallStream) { return CallStream::err; }
[[nodiscard]] std::string_view to_text(CallStream stream);

// What a call may take. The caller may ask for less than the broker and the executor allow, never for more.
struct CallLimits {
    std::optional<std::uint64_t> time{};  // seconds from begin to end
    std::optional<Bytes> output{};        // bytes of both output streams together
    static void describe(auto& self, auto& visit) {
        visit("t", self.time);
        visit("o", self.output);
    }
    bool operator==(CallLimits const&) const = default;
};

// How a program ended.
struct CallResult {
    std::optional<std::uint64_t> status{};  // exit status 0 to 255; none: a signal ended it
    std::optional<std::uint64_t> signal{};  // number of the signal (signal(7))
    std::uint64_t cpu = 0;                  // microseconds of CPU of all its processes
    std::uint64_t duration = 0;             // microseconds from begin to end
    static void describe(auto& self, auto& visit) {
        visit("s", self.status);
        visit("g", self.signal);
        visit("c", self.cpu);
        visit("d", self.duration);
    }
    bool operator==(CallResult const&) const = default;
};

// At most limits::callable_per_release valid paths, none twice.
[[nodiscard]] Status validate_callable(std::vector<std::string> const& programs);

// What a node may ask for: a path in the tree or nothing, arguments within limits without zero bytes, and limits that
// allow anything at all. Fault::refused names the bound.
[[nodiscard]] Status validate_call(std::string const& program, std::vector<Buffer> const& arguments,
                                   CallLimits const& limits);

}  // namespace lull
