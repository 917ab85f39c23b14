#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker/events.hpp"
#include "core/clock.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// The patches that are stored here. Kept in the table `patches` (digests of both manifests -> MadePatch); what it names is kept from
// being garbage.
class Patches {
public:
    static constexpr char const* table = "patches";

    [[nodiscard]] Status load(View key, View value);
    [[nodiscard]] static store::Change change(PatchId const& id, MadePatch const& made);
    [[nodiscard]] static store::Change removal(PatchId const& id);

    void add(PatchId const& id, MadePatch made) { made_.insert_or_assign(id, std::move(made)); }
    void remove(PatchId const& id) { made_.erase(id); }
    [[nodiscard]] MadePatch const* find(PatchId const& id) const;
    [[nodiscard]] std::map<PatchId, MadePatch> const& all() const { return made_; }

    // Patches that nobody needs, by `needed`, and as many of the oldest as it takes for the rest to have at most `space`.
    [[nodiscard]] std::vector<PatchId> superfluous(std::function<bool(PatchId const&)> const& needed, Bytes space) const;

private:
    std::map<PatchId, MadePatch> made_;
};

// Patches that are to be made, one at a time in the order of asking, and who waits for them. Lost in a crash: who waits asks again.
class PatchQueue {
public:
    // Orders a patch, or joins those who wait for it. `size`: of the new release's contents, by which the time is guessed that it will
    // take. Returns that time; nothing: it will not be made, because it failed within the last hour or too much is ordered.
    [[nodiscard]] std::optional<Duration> order(PatchId const& id, Bytes size, std::optional<SessionId> who, TimePoint now);

    // The next one, if none is being made; it is, from now on.
    [[nodiscard]] std::optional<PatchId> start();
    [[nodiscard]] bool making() const { return making_; }

    // The one that was being made: who waits for it.
    [[nodiscard]] std::set<SessionId> end(PatchId const& id, bool failed, TimePoint now);
    // Forgets orders that nobody needs any more, but not what is being made: who waits for them.
    [[nodiscard]] std::vector<std::pair<PatchId, std::set<SessionId>>> forget(std::function<bool(PatchId const&)> const& needed);

private:
    struct Order {
        PatchId id;
        Bytes size{};
        std::set<SessionId> waiting;
    };
    std::deque<Order> orders_;  // the first is being made, if `making_`
    bool making_ = false;
    std::map<PatchId, TimePoint> failed_;
};

}  // namespace lull::broker
