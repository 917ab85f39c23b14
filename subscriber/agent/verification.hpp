#pragma once

#include "subscriber/agent/happening.hpp"
#include "subscriber/agent/target.hpp"

namespace lull::subscriber {

// The switch to a release, its hooks, its health check, and the way back from a release that does not work. Made anew
// for each target.
class Verification {
public:
    // `trials`: hooks and health checks that were begun and have not ended, as the journal knows it.
    explicit Verification(Surroundings around, std::optional<std::uint64_t> trials = std::nullopt);

    [[nodiscard]] std::optional<std::uint64_t> trials() const { return trials_; }
    // Whether the next step is a hook or a health check.
    [[nodiscard]] bool begins_trial() const;
    // Whether a switch begins with a hook.
    [[nodiscard]] bool switch_begins_trial() const { return !before_.empty(); }

    // ---- the switch ----

    // As many hooks and health checks as may be were begun and did not end: this release ends the node.
    [[nodiscard]] bool is_worn_out() const;
    // Another attempt has all of its tries.
    void try_again() { trials_ = 0; }
    // The check of a new lull-node, then the next hook before the switch, then the switch.
    [[nodiscard]] Happening advance_switch();
    // Hooks before the switch run from the first one.
    void begin_switch() { hooks_run_ = 0; }
    // `users_ended`: users were ended for the switch, and are not started yet.
    enum class Users { undisturbed, ended };
    [[nodiscard]] Happening switched(Users users);

    // ---- the verification ----

    // The next hook after the switch, then the health check.
    [[nodiscard]] Happening advance();
    [[nodiscard]] Happening on(HookEnded const& event);
    // The hook or the health check that was begun counts no longer: it came to its end, or was cancelled.
    void uncount_trial();
    // The outcome of the health check, of the last hook, or of the start of services.
    [[nodiscard]] Happening end(Status const& healthy);

    // ---- the way back ----

    [[nodiscard]] Happening switch_back() const;
    [[nodiscard]] Happening switched_back(SwitchEnded const& event) const;

private:
    [[nodiscard]] Happening switch_to(ReleaseId release) const;
    [[nodiscard]] Happening run_hook(RunHook hook);
    [[nodiscard]] Happening hook_failed(Error const& error);
    [[nodiscard]] std::optional<ReleaseId> way_back() const;
    void end_trials();
    // Counts a hook or a health check before it begins. False: too many have not ended.
    [[nodiscard]] bool begin_trial();

    Surroundings around_;
    bool hooks_allowed_;
    std::vector<RunHook> before_;  // those that run
    std::vector<RunHook> after_;
    std::size_t hooks_run_ = 0;  // of this side of the switch
    std::optional<std::uint64_t> trials_;
};

}  // namespace lull::subscriber
