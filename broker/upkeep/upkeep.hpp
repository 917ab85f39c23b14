#pragma once

#include <optional>

#include "broker/fleet/node_status_table.hpp"
#include "broker/log/log_changes.hpp"
#include "broker/patches/patch_planner.hpp"
#include "broker/publish/publishing.hpp"

namespace lull::broker {

// What the broker does by itself: it forgets releases that are superseded, removes objects that no release needs, and
// reads the others again.
class Upkeep {
public:
    struct Parts {
        ReleaseLog const& log;
        LogChanges& changes;
        NodeStatusTable const& node_status;
        Publishing const& publishing;
        PatchPlanner& patches;
        LostObjects& lost;
        ObjectIndex const& objects;
    };
    struct Settings {
        std::size_t keep;  // releases of each software that stay in the log, besides those in the field
        Duration scrub;    // how often each object is read and checked; 0: never
    };
    Upkeep(Parts parts, Settings settings, Effects& effects) : parts_(parts), settings_(settings), effects_(effects) {}

    // Every minute.
    void clean(Moment now);
    // Reads some objects again; to be called only while no session wants bytes.
    void scrub(Moment now);

    void needed_listed(NeededListed event, Moment now);
    void others_removed(OthersRemoved const& event, Moment now);
    void scrubbed(Scrubbed const& event, Moment now);

private:
    void forget_superseded();
    void collect_garbage(Moment now);
    void remember_lost(ObjectSet const& needed);
    [[nodiscard]] bool is_taking_objects() const {
        return parts_.publishing.is_taking_objects() || parts_.patches.making();
    }

    // Objects that no release needs.
    struct Garbage {
        std::optional<TimePoint> next{};
        std::optional<TimePoint> last{};
        bool collecting = false;
        Seq listed_at{};  // the head of the log when the needed objects were asked for
    };
    // Objects that are read again.
    struct Scrubbing {
        std::optional<TimePoint> next{};
        bool busy = false;
        Scrubbed done{};  // since it was logged last
    };

    Parts parts_;
    Settings settings_;
    Effects& effects_;
    Garbage garbage_;
    Scrubbing scrubbing_;
};

}  // namespace lull::broker
