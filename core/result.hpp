#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace lull {

// What kind of failure it was, as far as a caller may act on it. A program's exit status follows from it.
enum class Fault {
    failed,       // the work itself failed (exit status 1)
    usage,        // the caller asked for something that makes no sense (2)
    unreachable,  // nobody answered (3)
    refused,      // somebody answered and said no (4)
    not_found,    // what was named does not exist (1)
    damaged,      // bytes are not what their digest, signature or format says (1)
    no_space,     // disk or inodes are used up (1)
    cancelled,    // the one who ordered the work stopped it (1)
};

// Says what was tried, on what, what went wrong and what to do about it.
struct Error {
    Fault fault = Fault::failed;
    std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// Builds the error side of a Result from a format string.
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(Fault fault, fmt::format_string<Args...> text, Args&&... args) {
    return tl::unexpected<Error>(Error{fault, fmt::format(text, std::forward<Args>(args)...)});
}

// Passes an error on from a function that returns another type.
[[nodiscard]] inline tl::unexpected<Error> pass(Error error) { return tl::unexpected<Error>(std::move(error)); }

// The exit status that a program ends with after this error: 1 failed, 2 usage, 3 not reached, 4 refused.
[[nodiscard]] constexpr int exit_status(Fault fault) {
    switch (fault) {
        case Fault::usage: return 2;
        case Fault::unreachable: return 3;
        case Fault::refused: return 4;
        default: return 1;
    }
}

// Ends the process: an invariant of our own code is broken, and going on could harm what is on disk.
[[noreturn]] void abort_broken(char const* what, char const* file, int line);

}  // namespace lull

#define LULL_INVARIANT(condition) ((condition) ? void(0) : ::lull::abort_broken(#condition, __FILE__, __LINE__))
