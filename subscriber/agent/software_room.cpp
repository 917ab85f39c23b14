#include <algorithm>

#include "subscriber/agent/software_update.hpp"
#include "subscriber/journal/journal.hpp"

// One software and the room on the disk: what it lacks, and what it gives up.

namespace lull::subscriber {

namespace {

// The version before the active one may be needed at any moment.
bool is_on_trial(Phase phase) {
    return phase == Phase::switching || phase == Phase::verifying || phase == Phase::rolling_back;
}

}  // namespace

bool SoftwareUpdate::makes_room(Error const& error) {
    bool const acquiring = progress_.phase == Phase::announced || progress_.phase == Phase::fetching;
    if (error.fault != Fault::no_space || running_ || !acquiring) return false;
    auto needs = work_->acquisition.needs();
    auto keep = kept();
    if (!target_is_active()) std::erase(keep, work_->target.release);  // a tree of it is built anew
    bool const untidy = untidy_ || work_->acquisition.staged();
    if (!shared_.room.ask({work_->target.release, std::move(keep), untidy, work_->acquisition.lacking(), needs}))
        return false;
    if (needs) {
        shared_.objects.spare(software(), std::move(*needs));
    } else {
        shared_.objects.spare(software());
    }
    work_->acquisition.plan_again();
    progress_.phase = Phase::announced;
    run(Work::making_room);
    return true;
}

void SoftwareUpdate::room_made(Moment now) {
    end_running();
    reconcile(now);
}

std::vector<Expendable> SoftwareUpdate::expendable() const {
    if (is_on_trial(progress_.phase)) return {};
    bool const acquiring = progress_.phase == Phase::announced || progress_.phase == Phase::fetching;
    auto const source = acquiring ? work_->acquisition.kept_contents() : std::nullopt;
    std::vector<Expendable> versions;
    auto const add = [&](std::optional<ReleaseRef> const& version, Expendable::Worth worth) {
        if (!version || version == installed_.active || version == work_->target.ref()) return;
        ReleaseId release{software(), version->seq, version->version};
        if (source != release) versions.push_back({std::move(release), worth});
    };
    if (installed_.previous != installed_.proven) add(installed_.previous, Expendable::Worth::older);
    add(installed_.proven, Expendable::Worth::way_back);
    // A release that was staged and does not work is staged anew when it is tried again.
    bool const stopped = progress_.phase == Phase::failed || progress_.phase == Phase::rolled_back;
    if (stopped && work_->acquisition.staged() && !target_is_active())
        versions.push_back({work_->target.release, Expendable::Worth::older});
    return versions;
}

void SoftwareUpdate::give_up_version(ReleaseId const& version, Effects::Continuation then) {
    before_giving_up_ = installed_;
    installed_.forget({version.seq, version.version});
    if (is_target(version)) work_->acquisition.forget_tree();
    shared_.effects.persist({journal::put(software(), record())}, std::move(then));
}

void SoftwareUpdate::version_settled(ReleaseId const& version, RoomMaker::Fate fate, ReleaseId const& needed_by) {
    auto const before = std::exchange(before_giving_up_, std::nullopt);
    if (fate == RoomMaker::Fate::stays) {
        if (before) installed_.take_back({version.seq, version.version}, *before);
        return shared_.effects.persist({journal::put(software(), record())});
    }
    std::set<std::uint64_t> left;
    for (auto const& kept : {installed_.active, installed_.previous, installed_.proven}) {
        if (kept) left.insert(kept->seq.value);
    }
    room_ = fmt::format("kept {} version{}: room was needed for {} {}", left.size(), left.size() == 1 ? "" : "s",
                        needed_by.software.text(), needed_by.version.text());
    save();
}

}  // namespace lull::subscriber
