#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// Which processes are being ended, or were, so that a new version can be switched to.
struct RestartMark {
    enum class State { ending, over };
    State state = State::ending;
    std::vector<std::uint64_t> pids;

    [[nodiscard]] bool names(std::uint64_t pid) const;
};

// What tells `lull-node run --supervise` that its program was ended for an update, and when it is to start it again: as
// soon as that is over. Everybody may read the marks; only the daemon writes them. They lie beside `current`, as
// ROOT/.lull is closed to those who run programs.
class RestartMarks {
public:
    explicit RestartMarks(Layout layout) : layout_(std::move(layout)) {}

    // Durable before the first of them is sent a signal. Takes the place of an earlier mark of this software: name them
    // all again.
    [[nodiscard]] Status set(SoftwareName const& software, std::vector<std::uint64_t> const& pids) const;
    // After the switch, or when it is given up. The pids stay until the next mark, for a supervisor that hears late of
    // its program's end. Fine if there is none.
    [[nodiscard]] Status clear(SoftwareName const& software) const;
    // Removes the marks of all software: when the daemon starts, before it ends anybody.
    [[nodiscard]] Status clear_all() const;

    // Nothing if there is no mark. Fault::damaged for a file that set() and clear() did not write.
    [[nodiscard]] Result<std::optional<RestartMark>> read(SoftwareName const& software) const;

private:
    [[nodiscard]] Status write(SoftwareName const& software, RestartMark const& mark) const;
    [[nodiscard]] Status remove(SoftwareName const& software) const;

    Layout layout_;
};

}  // namespace lull::subscriber
