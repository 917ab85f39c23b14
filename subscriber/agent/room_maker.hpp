#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "subscriber/agent/effects.hpp"

namespace lull::subscriber {

// A version that a software can do without, because it is not active.
struct Expendable {
    enum class Worth {
        older,     // only an order to go back would need it
        way_back,  // the last version that was shown to work, where the active one was not
    };
    ReleaseId release;
    Worth worth = Worth::older;
};

// The order in which versions are given up for a release of `asker`: its own older ones, those of other software from
// the oldest on, and ways back last.
[[nodiscard]] std::vector<ReleaseId> in_order_of_loss(SoftwareName const& asker, std::vector<Expendable> versions);

// What a release needs that lacks room.
struct RoomNeed {
    ReleaseId release;
    std::vector<ReleaseId> keep;                // versions of its software that it does not want to lose in a clean-up
    bool untidy = false;                        // versions that nobody needs may be left of its software
    Bytes lacking{};                            // room; zero: it is not known how much
    std::optional<std::set<Digest>> objects{};  // of its plan; nothing: there is no plan
};

// Makes room on the disk for releases that lack it, one step at a time: first what nobody needs is deleted, then one
// version after the other is given up, unless all together would not be enough, and at last what other releases have
// fetched that lack room as well: two that hold half of what there is would wait for each other for ever. After each
// step those that lack room try again. What has been found in use is passed over until they give up.
class RoomMaker {
public:
    enum class Fate { gone, stays };
    enum class Spared { stay, go };
    // What the owners of other state do for it.
    struct Ports {
        // Versions of all software that may be given up.
        std::function<std::vector<Expendable>()> expendable;
        // Objects in incoming/ that neither this release nor any other may need; also those that other releases
        // have fetched that have failed since.
        std::function<std::vector<Digest>(RoomNeed const&, Spared)> unwanted;
        std::function<void(std::vector<Digest> const&, Effects::Continuation)> drop;
        // The record of its software no longer has the version; `then` runs when that is durable.
        std::function<void(ReleaseId const&, Effects::Continuation)> forget;
        // What became of it, and for which release.
        std::function<void(ReleaseId const&, Fate, ReleaseId const& needed_by)> settle;
        // The newest release of this software may try again.
        std::function<void(SoftwareName const&, Moment)> go_on;
    };

    explicit RoomMaker(Effects& effects) : effects_(effects) {}
    void connect(Ports ports) { ports_ = std::move(ports); }

    // True: go_on() follows. False: there is nothing left to give up.
    [[nodiscard]] bool ask(RoomNeed const& need);
    // The attempts of this software to get room have ended, well or not. For people: why versions stayed; empty if none
    // did.
    std::string end(SoftwareName const& software);

    void on(RoomMade const& event, Moment now);

private:
    struct Attempt {
        bool tidied = false;
        bool hopeless = false;      // all versions together would not be enough
        bool took_fetched = false;  // of other releases
        std::set<ReleaseId> in_use;
    };
    struct Step {
        ReleaseId asker;
        std::optional<ReleaseId> version;  // none: what nobody needs
    };
    [[nodiscard]] bool tidy(RoomNeed const& need);
    [[nodiscard]] bool take_fetched(RoomNeed const& need);
    void drop(RoomNeed const& need, std::vector<Digest> const& objects, std::string_view whose);
    [[nodiscard]] bool give_up_version(RoomNeed const& need);
    void settle(Step const& step, RoomMade const& event);

    Effects& effects_;
    Ports ports_;
    std::map<SoftwareName, Attempt> attempts_;
    std::optional<Step> step_;
    std::set<SoftwareName> waiting_;  // for the end of a step that another software has asked for
};

}  // namespace lull::subscriber
