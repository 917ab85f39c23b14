#include <algorithm>

#include "subscriber/agent.hpp"

// From the announcement of a release to its staged tree: the patch that the broker may have, the plan, the objects.

namespace lull::subscriber {

namespace {

constexpr Duration longest_wait = std::chrono::minutes(15);   // for a patch that is being made
constexpr Duration longest_silence = std::chrono::minutes(2); // of a broker that is asked for one

}  // namespace

// ---- the patch ----

// Whoever has a release already asks the broker how to get from there to the new one. True while there is no answer, or the patch is on
// its way.
bool Agent::awaits_patch(SoftwareName const& software) {
    auto& search = work_.at(software).patch;
    auto const active = active_of(software);
    switch (search.state) {
        case PatchSearch::State::unasked: {
            bool const possible = active && active->seq < target_of(software).seq && !kept_contents_of(software);
            search.state = possible ? PatchSearch::State::asked : PatchSearch::State::none;
            if (possible) unasked_plans_.insert(software);
            return possible;
        }
        case PatchSearch::State::asked:
        case PatchSearch::State::promised: return true;
        case PatchSearch::State::found:
            if (!fetcher_.wants_for(software)) fetcher_.want(target_of(software), search.object.digest, search.object.size);
            return !fetcher_.complete(search.object.digest);
        case PatchSearch::State::none: return false;
    }
    return false;
}

bool Agent::patch_in_use(SoftwareName const& software) const {
    return work_.at(software).patch.state == PatchSearch::State::found;
}

void Agent::ask_plans(Moment now) {
    for (auto const& software : std::exchange(unasked_plans_, {})) {
        auto& search = work_.at(software).patch;
        auto const active = active_of(software);
        if (search.state != PatchSearch::State::asked && search.state != PatchSearch::State::promised) continue;
        if (!active) {
            end_search(software);
            pursue(software, now);
            continue;
        }
        if (!search.until) search.until = now.point + longest_silence;
        asked_at_ = now.point;
        link_.spoke(now.point);
        send(PlanQuery{software, settings_.architecture, active->seq, target_of(software).seq});
    }
}

// In a new session also what was promised: the broker has forgotten it with the old one.
void Agent::ask_plans_again(Session session) {
    for (auto const& [software, work] : work_) {
        bool const promised = work.patch.state == PatchSearch::State::promised;
        if (work.patch.state == PatchSearch::State::asked || (promised && session == Session::fresh)) unasked_plans_.insert(software);
    }
}

bool Agent::plan_owed() const {
    return std::ranges::any_of(work_, [](auto const& entry) { return entry.second.patch.state == PatchSearch::State::asked; });
}

void Agent::on_message(Steps const& message, Moment now) {
    auto const known = work_.find(message.software);
    if (known == work_.end()) return;
    auto& search = known->second.patch;
    auto const active = active_of(message.software);
    bool const open = search.state == PatchSearch::State::asked || search.state == PatchSearch::State::promised;
    if (!open || !active || active->seq != message.from || target_of(message.software).seq != message.to) return;
    link_.useful(now.point);
    if (message.patch && !search.useless.contains(*message.patch) && message.size <= limits::patch) {
        search.state = PatchSearch::State::found;
        search.object = {*message.patch, message.size};
        search.until.reset();
    } else if (message.wait > 0 && !message.patch) {
        auto const wait = std::chrono::milliseconds(std::min<std::uint64_t>(message.wait, 86'400'000));
        search.state = PatchSearch::State::promised;
        search.until = now.point + std::min<Duration>(2 * wait, longest_wait);
        say(LogLevel::info, fmt::format("{}: the broker prepares what leads from release {} to {}", message.software.text(),
                                        message.from.value, message.to.value));
    } else {
        end_search(message.software);
    }
    pursue(message.software, now);
}

void Agent::end_search(SoftwareName const& software) {
    auto& search = work_.at(software).patch;
    search.state = PatchSearch::State::none;
    search.until.reset();
}

// Who has waited long enough fetches segments.
void Agent::end_waiting(Moment now) {
    for (auto& [software, work] : work_) {
        if (!work.patch.until || now.point < *work.patch.until) continue;
        say(LogLevel::info, fmt::format("{}: waits no longer for what leads to release {}", software.text(), target_of(software).seq.value));
        end_search(software);
        pursue(software, now);
    }
}

// A patch or a delta is not to be had, or gives something else: the plan is made anew, without it.
void Agent::go_without(SoftwareName const& software, Digest const& object, Error const& why, Moment now) {
    auto& work = work_.at(software);
    say(LogLevel::warn, fmt::format("{}: goes on without {}: {}", software.text(), object.hex(), why.message));
    work.patch.useless.insert(object);
    if (object == work.patch.object.digest) end_search(software);
    drop({object}, [](Moment) {});
    fetcher_.unwant(software);
    work.plan.reset();
    auto& record = state_.software.at(software);
    if (record.phase == Phase::fetching) record.phase = Phase::announced;  // as after a start: what is reported is no other
    pursue(software, now);
}

// ---- the plan ----

// A release that goes back to an older one which is still here needs no byte from the broker.
std::optional<ReleaseId> Agent::kept_contents_of(SoftwareName const& software) const {
    auto const& record = state_.software.at(software);
    auto const wanted = target_of(software).version;
    if (work_.at(software).kept_is_useless || contents_of(wanted) == wanted) return std::nullopt;
    for (auto const& kept : {record.active, record.previous, record.proven}) {
        if (kept && contents_of(kept->version) == contents_of(wanted)) return ReleaseId{software, kept->seq, kept->version};
    }
    return std::nullopt;
}

Materials Agent::materials(SoftwareName const& software) const {
    auto const& work = work_.at(software);
    auto const kept = kept_contents_of(software);
    Materials materials{target_of(software), work.info.build_for(settings_.architecture)->manifest, kept ? kept : active_of(software),
                        fetcher_.shapes(software), std::nullopt};
    if (patch_in_use(software)) materials.patch = work.patch.object.digest;
    return materials;
}

void Agent::pursue_plan(SoftwareName const& software, Moment now) {
    auto const* build = work_.at(software).info.build_for(settings_.architecture);
    if (build == nullptr) {
        return give_up(software, Error{Fault::not_found, fmt::format("there is no build for {}", settings_.architecture.text())}, now);
    }
    auto const trusted = check_signature(state_.software.at(software).entry.update, domain::update_info, settings_.trusted);
    if (!trusted) return give_up(software, trusted.error(), now);
    if (awaits_patch(software)) return;
    auto const target = target_of(software);
    auto& work = work_.at(software);
    bool const has_manifest = patch_in_use(software) || kept_contents_of(software).has_value();
    if (!has_manifest && !fetcher_.wants_for(software)) fetcher_.want(target, build->manifest, build->manifest_size);
    if (!has_manifest && !fetcher_.complete(build->manifest)) return;
    work.busy = true;
    work.busy_with = target.seq;
    out_.push_back(MakePlan{materials(software), work.patch.useless});
}

void Agent::say_plan(SoftwareName const& software, Plan const& plan) {
    auto const& search = work_.at(software).patch;
    auto const bytes = plan.to_fetch ? fmt::format(", {}", to_text(*plan.to_fetch)) : std::string();
    say(LogLevel::info, fmt::format("{} {}: {} objects to fetch{}{}", software.text(), work_.at(software).info.version.text(),
                                    plan.objects.size(), bytes, search.state == PatchSearch::State::found ? ", with a patch" : ""));
}

// ---- objects ----

void Agent::pursue_objects(SoftwareName const& software, Moment now) {
    auto& work = work_.at(software);
    auto const target = target_of(software);
    LULL_INVARIANT(work.plan.has_value());
    if (!work.wanted) want_plan(software, now);
    if (!fetcher_.has_all(software)) return;
    say_fetched(software, now);
    work.busy = true;
    work.busy_with = target.seq;
    out_.push_back(StageRelease{materials(software)});
}

void Agent::want_plan(SoftwareName const& software, Moment now) {
    auto& work = work_.at(software);
    for (auto const& object : *work.plan) fetcher_.want(target_of(software), object.digest, object.size);
    work.wanted = true;
    work.wanted_since = now.point;
    work.had = fetcher_.arrived_for(software);
}

void Agent::say_fetched(SoftwareName const& software, Moment now) {
    auto& work = work_.at(software);
    auto const has = fetcher_.arrived_for(software);
    if (has <= work.had) return;
    auto const took = std::chrono::duration_cast<std::chrono::milliseconds>(now.point - work.wanted_since);
    say(LogLevel::info, fmt::format("{} {}: fetched {} in {} ms", software.text(), work.info.version.text(), to_text(has - work.had),
                                    took.count()));
    work.had = has;
}

void Agent::on_event(PlanMade event, Moment now) {
    auto const& software = event.release.software;
    auto& work = work_.at(software);
    work.busy = false;
    if (!is_target(event.release) || state_.software.at(software).phase != Phase::announced) return pursue(software, now);
    if (!event.plan) {
        bool const damaged = event.plan.error().fault == Fault::damaged;
        if (damaged && kept_contents_of(software)) {
            work.kept_is_useless = true;
            return pursue(software, now);
        }
        if (damaged && patch_in_use(software)) return go_without(software, work.patch.object.digest, event.plan.error(), now);
        if (damaged) drop({work.info.build_for(settings_.architecture)->manifest}, [](Moment) {});
        return give_up(software, event.plan.error(), now);
    }
    say_plan(software, *event.plan);
    work.plan = std::move(event.plan->objects);
    work.wanted = false;
    work.restaged = 0;
    if (!move(software, Happening::plan_made, "", now)) return;
    pursue(software, now);
}

void Agent::on_event(StageEnded event, Moment now) {
    auto const& software = event.release.software;
    work_.at(software).busy = false;
    auto& record = state_.software.at(software);
    if (!is_target(event.release) || record.phase != Phase::fetching) return pursue(software, now);
    if (event.status) {
        if (!record.trials) record.failures = 0;  // else it is known not to work, and tried less and less often
        if (!record.staged) record.staged = now.wall;
        fetcher_.unwant(software);
        if (move(software, Happening::tree_staged, "", now)) {
            save(software, [this, software](Moment then) { pursue(software, then); });
        }
        return;
    }
    constexpr unsigned most_tries = 4;
    if (event.refetch.empty() || ++work_.at(software).restaged > most_tries) return give_up(software, event.status.error(), now);
    say(LogLevel::warn, fmt::format("{}: {}; fetching {} objects", software.text(), event.status.error().message, event.refetch.size()));
    fetch_again(software, event.refetch, now);
}

// What was fetched is dropped and fetched again. What the installed release was to give, and cannot because it is damaged, becomes part
// of the plan.
void Agent::fetch_again(SoftwareName const& software, std::vector<Segment> const& segments, Moment now) {
    auto const target = target_of(software);
    auto& work = work_.at(software);
    auto const manifest = work.info.build_for(settings_.architecture)->manifest;
    if (kept_contents_of(software) && segments.front().digest == manifest) {
        work.kept_is_useless = true;
        return go_without(software, manifest, {Fault::damaged, "the older release cannot be used any more"}, now);
    }
    if (patch_in_use(software) && segments.front().digest == manifest) {
        return go_without(software, work.patch.object.digest, {Fault::damaged, "the patch gives no manifest any more"}, now);
    }
    std::vector<Digest> useless;
    for (auto const& segment : segments) {
        auto const is_it = [&](Segment const& planned) { return planned.digest == segment.digest; };
        if (segment.digest == manifest || std::ranges::any_of(*work.plan, is_it)) {
            useless.push_back(segment.digest);
        } else {
            work.plan->push_back(segment);
            fetcher_.want(target, segment.digest, segment.size);
        }
    }
    if (useless.empty()) return pursue(software, now);
    drop(useless, [this, target](Moment then) {
        if (is_target(target)) pursue(target.software, then);
    });
}

}  // namespace lull::subscriber
