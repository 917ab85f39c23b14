#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

// Which call of a program goes wrong, and how. The environment says it (see tests/fault/README.md).

namespace lull::fault {

// What a call does; `open` is an open that makes nothing, and counts only if it is named.
enum class Kind { write, sync, create, open, rename, link, remove, directory, truncate, allocate, copy, mode };

// What happens at the chosen call.
enum class Deed {
    none,
    kill_before,  // SIGKILL instead of the call
    kill_after,   // SIGKILL when the call is done
    fail,         // the call does nothing and gives an error
    shorten,      // a write takes half of its bytes; other calls are done as they are
    cut,          // the disk keeps what is durable, as if the power had failed, and then SIGKILL
    cut_late      // the same, after the file system has written its journal: names and sizes without their contents
};

struct Call {
    Kind kind;
    char const* name;  // of the function
    std::string path;
    std::size_t bytes = 0;  // of a write
};

// What is to be done about a call.
struct Verdict {
    Deed deed = Deed::none;
    int error = 0;  // with `fail`
    std::optional<std::size_t>
        only{};  // a write takes only so many bytes before the deed; with `fail` that is all that happens
};

class Plan {
public:
    // The plan of this process, read from the environment at the first call.
    static Plan& of_process();

    // Counts the call, writes it to the trace, and says what happens to it. Any thread.
    Verdict judge(Call const& call);
    // Kill, or cut and kill. Does not come back.
    [[noreturn]] void end(Deed deed) const;

    // Whether the disk that all writes fail on from some call or byte on has come to that: it says that nothing is
    // free.
    [[nodiscard]] bool is_full() const;

    // Syncs are said to be done and are not.
    [[nodiscard]] bool forgets_sync() const { return forgets_sync_; }
    // Writes that fail are said to be done.
    [[nodiscard]] bool swallows_errors() const { return swallows_errors_; }
    // A rename over something is done in two steps.
    [[nodiscard]] bool splits_rename() const { return splits_rename_; }

private:
    Plan();
    [[nodiscard]] bool counts(Kind kind) const;
    [[nodiscard]] bool is_over() const;
    [[nodiscard]] Verdict judge_bytes(Call const& call);
    void trace(std::uint64_t number, Call const& call) const;

    Deed deed_ = Deed::none;
    std::uint64_t first_ = 0;    // number of the chosen call, from 1; 0: none
    std::uint64_t times_ = 1;    // how many calls from it on; 0: all
    std::uint64_t at_byte_ = 0;  // of all that is written; 0: the number counts
    std::uint32_t kinds_ = 0;    // one bit a kind; 0: all that change something
    std::string under_;          // only paths that contain this
    std::string until_;          // a file: when it is there, nothing goes wrong any more
    int error_ = 0;
    bool forgets_sync_ = false;
    bool splits_rename_ = false;
    bool swallows_errors_ = false;
    int disk_ = -1;  // a directory of the disk that is cut
    int trace_ = -1;
    std::atomic<std::uint64_t> calls_{0};
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace lull::fault
