#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker/model/events.hpp"
#include "core/clock.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// The patches that are stored here. Kept in the table `patches` (digests of both manifests -> MadePatch); what it names
// is kept from being garbage.
class Patches {
public:
    static constexpr char const* table = "patches";

    [[nodiscard]] Status load(View key, View value);
    [[nodiscard]] static store::Change change(PatchId const& id, MadePatch const& made);
    [[nodiscard]] static store::Change removal(PatchId const& id);

    void add(PatchId const& id, MadePatch made);
    void remove(PatchId const& id);
    [[nodiscard]] MadePatch const* find(PatchId const& id) const;
    [[nodiscard]] std::map<PatchId, MadePatch> const& all() const { return made_; }

    // Those that lead from this manifest, or to it.
    [[nodiscard]] std::vector<PatchId> from(Digest const& manifest) const;
    [[nodiscard]] std::vector<PatchId> to(Digest const& manifest) const;

    // Patches that are not needed, by `needed`, and as many of the oldest as it takes for the rest to have at most
    // `space`.
    [[nodiscard]] std::vector<PatchId> superfluous(std::function<bool(PatchId const&)> const& needed,
                                                   Bytes space) const;

private:
    std::map<PatchId, MadePatch> made_;
    std::map<Digest, std::set<Digest>> to_;  // the manifests from which patches lead to this one
};

// Patches that are to be made in the order of asking: each quickly, then thoroughly, one of each effort at a time. Lost
// in a crash: nodes that wait ask again.
class PatchQueue {
public:
    // Orders a patch, from this effort on, unless it is ordered. `size`: of the new release's contents, by which the
    // time is guessed that it will take. Returns that time; nothing: it will not be made, because it failed within the
    // last hour or too much is ordered.
    [[nodiscard]] std::optional<Duration> order(PatchId const& id, Effort from, Bytes size, TimePoint now);
    // Whether it is to be made yet, or made better than it is.
    [[nodiscard]] bool has(PatchId const& id) const;

    // The next one that takes this effort, if none is being made with it; it is, from now on.
    [[nodiscard]] std::optional<PatchId> start(Effort effort);
    [[nodiscard]] bool making() const;

    // The one that was being made.
    void end(PatchId const& id, Effort effort, bool failed, TimePoint now);
    // Forgets orders that are not needed any more, but not what is being made.
    void forget(std::function<bool(PatchId const&)> const& needed);

private:
    struct Order {
        PatchId id;
        Bytes size{};
        Effort next = Effort::quick;
        bool making = false;
    };
    std::deque<Order> orders_;
    std::map<PatchId, TimePoint> failed_;
};

}  // namespace lull::broker
