#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/units.hpp"
#include "subscriber/model/release_id.hpp"

namespace lull::subscriber {

// Which trees there are for calls, within a bound of the disk: many versions of a software side by side. What was used
// longest ago goes first, and never what a call uses.
class TreeCache {
public:
    enum class State {
        left,      // by an earlier process: not verified yet
        building,  // being staged or verified
        ready,
        removing,
    };

    explicit TreeCache(Bytes bound) : bound_(bound) {}

    // A tree that lies there at the start.
    void found(ReleaseId const& release, Bytes size);

    [[nodiscard]] std::optional<State> state(ReleaseId const& release) const;
    [[nodiscard]] bool ready(ReleaseId const& release) const { return state(release) == State::ready; }
    [[nodiscard]] Bytes used() const;
    // Another ready tree of this software, the newest one: what is equal in it need not be fetched.
    [[nodiscard]] std::optional<ReleaseId> base_for(ReleaseId const& release) const;

    // The trees to remove, so that one of this size has room; none: it has. They are `removing` from now on.
    // Fault::no_space if removing all that may go is not enough.
    [[nodiscard]] Result<std::vector<ReleaseId>> make_room(ReleaseId const& release, Bytes size);
    [[nodiscard]] bool has_room(ReleaseId const& release, Bytes size) const;
    void begins(ReleaseId const& release, Bytes size);
    void becomes_ready(ReleaseId const& release);
    void removed(ReleaseId const& release) { trees_.erase(release); }

    // A call uses a ready tree from begin_use() to end_use(); several may.
    void begin_use(ReleaseId const& release);
    void end_use(ReleaseId const& release);

private:
    struct Tree {
        Bytes size{};
        State state = State::left;
        unsigned users = 0;
        std::uint64_t last_use = 0;  // the higher the later
    };
    [[nodiscard]] Bytes used_but_for(ReleaseId const& release) const;

    Bytes bound_;
    std::map<ReleaseId, Tree> trees_;
    std::uint64_t uses_ = 0;
};

}  // namespace lull::subscriber
