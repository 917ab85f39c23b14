#pragma once

#include <functional>

#include "tests/sim/checker.hpp"

namespace lull::sim {

// The people at a node: they start programs of the current release, use them for a while, and end them. A launch waits
// while the version is locked.
class Users {
public:
    Users(World& world, NodeDisk const& disk, Checker& checker, std::string node);

    // Called whenever a process ends.
    void on_exit(std::function<void(SoftwareName const&)> exited) { exited_ = std::move(exited); }

    // Somebody uses a software now and then, until calm() is called.
    void come_and_go(SoftwareName const& software);
    void calm() { lively_ = false; }
    void launch(SoftwareName const& software, Duration how_long);
    void end(std::vector<Holder> const& holders);
    void end_all();  // the machine goes down

    [[nodiscard]] std::vector<Holder> holders_of(ReleaseId const& release) const;

    void lock(SoftwareName const& software);
    void unlock(SoftwareName const& software);
    void unlock_all();
    [[nodiscard]] bool locked(SoftwareName const& software) const { return locks_.contains(software); }

private:
    struct Process {
        ReleaseId release;
        Holder holder;
    };
    void exit(std::uint64_t pid);

    World& world_;
    NodeDisk const& disk_;
    Checker& checker_;
    std::string node_;
    std::function<void(SoftwareName const&)> exited_;
    std::map<std::uint64_t, Process> processes_;
    std::map<SoftwareName, TimePoint> locks_;
    std::vector<std::pair<SoftwareName, Duration>> waiting_;
    std::uint64_t last_pid_ = 100;
    bool lively_ = true;
};

}  // namespace lull::sim
