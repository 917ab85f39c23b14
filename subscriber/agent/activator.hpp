#pragma once

#include "subscriber/agent/happening.hpp"
#include "subscriber/agent/target.hpp"

namespace lull::subscriber {

// What the journal keeps of the wait for users.
struct UserWait {
    std::vector<Holder> holders{};          // the users that the release waits for, and when they were notified
    std::optional<std::uint64_t> waited{};  // for users: microseconds, while the daemon ran
};

// From a staged tree to the moment at which the release may become live: holds and time windows, and the users of the
// running version: the node waits for them, notifies them, or ends them. Made anew for each target.
class Activator {
public:
    explicit Activator(Surroundings around, UserWait wait = {}) : around_(around), wait_(std::move(wait)) {}

    [[nodiscard]] UserWait const& wait() const { return wait_; }

    // ---- gates ----

    // Why the release may not become live now.
    [[nodiscard]] std::optional<ActivationGate> closed_gate(Moment now) const;
    [[nodiscard]] std::optional<ActivationGate> withdrawn() const;
    [[nodiscard]] Happening hold_back(ActivationGate const& gate, Moment now);

    // ---- users ----

    // What can be done while the release is staged, waiting or held. `absent`: it was withdrawn before it was staged.
    enum class Tree { staged, absent };
    [[nodiscard]] Happening advance(Tree tree, Moment now);
    // Searches for users of the running version.
    [[nodiscard]] Happening probe() const;
    // The answer to probe(): for a switch to the target.
    [[nodiscard]] Happening on(UseFound const& event, Moment now);
    // The answer to probe() before a way back. Nothing: no users have to end for it.
    [[nodiscard]] std::optional<Happening> end_for_way_back(UseFound const& event, Moment now);
    [[nodiscard]] Happening on(HoldersTold const& event);
    void on(UseEnded const& event) { ended_ = event.what; }
    // Users need not end any more: a gate has closed, or the policy is another one.
    [[nodiscard]] bool spares_users(Moment now) const { return closed_gate(now) || policy() != Policy::restart; }
    // Users that stay may be ended again at once.
    void forget_ending() { asked_to_end_ = false; }
    void forget_holders() { wait_.holders.clear(); }

    // ---- time ----

    // Counts the time that users were waited for. True: it has to be recorded, because it has a deadline.
    [[nodiscard]] bool count_waiting(Moment now);
    [[nodiscard]] bool count_due(Moment now) const;
    // The gate, or the users, have to be looked at again.
    [[nodiscard]] bool check_due(Moment now);
    [[nodiscard]] std::optional<TimePoint> wake() const;

private:
    [[nodiscard]] Seq seq() const { return around_.target.release.seq; }
    [[nodiscard]] UpdateInfo const& info() const { return around_.target.info; }
    [[nodiscard]] Policy policy() const;
    [[nodiscard]] Duration waited() const { return std::chrono::microseconds(wait_.waited.value_or(0)); }
    [[nodiscard]] Happening switch_now(std::string why);
    [[nodiscard]] bool should_end(UseFound const& found, Moment now) const;
    [[nodiscard]] Happening end_use(UseFound const& found);
    [[nodiscard]] Happening wait_for(UseFound const& found, Moment now);
    void plan_next_check(Moment now);
    [[nodiscard]] std::vector<Holder> known_holders(UseFound const& found, Moment now) const;
    [[nodiscard]] std::string reason(UseFound const& found) const;
    [[nodiscard]] std::optional<TimePoint> next_count() const;

    Surroundings around_;
    UserWait wait_;
    bool asked_to_end_ = false;                 // users were ended for the probe that comes next
    std::string ended_;                         // what became of them
    std::optional<TimePoint> check_again_{};    // whether the release may become live
    std::optional<TimePoint> end_again_{};      // users are not ended again before that
    std::optional<TimePoint> waiting_since_{};  // up to here wait_.waited is counted
    std::optional<TimePoint> reported_at_{};    // when the users were reported last
};

}  // namespace lull::subscriber
