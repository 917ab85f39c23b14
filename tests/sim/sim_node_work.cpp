#include "tests/sim/sim_node.hpp"

// What a node's workers do: objects, plans, trees, and who uses a version.

namespace lull::sim {

using namespace std::chrono_literals;
using namespace subscriber;

// ---- objects ----

void SimNode::perform(StoreFrame const& action) {
    later(writer_.pass(world_.now(), world_.random().between(100us, 5ms)), [this, action, payload = std::move(payload_)] {
        if (disk_.full) return raise(ObjectUnwritten{action.shape.object, {Fault::no_space, "disk full"}});
        disk_.write(action.shape.object, action.offset, payload, world_.random());
        end_frame(action, action.offset + Bytes(payload.size()));
    });
}

void SimNode::end_frame(StoreFrame const& frame, Bytes upto) {
    if (frame.then == StoreFrame::Then::nothing) return;
    auto const object = frame.shape.object;
    later(finisher_.pass(world_.now(), world_.random().between(1ms, 30ms)), [this, object, upto, then = frame.then] {
        if (plant_ != NodePlant::claims_unsynced_bytes) disk_.sync(object);
        if (then == StoreFrame::Then::sync) return raise(ObjectSynced{object, upto});
        bool const good = disk_.holds(object) || plant_ == NodePlant::skips_verification;
        if (!good) checker_.finished(name_, disk_, object);
        raise(ObjectFinished{object, good ? Status() : fail(Fault::damaged, "object {} is damaged", object.hex())});
    });
}

void SimNode::perform(DropObjects const& action) {
    later(writer_.pass(world_.now(), 1ms), [this, objects = action.objects] {
        for (auto const& object : objects) disk_.remove(object);
    });
}

// ---- trees ----

std::set<Digest> SimNode::segments_of(std::optional<ReleaseId> const& seed) const {
    std::set<Digest> segments;
    if (!seed || !disk_.versions.contains(*seed)) return segments;
    for (auto const& segment : library_.manifest_of(seed->software, seed->version).segments) segments.insert(segment.digest);
    return segments;
}

Result<Plan> SimNode::plan(MakePlan const& order) const {
    if (disk_.full) return fail(Fault::no_space, "disk full");
    if (!disk_.holds(order.manifest) && plant_ != NodePlant::skips_verification) return fail(Fault::damaged, "the manifest is damaged");
    auto const here = segments_of(order.seed);
    Plan plan;
    for (auto const& segment : library_.manifest(order.manifest)->segments) {
        if (!here.contains(segment.digest)) plan.segments.push_back(segment);
    }
    return plan;
}

void SimNode::perform(MakePlan const& action) {
    later(world_.random().between(2ms, 80ms), [this, action] { raise(PlanMade{action.release, plan(action)}); });
}

std::vector<Digest> SimNode::lacking(StageRelease const& order) const {
    auto const here = segments_of(order.seed);
    std::vector<Digest> lacking;
    if (!disk_.holds(order.manifest)) lacking.push_back(order.manifest);
    for (auto const& segment : library_.manifest(order.manifest)->segments) {
        bool const fetched = order.objects.contains(segment.digest) && disk_.holds(segment.digest);
        if (!fetched && !here.contains(segment.digest)) lacking.push_back(segment.digest);
    }
    return lacking;
}

void SimNode::perform(StageRelease const& action) {
    later(world_.random().between(10ms, 800ms), [this, action] {
        StageEnded ended{action.release, {}, {}};
        if (plant_ != NodePlant::skips_verification) ended.refetch = lacking(action);
        if (!ended.refetch.empty()) ended.status = fail(Fault::damaged, "{} objects are not here", ended.refetch.size());
        if (disk_.full) ended = {action.release, fail(Fault::no_space, "disk full"), {}};
        if (ended.status) {
            checker_.staged(name_, disk_, action);
            disk_.versions.insert(action.release);
        }
        later(world_.random().between(1ms, 20ms), [this, ended] { raise(ended); });
    });
}

void SimNode::perform(SwitchCurrent const& action) {
    later(world_.random().between(2ms, 40ms), [this, release = action.release] {
        Status status;
        if (disk_.versions.contains(release)) {
            auto const before = disk_.current.find(release.software);
            bool const changes = before != disk_.current.end() && before->second != release;
            checker_.switches(name_, disk_, release, changes ? users_.holders_of(before->second).size() : 0);
            disk_.current[release.software] = release;
            world_.trace("{}: current of {} is {}", name_, release.software.text(), release.directory_name());
        } else {
            status = fail(Fault::not_found, "{} is not there", release.directory_name());
        }
        later(world_.random().between(1ms, 20ms), [this, release, status] {
            watched_.erase(release.software);
            users_.unlock(release.software);
            raise(SwitchEnded{release, status});
        });
    });
}

void SimNode::perform(RemoveVersions const& action) {
    checker_.removes(name_, disk_, action);
    std::erase_if(disk_.versions, [&](ReleaseId const& version) {
        if (version.software != action.software || !users_.holders_of(version).empty()) return false;
        auto const current = disk_.current.find(action.software);
        bool const is_current = current != disk_.current.end() && current->second == version;
        return !is_current && std::find(action.keep.begin(), action.keep.end(), version) == action.keep.end();
    });
}

void SimNode::perform(ScanTrees const& action) {
    later(world_.random().between(2ms, 2s), [this, action] {
        TreesScanned outcome{action.software, action.read_all, world_.random().chance(0.1), false, {}};
        for (auto const& release : action.releases) {
            TreeFindings findings{release, 0, 0, "", {}, {}};
            if (!disk_.versions.contains(release)) findings.status = fail(Fault::not_found, "{} is not there", release.directory_name());
            outcome.trees.push_back(std::move(findings));
        }
        raise(std::move(outcome));
    });
}

// ---- use ----

// The lock comes first: nobody can launch between the look and the switch.
void SimNode::perform(ProbeUse const& action) {
    watched_.erase(action.active.software);
    if (users_.holders_of(action.active).empty()) users_.lock(action.active.software);
    later(world_.random().between(2ms, 100ms), [this, active = action.active] { look(active); });
}

void SimNode::look(ReleaseId const& active) {
    auto const& software = active.software;
    auto holders = users_.holders_of(active);
    if (plant_ == NodePlant::finds_nobody) holders.clear();
    if (world_.random().chance(faults_.use_unknown)) {
        users_.unlock(software);
        return raise(UseFound{software, UseAnswer::unknown, {}, "cannot look"});
    }
    bool const free = holders.empty() && (users_.locked(software) || plant_ == NodePlant::finds_nobody);
    if (free) return raise(UseFound{software, UseAnswer::free, {}, ""});
    users_.unlock(software);
    auto why = fmt::format("in use by {} processes", holders.size());
    raise(UseFound{software, UseAnswer::in_use, std::move(holders), std::move(why)});
}

// By the end of processes; the slow look is the net below.
void SimNode::perform(WatchUse const& action) {
    auto const& software = action.active.software;
    auto const watch = ++last_watch_;
    watched_[software] = watch;
    bool const over = users_.holders_of(action.active).empty();
    later(over ? Duration(5ms) : Duration(30s), [this, software, watch] {
        auto const watched = watched_.find(software);
        if (watched != watched_.end() && watched->second == watch) raise(UseMayHaveEnded{software});
    });
}

void SimNode::perform(LetGo const& action) {
    watched_.erase(action.software);
    if (plant_ != NodePlant::keeps_lock) users_.unlock(action.software);
}

void SimNode::perform(TellHolders const& action) {
    later(world_.random().between(1ms, 10ms), [this, action] {
        auto holders = action.holders;
        for (auto& holder : holders) {
            if (holder.told) continue;
            checker_.told(name_, holder.pid, action.ready);
            holder.told = world_.moment().wall;
        }
        raise(HoldersTold{action.active.software, std::move(holders)});
    });
}

}  // namespace lull::sim
