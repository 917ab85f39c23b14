#include "tests/sim/users.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

Users::Users(World& world, NodeDisk const& disk, Checker& checker, std::string node)
    : world_(world),
      disk_(disk),
      checker_(checker),
      node_(std::move(node)) {}

void Users::come_and_go(SoftwareName const& software) {
    world_.after(world_.random().between(20s, 400s), [this, software] {
        if (!lively_) return;
        launch(software, world_.random().between(1s, 200s));
        come_and_go(software);
    });
}

void Users::launch(SoftwareName const& software, Duration how_long) {
    if (locked(software)) return waiting_.emplace_back(software, how_long), void();
    auto const current = disk_.current.find(software);
    if (current == disk_.current.end() || !disk_.versions.contains(current->second)) return;
    auto const pid = ++last_pid_;
    processes_[pid] = {current->second, {pid, 1000, "kiosk", software.text(), world_.moment().wall, std::nullopt}};
    world_.trace("{}: pid {} uses {}", node_, pid, current->second.directory_name());
    world_.after(how_long, [this, pid] { exit(pid); });
}

void Users::exit(std::uint64_t pid) {
    auto const process = processes_.find(pid);
    if (process == processes_.end()) return;
    auto const software = process->second.release.software;
    processes_.erase(process);
    world_.trace("{}: pid {} ends", node_, pid);
    if (exited_) exited_(software);
}

void Users::end(std::vector<Holder> const& holders) {
    for (auto const& holder : holders) exit(holder.pid);
}

void Users::end_all() {
    processes_.clear();
    waiting_.clear();
}

std::vector<Holder> Users::holders_of(ReleaseId const& release) const {
    std::vector<Holder> holders;
    for (auto const& [pid, process] : processes_) {
        if (process.release == release) holders.push_back(process.holder);
    }
    return holders;
}

void Users::lock(SoftwareName const& software) { locks_.try_emplace(software, world_.now()); }

void Users::unlock(SoftwareName const& software) {
    auto const lock = locks_.find(software);
    if (lock == locks_.end()) return;
    checker_.lock_held(node_, world_.now() - lock->second);
    locks_.erase(lock);
    auto launches = std::exchange(waiting_, {});
    for (auto const& [name, how_long] : launches) launch(name, how_long);
}

void Users::unlock_all() {
    for (auto const& [software, since] : std::map(locks_)) unlock(software);
}

}  // namespace lull::sim
