#pragma once

#include <functional>
#include <map>
#include <string>

#include "tests/sim/library.hpp"
#include "tests/sim/node_disk.hpp"

namespace lull::sim {

// Holds a run against what is promised of hooks: they run where owner and release want them, in their order, on their
// side of the switch, and what they say counts.
class HookChecker {
public:
    using Violated = std::function<void(std::string)>;
    HookChecker(Library const& library, Violated violated) : library_(library), violated_(std::move(violated)) {}

    enum class Owner { allows, forbids };
    void owned(std::string const& node, Owner owner) { owners_[node] = owner; }

    void begins(std::string const& node, NodeDisk const& disk, ReleaseId const& release, Hook const& hook);
    void ended_well(std::string const& node, ReleaseId const& release, Hook const& hook);
    void failed(std::string const& node, ReleaseId const& release) { runs_.erase({node, release.software}); }
    void node_stops(std::string const& node);
    using Proven = std::map<SoftwareName, Seq>;
    [[nodiscard]] Proven copy(std::string const& node) const;
    void put_back(std::string const& node, Proven const& proven);
    void becomes_live(std::string const& node, ReleaseId const& release);
    void reported_active(std::string const& node, ReleaseId const& release);

    // Whether a hook of this release does not end well on this node, however often it is run.
    [[nodiscard]] bool fails(std::string const& node, ReleaseId const& release, HookTime time) const;

private:
    // Hooks of one side that have ended well, one after the other, since the first of them began.
    struct Runs {
        Seq seq;
        HookTime time = HookTime::before;
        std::size_t done = 0;
    };
    using Where = std::pair<std::string, SoftwareName>;

    [[nodiscard]] std::vector<Hook> hooks(std::string const& node, ReleaseId const& release, HookTime time) const;

    Library const& library_;
    Violated violated_;
    std::map<std::string, Owner> owners_;
    std::map<Where, Runs> runs_;
    std::map<Where, Seq> proven_;  // the last release whose hooks after the switch have all ended well
};

}  // namespace lull::sim
