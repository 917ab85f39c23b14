#include "tests/sim/hook_checker.hpp"

#include <algorithm>

namespace lull::sim {

std::vector<Hook> HookChecker::hooks(std::string const& node, ReleaseId const& release, HookTime time) const {
    auto const owner = owners_.find(node);
    if (owner == owners_.end() || owner->second == Owner::forbids) return {};
    auto const& activation = library_.info_of(release).activation;
    auto hooks = activation ? activation->hooks.value_or(std::vector<Hook>()) : std::vector<Hook>();
    std::erase_if(hooks, [time](Hook const& hook) { return hook.time != time; });
    return hooks;
}

void HookChecker::begins(std::string const& node, NodeDisk const& disk, ReleaseId const& release, Hook const& hook) {
    auto const what = fmt::format("{}: {} of {} {} runs", node, hook.program, release.software.text(),
                                  release.directory_name());
    auto const wanted = hooks(node, release, hook.time);
    if (wanted.empty()) return violated_(what + ", and is not allowed to");
    auto const current = disk.current.find(release.software);
    bool const live = current != disk.current.end() && current->second == release;
    if (live != (hook.time == HookTime::after) && !disk.meddled.contains(release.software))
        violated_(what + " on the wrong side of the switch");
    auto& runs = runs_[{node, release.software}];
    if (runs.seq != release.seq || runs.time != hook.time || hook == wanted.front()) runs = {release.seq, hook.time, 0};
    if (runs.done >= wanted.size() || wanted[runs.done] != hook)
        violated_(what + ", and those before it have not ended well");
}

void HookChecker::ended_well(std::string const& node, ReleaseId const& release, Hook const& hook) {
    auto& runs = runs_[{node, release.software}];
    if (runs.seq != release.seq || runs.time != hook.time) return;
    ++runs.done;
    if (hook.time == HookTime::after && runs.done == hooks(node, release, hook.time).size())
        proven_[{node, release.software}] = release.seq;
}

// What ran before a crash runs again.
void HookChecker::node_stops(std::string const& node) {
    std::erase_if(runs_, [&](auto const& entry) { return entry.first.first == node; });
}

HookChecker::Proven HookChecker::copy(std::string const& node) const {
    Proven copy;
    for (auto const& [where, seq] : proven_) {
        if (where.first == node) copy[where.second] = seq;
    }
    return copy;
}

void HookChecker::put_back(std::string const& node, Proven const& proven) {
    std::erase_if(proven_, [&](auto const& entry) { return entry.first.first == node; });
    for (auto const& [software, seq] : proven) proven_[{node, software}] = seq;
}

void HookChecker::becomes_live(std::string const& node, ReleaseId const& release) {
    auto const wanted = hooks(node, release, HookTime::before);
    auto const found = runs_.find({node, release.software});
    bool const there = found != runs_.end() && found->second.seq == release.seq &&
                       found->second.time == HookTime::before;
    if ((there ? found->second.done : 0) < wanted.size()) {
        violated_(fmt::format("{}: {} {} becomes live before its hooks have ended well", node, release.software.text(),
                              release.directory_name()));
    }
    runs_.erase({node, release.software});
    proven_.erase({node, release.software});
}

void HookChecker::reported_active(std::string const& node, ReleaseId const& release) {
    auto const proven = proven_.find({node, release.software});
    bool const good = hooks(node, release, HookTime::after).empty() ||
                      (proven != proven_.end() && proven->second == release.seq);
    if (!good)
        violated_(fmt::format("{}: {} {} is reported active, and its hooks have not ended well", node,
                              release.software.text(), release.directory_name()));
}

bool HookChecker::fails(std::string const& node, ReleaseId const& release, HookTime time) const {
    auto const all = hooks(node, release, time);
    return std::ranges::any_of(all, [](Hook const& hook) { return Library::fate_of(hook) != HookFate::works; });
}

}  // namespace lull::sim
