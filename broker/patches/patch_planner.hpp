#pragma once

#include <unordered_map>

#include "broker/fleet/node_status_table.hpp"
#include "broker/log/release_log.hpp"
#include "broker/model/effects.hpp"
#include "broker/model/object_index.hpp"
#include "broker/model/session_observer.hpp"
#include "broker/patches/patches.hpp"

namespace lull::broker {

// How nodes get from one release to another: has patches made for the releases that are in the field, and offers them.
class PatchPlanner final : public SessionObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        NodeStatusTable const& node_status;
        Patches& patches;
        ObjectIndex const& objects;
    };
    struct Settings {
        Bytes space;    // of stored patches and their deltas; 0: none are made
        Duration wait;  // for a smaller patch when a quick one is there, at normal urgency
    };
    PatchPlanner(Parts parts, Settings settings, Effects& effects)
        : parts_(parts),
          settings_(settings),
          effects_(effects) {}

    // Answers at once; a node that waits for a patch is answered again when it is there, or will not be.
    void query(SessionId session, PatchQuery const& query, Moment now);
    // Orders patches at once, before any node asks: first from the releases that most nodes have.
    void released(Release const& release, Moment now);
    void made(PatchMade event, Moment now);
    // Answers nodes that wait for a patch that is there, or for one that will not be made; a bounded number at a time.
    void serve_waiting(Moment now);
    // Whether it wants serve_waiting() to be called again at once.
    [[nodiscard]] bool is_serving() const { return is_serving_; }
    [[nodiscard]] bool making() const { return queue_.making(); }

    // Forgets patches that are not needed; returns all objects that the others need. Rows go before what they name: a
    // row without its objects would send nodes for nothing.
    [[nodiscard]] ObjectSet prune();
    // What a node fetches at most, as far as there are patches: to get from this release to the newest one; for the
    // newest: with nothing.
    [[nodiscard]] std::optional<Bytes> to_fetch(Release const& release) const;

    void session_ended(SessionId session, Moment now) override;
    [[nodiscard]] std::size_t kept_sessions() const override { return of_session_.size(); }

private:
    using WaitNumber = std::uint64_t;
    struct Waiting {
        SessionId session = 0;
        PatchQuery query;
        TimePoint asked{};
    };
    using Queue = std::map<WaitNumber, Waiting>;  // the longest wait first

    [[nodiscard]] std::optional<PatchId> between(PatchQuery const& query) const;
    [[nodiscard]] MadePatch const* stored(PatchId const& id) const;
    [[nodiscard]] MadePatch const* best_for(PatchQuery const& query, PatchId const& id, Duration waited) const;
    [[nodiscard]] std::optional<Duration> order(PatchId const& id, Bytes size, Moment now);
    [[nodiscard]] bool wait(PatchId const& id, Waiting const& waiting);
    void serve(PatchId const& id, Queue& queue, std::size_t& left, Moment now);
    void make_next();
    [[nodiscard]] bool is_useful(PatchId const& id) const;
    void end(PatchId const& id, Effort effort, bool failed, Moment now);

    Parts parts_;
    Settings settings_;
    Effects& effects_;
    PatchQueue queue_;
    std::map<PatchId, Queue> waiting_;
    std::unordered_map<SessionId, std::vector<std::pair<PatchId, WaitNumber>>> of_session_;
    WaitNumber next_wait_ = 0;
    bool is_serving_ = false;
};

}  // namespace lull::broker
