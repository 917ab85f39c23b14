#pragma once

#include "subscriber/agent/activation_rules.hpp"
#include "subscriber/agent/effects.hpp"
#include "subscriber/agent/object_transfer.hpp"
#include "subscriber/model/records.hpp"

namespace lull::subscriber {

// The newest announced release of a software: what the node is to become. Never changes; a newer release makes a new
// one.
struct Target {
    ReleaseId release;
    LogEntry entry;
    UpdateInfo info;

    [[nodiscard]] Activation const& how() const { return activation_of(info); }
    [[nodiscard]] ReleaseRef ref() const { return {release.seq, release.version}; }
};

// How far the target has come.
struct Progress {
    Phase phase = Phase::announced;
    WallTime since;  // of the phase
    std::string why;
    std::uint64_t failures = 0;  // in a row, of this release
};

// What lies on the disk of a software.
struct Installed {
    std::optional<ReleaseRef> active;    // what `current` points to
    std::optional<ReleaseRef> previous;  // what it pointed to before
    std::optional<ReleaseRef> proven;    // the last one that was shown to work here

    void forget(ReleaseRef const& lost);
    // As it was before forget(), as far as nothing else has taken its place.
    void take_back(ReleaseRef const& release, Installed const& before);
};

// What a part of a SoftwareUpdate works with. The part changes none of it but by effects and wants.
struct Surroundings {
    AgentSettings const& settings;
    ActivationRules const& rules;
    Effects& effects;
    ObjectTransfer& objects;
    Target const& target;
    Progress const& progress;
    Installed const& installed;

    [[nodiscard]] SoftwareName const& software() const { return target.release.software; }
    [[nodiscard]] ReleaseId release_of(ReleaseRef const& ref) const { return {software(), ref.seq, ref.version}; }
    [[nodiscard]] std::optional<ReleaseId> active() const;
    [[nodiscard]] bool target_is_active() const { return installed.active == target.ref(); }
    [[nodiscard]] Fetcher& fetcher() const { return objects.fetcher(); }
};

}  // namespace lull::subscriber
