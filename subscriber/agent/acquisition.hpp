#pragma once

#include "subscriber/agent/happening.hpp"
#include "subscriber/agent/session.hpp"
#include "subscriber/agent/target.hpp"

namespace lull::subscriber {

// From the announcement of a release to its staged tree: the patch that the broker may have, the plan, the objects.
// Made anew for each target.
class Acquisition {
public:
    // `staged`: when the tree was staged first, as the journal knows it.
    explicit Acquisition(Surroundings around, std::optional<WallTime> staged = std::nullopt)
        : around_(around),
          staged_(staged) {}

    [[nodiscard]] std::optional<WallTime> staged() const { return staged_; }

    // What can be done while the release is announced, or being fetched.
    [[nodiscard]] Happening plan();
    [[nodiscard]] Happening fetch(Moment now);

    [[nodiscard]] Happening on(PlanMade const& event);
    [[nodiscard]] Happening on(StageEnded const& event, Moment now);
    [[nodiscard]] Happening on(PatchOffer const& message, Moment now);
    // An object of the plan does not arrive. Nothing: it was no patch and no delta, so there is no way without it.
    [[nodiscard]] std::optional<Happening> go_without(ObjectLoss const& loss);

    // Plan, patch and wants are forgotten: the release is tried anew, or its tree is lost.
    void forget();
    // Plan and wants are forgotten; what is known of the patch is not.
    void plan_again();
    // The objects of the plan, and what gives the manifest; nothing if there is no plan.
    [[nodiscard]] std::optional<std::set<Digest>> needs() const;
    // The room that the plan lacks, if that is known.
    [[nodiscard]] Bytes lacking() const { return wanted_ ? wanted_->lacking : Bytes(); }
    // There is no tree.
    void forget_tree() { staged_.reset(); }

    // ---- the patch ----

    // The question that is due in this session.
    [[nodiscard]] std::optional<PatchQuery> query(Moment now);
    // The question is due again. In a new session also where a patch was promised: the broker has forgotten it.
    enum class Session { fresh, same };
    void ask_again(Session session);
    [[nodiscard]] bool answer_owed() const { return search_.state == PatchSearch::State::asked; }
    [[nodiscard]] bool searching() const { return search_.open(); }
    // Ends a wait that has lasted too long. True: there is something to do.
    [[nodiscard]] bool end_waiting(Moment now);
    [[nodiscard]] std::optional<TimePoint> wake() const { return search_.until; }

    // The installed release that has the contents of this one: a rollback takes them from there.
    [[nodiscard]] std::optional<ReleaseId> kept_contents() const;

private:
    // What is known of the patch that leads from the active release to the target.
    struct PatchSearch {
        enum class State { unasked, asked, promised, found, none };
        State state = State::unasked;
        bool query_due = false;
        Segment object;                    // found: the patch
        std::optional<TimePoint> until{};  // asked, promised: when to wait no longer
        std::set<Digest> useless{};        // what the broker does not have, or has damaged

        [[nodiscard]] bool open() const { return state == State::asked || state == State::promised; }
        void end();
    };
    // The objects to fetch.
    struct Wanted {
        std::vector<Segment> objects;
        bool asked_for = false;  // they are with the fetcher
        TimePoint since{};
        Bytes had{};            // of them, when they were wanted
        Bytes lacking{};        // of room on the disk
        unsigned restaged = 0;  // how often staging has found that something must be fetched again
    };

    [[nodiscard]] bool awaits_patch();
    [[nodiscard]] bool patch_in_use() const { return search_.state == PatchSearch::State::found; }
    [[nodiscard]] Build const* build() const { return around_.target.info.build_for(around_.settings.architecture); }
    [[nodiscard]] Materials materials() const;
    [[nodiscard]] Happening without(Digest const& object, std::string_view why);
    [[nodiscard]] Happening no_plan(Error const& error);
    [[nodiscard]] Happening fetch_again(std::vector<Segment> const& segments);
    void want_objects(Moment now);
    void log_plan(Plan const& plan) const;
    void log_fetched(Moment now);
    void log(LogLevel level, std::string_view text) const;

    Surroundings around_;
    PatchSearch search_;
    std::optional<Wanted> wanted_;
    bool kept_is_useless_ = false;  // the older release that this one goes back to cannot give its contents
    std::optional<WallTime> staged_;
};

}  // namespace lull::subscriber
