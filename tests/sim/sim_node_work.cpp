#include "tests/sim/sim_node.hpp"

#include <algorithm>

// What a node's workers do: objects, plans, trees, and who uses a version.

namespace lull::sim {

using namespace std::chrono_literals;
using namespace subscriber;

// ---- objects ----

void SimNode::perform(StoreFrame const& action) {
    later(writer_.pass(world_.now(), world_.random().between(100us, 5ms)), [this, action,
                                                                            payload = std::move(payload_)] {
        auto const& object = action.shape.object;
        if (auto const failed = failed_at_.find(object); failed != failed_at_.end()) {
            if (action.offset > failed->second) return;
            failed_at_.erase(failed);
        }
        bool const full = disk_.full || !has_room(Bytes(payload.size()));
        if (full || fails(faults_.write_fails)) {
            View const part = View(payload).first(world_.random().below(payload.size()));
            if (!full && !part.empty()) disk_.write(object, action.offset, part, world_.random());
            failed_at_[object] = action.offset;
            return raise(ObjectUnwritten{object, {full ? Fault::no_space : Fault::failed, "it could not be written"}});
        }
        disk_.write(object, action.offset, payload, world_.random());
        end_frame(action, action.offset + Bytes(payload.size()));
    });
}

void SimNode::end_frame(StoreFrame const& frame, Bytes upto) {
    if (frame.then == StoreFrame::Then::nothing) return;
    auto const object = frame.shape.object;
    later(finisher_.pass(world_.now(), world_.random().between(1ms, 30ms)), [this, object, upto, then = frame.then] {
        if (fails(faults_.sync_fails)) return crash_now();
        if (plant_ != NodePlant::claims_unsynced_bytes) disk_.sync(object);
        if (then == StoreFrame::Then::sync) return raise(ObjectSynced{object, upto});
        bool const good = disk_.holds(object) || plant_ == NodePlant::skips_verification;
        if (!good) checker_.finished(name_, disk_, object);
        raise(ObjectFinished{object, good ? Status() : fail(Fault::damaged, "object {} is damaged", object.hex())});
    });
}

void SimNode::perform(DropObjects const& action) {
    later(writer_.pass(world_.now(), 1ms), [this, objects = action.objects] {
        for (auto const& object : objects) {
            failed_at_.erase(object);
            disk_.remove(object);
        }
    });
}

// ---- jobs ----

void SimNode::begin(SoftwareName const& software, Job job, Duration takes, EndOfJob end) {
    auto const number = ++last_job_;
    jobs_.insert_or_assign({software, job}, PendingJob{number, std::move(end)});
    later(takes, [this, key = std::pair(software, job), number] {
        auto const found = jobs_.find(key);
        if (found == jobs_.end() || found->second.number != number) return;
        auto const ended = std::move(found->second.end);
        jobs_.erase(found);
        ended(JobEnd::done);
    });
}

// Some jobs come to their end before the shell can stop them.
void SimNode::perform(CancelJob const& action) {
    auto const found = jobs_.find({action.software, action.job});
    bool const stops = found != jobs_.end() && !world_.random().chance(0.3);
    world_.trace("{}: job {} of {} is cancelled{}", name_, static_cast<int>(action.job), action.software.text(),
                 stops ? "" : ", too late");
    if (!stops) return;
    auto const ended = std::move(found->second.end);
    jobs_.erase(found);
    later(world_.random().between(1ms, 50ms), [ended] { ended(JobEnd::cancelled); });
}

namespace {

Status stopped() { return fail(Fault::cancelled, "it was cancelled"); }

}  // namespace

// ---- trees ----

std::set<Digest> SimNode::segments_of(std::optional<ReleaseId> const& seed) const {
    std::set<Digest> segments;
    if (!seed || !disk_.versions.contains(*seed)) return segments;
    for (auto const& segment : library_.manifest_of(seed->software, seed->version).segments)
        segments.insert(segment.digest);
    return segments;
}

// A patch that is here, and for the release that is here.
std::optional<Patch> SimNode::open_patch(Materials const& order) const {
    bool const usable = order.patch && disk_.holds(*order.patch) && order.seed && disk_.versions.contains(*order.seed);
    if (!usable) return std::nullopt;
    auto patch = decode_patch(disk_.incoming.at(*order.patch).bytes);
    if (!patch || patch->from != library_.digest_of(order.seed->software, order.seed->version) ||
        patch->to != order.manifest) {
        return std::nullopt;
    }
    return std::move(*patch);
}

// From an older release with the same contents, from the patch, or as an object.
bool SimNode::has_manifest(Materials const& order) const {
    bool const seeded = order.seed && disk_.versions.contains(*order.seed);
    if (seeded && library_.digest_of(order.seed->software, order.seed->version) == order.manifest) return true;
    return order.patch ? open_patch(order).has_value()
                       : order.objects.contains(order.manifest) && disk_.holds(order.manifest);
}

Result<Plan> SimNode::plan(MakePlan const& order) const {
    auto const& materials = order.materials;
    if (disk_.full) return fail(Fault::no_space, "disk full");
    auto const patch = open_patch(materials);
    if (!has_manifest(materials) && plant_ != NodePlant::skips_verification)
        return fail(Fault::damaged, "the manifest is damaged");
    if (world_.random().chance(faults_.work_fails)) return fail(Fault::failed, "input/output error");
    auto const here = segments_of(materials.seed);
    auto const& segments = library_.manifest(materials.manifest)->segments;
    Plan plan;
    for (std::uint32_t i = 0; i < segments.size(); ++i) {
        if (here.contains(segments[i].digest)) continue;
        auto object = segments[i];
        if (patch) {
            auto const step = std::ranges::find(patch->steps, i, &Step::segment);
            bool const small = !world_.random().chance(0.1);  // it fits into memory
            if (step != patch->steps.end() && !order.useless.contains(*step->object) && small)
                object = {*step->object, step->size};
        }
        plan.objects.push_back(object);
    }
    Bytes needed = tree_size(materials.release);
    for (auto const& object : plan.objects) {
        auto const file = disk_.incoming.find(object.digest);
        Bytes const arrived(file == disk_.incoming.end() ? 0 : file->second.bytes.size());
        needed += object.size - std::min(object.size, arrived);
    }
    if (!has_room(needed)) {
        plan.no_room = Error{Fault::no_space, "no room"};
        plan.lacking = used() + needed - library_.tight_room();
    }
    return plan;
}

Bytes SimNode::tree_size(ReleaseId const& release) const {
    return library_.manifest_of(release.software, release.version).content_size();
}

Bytes SimNode::used() const {
    Bytes used{};
    for (auto const& version : disk_.versions) used += tree_size(version);
    for (auto const& [object, file] : disk_.incoming) used += Bytes(file.bytes.size());
    return used;
}

bool SimNode::has_room(Bytes more) const { return !small_disk_ || used() + more <= library_.tight_room(); }

void SimNode::perform(MakePlan const& action) {
    begin(action.materials.release.software, Job::plan, world_.random().between(2ms, 80ms), [this, action](JobEnd end) {
        if (end == JobEnd::cancelled) return raise(PlanMade{action.materials.release, pass(stopped().error())});
        raise(PlanMade{action.materials.release, plan(action)});
    });
}

// Of the installed release, what nobody has changed.
std::set<Digest> SimNode::intact_segments(std::optional<ReleaseId> const& seed) const {
    auto here = segments_of(seed);
    if (auto const drift = seed ? disk_.drift.find(*seed) : disk_.drift.end(); drift != disk_.drift.end()) {
        for (auto const& segment : drift->second.seen) here.erase(segment);
        for (auto const& segment : drift->second.unseen) here.erase(segment);
    }
    return here;
}

// Whether a delta that is here gives a segment.
bool SimNode::gives(Materials const& order, Patch const& patch, std::uint32_t segment) const {
    auto const step = std::ranges::find(patch.steps, segment, &Step::segment);
    if (step == patch.steps.end() || !order.objects.contains(*step->object) || !disk_.holds(*step->object))
        return false;
    if (intact_segments(order.seed).size() != segments_of(order.seed).size()) return false;  // its base
    return plant_ == NodePlant::trusts_deltas ||
           library_.gives(*step->object, library_.manifest(order.manifest)->segments[segment].digest);
}

std::vector<Segment> SimNode::lacking(Materials const& order) const {
    auto const here = intact_segments(order.seed);
    auto const patch = open_patch(order);
    std::vector<Segment> lacking;
    if (!has_manifest(order)) return {{order.manifest, Bytes()}};
    auto const& segments = library_.manifest(order.manifest)->segments;
    for (std::uint32_t i = 0; i < segments.size(); ++i) {
        auto const& segment = segments[i];
        bool const fetched = order.objects.contains(segment.digest) && disk_.holds(segment.digest);
        if (!fetched && !here.contains(segment.digest) && !(patch && gives(order, *patch, i)))
            lacking.push_back(segment);
    }
    return lacking;
}

void SimNode::perform(StageRelease const& action) {
    auto const& software = action.materials.release.software;
    begin(software, Job::staging, world_.random().between(10ms, 800ms), [this, order = action.materials](JobEnd end) {
        if (end == JobEnd::cancelled) return raise(StageEnded{order.release, stopped(), {}});
        stage(order);
    });
}

void SimNode::stage(Materials const& order) {
    StageEnded ended{order.release, {}, {}};
    if (plant_ != NodePlant::skips_verification) ended.refetch = lacking(order);
    if (!ended.refetch.empty()) ended.status = fail(Fault::damaged, "{} objects are not here", ended.refetch.size());
    if (disk_.full || !has_room(tree_size(order.release)))
        ended = {order.release, fail(Fault::no_space, "disk full"), {}};
    if (ended.status && fails(faults_.work_fails)) ended.status = fail(Fault::failed, "input/output error");
    if (ended.status) {
        checker_.staged(name_, disk_, order);
        disk_.versions.insert(order.release);
        disk_.drift.erase(order.release);
    }
    later(world_.random().between(1ms, 20ms), [this, ended] {
        disk_.sync_names(ended.release.software);
        raise(ended);
    });
}

void SimNode::perform(SwitchCurrent const& action) {
    // A newer release may take the place of this one in the journal before the switch is done.
    auto const policy =
        decode_update_info(disk_.journal.software.at(action.release.software).entry.update.payload)->policy;
    later(installer_.pass(world_.now(), world_.random().between(2ms, 40ms)), [this, release = action.release, policy] {
        Status status;
        if (fails(faults_.work_fails)) {
            status = fail(Fault::failed, "input/output error");
        } else if (disk_.versions.contains(release)) {
            check_switch(release, policy);
            disk_.current[release.software] = release;
            world_.trace("{}: current of {} is {}", name_, release.software.text(), release.directory_name());
        } else {
            status = fail(Fault::not_found, "{} is not there", release.directory_name());
        }
        later(world_.random().between(1ms, 20ms), [this, release, status] {
            watched_.erase(release.software);
            users_.unlock(release.software);
            if (plant_ != NodePlant::forgets_directory_sync) disk_.sync_names(release.software);
            raise(SwitchEnded{release, status});
        });
    });
}

// Whoever uses a release that does not wait, or that does not work, keeps its files.
void SimNode::check_switch(ReleaseId const& release, Policy policy) const {
    auto const before = disk_.current.find(release.software);
    bool const changes = before != disk_.current.end() && before->second != release;
    if (changes && before->second.seq > release.seq) return checker_.goes_back(name_, disk_, before->second, release);
    bool const forced = checker_.orders().forced(name_, release);
    bool const waits = !forced && policy != Policy::now;
    checker_.switches(name_, disk_, release, changes && waits ? users_.holders_of(before->second).size() : 0);
    bool const held = holds_.all && world_.now() - held_since_ > 1min;
    if (changes && held && !forced)
        checker_.violated("{}: {} was switched while it was held", name_, release.software.text());
    if (!changes && before != disk_.current.end()) return;  // it was live before
    checker_.orders().becomes_live(name_, release, moment().wall);
    checker_.hooks().becomes_live(name_, release);
}

void SimNode::perform(RemoveVersions const& action) {
    checker_.removes(name_, disk_, action);
    for (auto const& version : std::set(disk_.versions)) {
        if (version.software != action.software || !users_.holders_of(version).empty()) continue;
        auto const current = disk_.current.find(action.software);
        bool const is_current = current != disk_.current.end() && current->second == version;
        bool const kept = std::find(action.keep.begin(), action.keep.end(), version) != action.keep.end();
        if (!is_current && !kept) disk_.remove_tree(version);
    }
}

void SimNode::perform(MakeRoom const& action) {
    checker_.makes_room(name_, disk_, action);
    later(installer_.pass(world_.now(), world_.random().between(2ms, 200ms)), [this, action] {
        auto const current = disk_.current.find(action.software);
        RoomMade made{action.software, std::vector<ReleaseId>()};
        Bytes most{};
        for (auto const& version : action.candidates) {
            if (disk_.versions.contains(version)) most += tree_size(version);
        }
        made.hopeless = most < action.lacking;
        for (auto const& version : std::set(disk_.versions)) {
            if (version.software != action.software) continue;
            bool const chosen = action.only ? version == *action.only
                                            : std::ranges::find(action.keep, version) == action.keep.end();
            bool const is_current = current != disk_.current.end() && current->second == version;
            bool const goes = chosen && !made.hopeless && !is_current && users_.holders_of(version).empty() &&
                              plant_ != NodePlant::keeps_old_versions;
            if (goes) disk_.remove_tree(version);
            if (!goes) made.there->push_back(version);
        }
        if (!made.hopeless && fails(faults_.work_fails)) made.there = fail(Fault::failed, "input/output error");
        raise(std::move(made));
    });
}

void SimNode::perform(PointBack const& action) {
    later(installer_.pass(world_.now(), world_.random().between(2ms, 40ms)), [this, release = action.release] {
        if (!disk_.versions.contains(release)) return;
        disk_.current.insert_or_assign(release.software, release);
        disk_.sync_names(release.software);
    });
}

void SimNode::perform(ScanTrees const& action) {
    begin(action.software, Job::scan, world_.random().between(2ms, 2s),
          [this, action](JobEnd end) { scan(action, end); });
}

void SimNode::scan(ScanTrees const& order, JobEnd end) {
    bool const interrupted = end == JobEnd::cancelled || world_.random().chance(0.1);
    TreesScanned outcome{order.software, order.read_all, interrupted, {}, {}};
    for (auto const& release : order.releases) outcome.trees.push_back(look_at(order, release));
    auto const current = disk_.current.find(order.software);
    bool const mismatch = order.active && (current == disk_.current.end() || current->second != *order.active);
    if (mismatch && disk_.versions.contains(*order.active)) outcome.current_mismatch = order.active;
    raise(std::move(outcome));
}

// Whether this segment lies somewhere else on the disk, as it should be.
bool SimNode::has_source(ScanTrees const& order, Digest const& segment) const {
    if (order.objects.contains(segment) && disk_.holds(segment)) return true;
    return std::any_of(disk_.versions.begin(), disk_.versions.end(), [&](ReleaseId const& version) {
        auto const drift = disk_.drift.find(version);
        bool const spoilt = drift != disk_.drift.end() &&
                            (drift->second.seen.contains(segment) || drift->second.unseen.contains(segment));
        return version.software == order.software && !spoilt && segments_of(version).contains(segment);
    });
}

TreeFindings SimNode::look_at(ScanTrees const& order, ReleaseId const& release) {
    TreeFindings findings{release, 0, 0, "", {}, {}};
    if (!disk_.versions.contains(release))
        findings.status = fail(Fault::not_found, "{} is not there", release.directory_name());
    auto const drift = disk_.drift.find(release);
    if (drift == disk_.drift.end() || plant_ == NodePlant::overlooks_drift) return findings;
    auto const put_right = [&](std::set<Digest>& files) {
        for (auto const& segment : std::set(files)) {
            findings.example = "a file: contents differ";
            if (has_source(order, segment)) {
                ++findings.repaired;
                files.erase(segment);
            } else {
                ++findings.left;
                findings.lacking.push_back({segment, Bytes(library_.bytes(segment).size())});
            }
        }
    };
    if (order.read_all)
        drift->second.seen.merge(std::exchange(drift->second.unseen, {}));  // it has no mark of being read well
    put_right(drift->second.seen);
    if (drift->second.none()) disk_.drift.erase(drift);
    return findings;
}

void SimNode::meddle() {
    auto& random = world_.random();
    if (disk_.versions.empty()) return;
    auto const release = *std::next(disk_.versions.begin(),
                                    static_cast<std::ptrdiff_t>(random.below(disk_.versions.size())));
    auto const current = disk_.current.find(release.software);
    auto const what = random.below(10);
    if (what == 0) {
        world_.trace("{}: somebody removes {} {}", name_, release.software.text(), release.directory_name());
        disk_.meddled.insert(release.software);
        return disk_.remove_tree(release);
    }
    if (what == 1 && current != disk_.current.end()) {
        world_.trace("{}: somebody points {} to {}", name_, release.software.text(), release.directory_name());
        disk_.meddled.insert(release.software);
        current->second = release;
        return disk_.sync_names(release.software);
    }
    auto const segments = segments_of(release);
    auto const segment = *std::next(segments.begin(), static_cast<std::ptrdiff_t>(random.below(segments.size())));
    auto& drift = disk_.drift[release];
    world_.trace("{}: somebody changes {} {}", name_, release.software.text(), release.directory_name());
    (random.chance(0.7) ? drift.seen : drift.unseen).insert(segment);
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
            holder.told = moment().wall;
        }
        raise(HoldersTold{action.active.software, std::move(holders)});
    });
}

void SimNode::perform(EndUse const& action) {
    auto const& software = action.active.software;
    disk_.ended.insert(software);
    begin(software, Job::ending_use, world_.random().between(5ms, Duration(action.grace) + 1s),
          [this, action](JobEnd end) { end_users(action, end); });
}

// Where it is cancelled, some have ended already.
void SimNode::end_users(EndUse const& order, JobEnd end) {
    std::vector<Holder> ended;
    for (auto const& holder : order.holders) {
        if (!world_.random().chance(end == JobEnd::done ? 0.1 : 0.7)) ended.push_back(holder);
    }
    users_.end(ended);
    raise(UseEnded{order.active.software, fmt::format("{} of {} have ended", ended.size(), order.holders.size())});
}

void SimNode::perform(StartUse const& action) {
    later(world_.random().between(5ms, 2s), [this, software = action.software] {
        if (plant_ != NodePlant::leaves_users_ended) disk_.ended.erase(software);
        auto const status = fails(faults_.work_fails) ? Status(fail(Fault::failed, "kiosk.service does not start"))
                                                      : Status();
        auto const current = disk_.current.find(software);
        if (!status && current != disk_.current.end() && is_on_trial(current->second))
            disk_.unhealthy.insert(current->second);
        raise(UseStarted{software, status});
    });
}

bool SimNode::is_on_trial(ReleaseId const& release) const {
    auto const& update = agent_->updates().at(release.software);
    return update.phase() == Phase::verifying && update.target().release.seq == release.seq;
}

void SimNode::perform(CheckHealth const& action) {
    auto const& software = action.release.software;
    begin(software, Job::health_check, world_.random().between(10ms, 40s),
          [this, release = action.release](JobEnd end) {
              if (end == JobEnd::cancelled) return raise(HealthFound{release, stopped()});
              bool const works = plant_ == NodePlant::calls_all_healthy ||
                                 (!library_.is_broken(release) && !fails(faults_.work_fails));
              if (!works && is_on_trial(release)) disk_.unhealthy.insert(release);
              raise(HealthFound{release, works ? Status() : fail(Fault::failed, "bin/check ended with status 1")});
          });
}

void SimNode::perform(RunHook const& action) {
    checker_.hooks().begins(name_, disk_, action.release, action.hook);
    begin(action.release.software, Job::hook, world_.random().between(10ms, 15s),
          [this, action](JobEnd end) { end_hook(action, end); });
}

void SimNode::end_hook(RunHook const& order, JobEnd end) {
    auto const& release = order.release;
    auto const& hook = order.hook;
    if (end == JobEnd::cancelled) return raise(HookEnded{release, stopped()});
    auto const fate = Library::fate_of(hook);
    world_.trace("{}: {} of {} ends", name_, hook.program, release.directory_name());
    if (fate == HookFate::kills || fails(faults_.hook_kills)) return crash_now();
    if (fate == HookFate::works && !fails(faults_.work_fails)) {
        checker_.hooks().ended_well(name_, release, hook);
        return raise(HookEnded{release, {}});
    }
    checker_.hooks().failed(name_, release);
    if (is_on_trial(release)) disk_.unhealthy.insert(release);
    raise(HookEnded{release, fail(Fault::failed, "{} ended with status 1", hook.program)});
}

}  // namespace lull::sim
