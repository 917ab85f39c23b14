#include <algorithm>

#include "broker/broker.hpp"

// How the broker gets nodes from one release to another: it has patches made for the releases that are in the field.

namespace lull::broker {

namespace {

constexpr std::size_t most_waiting_plans = 256;  // a session; whoever has more fetches whole segments

}  // namespace

// The patch between these builds, if both releases are in the log and the second is the newest.
std::optional<PatchId> Broker::patch_between(PlanQuery const& plan) const {
    auto const* const newest = state_.catalogue.newest(plan.software);
    auto const* const from = state_.catalogue.at(plan.from);
    bool const possible = newest != nullptr && newest->entry.seq == plan.to && from != nullptr &&
                          from->info.software == plan.software && plan.from != plan.to;
    if (!possible) return std::nullopt;
    auto const* const old_build = from->info.build_for(plan.architecture);
    auto const* const new_build = newest->info.build_for(plan.architecture);
    if (old_build == nullptr || new_build == nullptr || old_build->manifest == new_build->manifest) return std::nullopt;
    return PatchId{old_build->manifest, new_build->manifest};
}

// What a node gets that has waited so long: the small patch, or the quick one if no better one comes or the release does not leave
// it the time.
MadePatch const* Broker::patch_for(PlanQuery const& plan, PatchId const& id, Duration waited) const {
    auto const* const made = state_.patches.find(id);
    if (made == nullptr || !index_.find(made->object)) return nullptr;
    if (made->effort == Effort::thorough || !patches_to_make_.has(id)) return made;
    auto const urgency = state_.catalogue.at(plan.to)->info.urgency;
    bool const patient = urgency == Urgency::background || (urgency == Urgency::normal && waited < settings_.patch_wait);
    return patient ? nullptr : made;
}

Steps Broker::steps(PlanQuery const& plan, MadePatch const* patch) {
    Steps steps{plan.software, plan.from, plan.to, std::nullopt, Bytes(), 0};
    if (patch != nullptr) {
        steps.patch = patch->object;
        steps.size = patch->size;
    }
    return steps;
}

void Broker::on_message(SessionId id, Session&, PlanQuery const& message, Moment now) {
    auto const patch = patch_between(message);
    auto const wait = patch ? order_patch(*patch, state_.catalogue.at(message.to)->info.build_for(message.architecture)->size, now)
                            : std::nullopt;
    auto const* const made = patch ? patch_for(message, *patch, {}) : nullptr;
    auto answer = steps(message, made);
    if (made == nullptr && wait && wait_for_patch(id, {message, *patch, now.point})) {
        answer.wait = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(*wait).count());
    }
    send(id, std::move(answer));
    make_next_patches();
}

// False if this session waits for too many already.
bool Broker::wait_for_patch(SessionId id, WaitingPlan const& plan) {
    auto& waiting = waiting_plans_[id];
    if (std::ranges::find(waiting, plan.query, &WaitingPlan::query) != waiting.end()) return true;
    if (waiting.size() == most_waiting_plans) return false;
    waiting.push_back(plan);
    return true;
}

// Unless it is there as small as it gets. Returns how long it may take.
std::optional<Duration> Broker::order_patch(PatchId const& id, Bytes size, Moment now) {
    if (settings_.patch_space.zero()) return std::nullopt;
    auto const* made = state_.patches.find(id);
    if (made != nullptr && !index_.find(made->object)) made = nullptr;
    if (made != nullptr && made->effort == Effort::thorough) return std::nullopt;
    return patches_to_make_.order(id, made != nullptr ? Effort::thorough : Effort::quick, size, now.point);
}

// At once for a new release, before anybody asks: first from the releases that most nodes have.
void Broker::order_patches(Release const& release, Moment now) {
    auto const& software = release.info.software;
    auto const all = state_.ledger.active(software);
    std::vector<std::pair<std::uint64_t, Seq>> by_count;
    for (auto const& [seq, nodes] : all) by_count.emplace_back(nodes, seq);
    std::sort(by_count.rbegin(), by_count.rend());
    for (auto const& [nodes, seq] : by_count) {
        for (auto const& build : release.info.builds) {
            auto const patch = patch_between({software, build.architecture, seq, release.entry.seq});
            if (patch) (void)order_patch(*patch, build.size, now);
        }
    }
    patches_to_make_.forget([this](PatchId const& id) { return is_useful(id); });
    serve_waiting_plans(now);
    make_next_patches();
}

void Broker::make_next_patches() {
    for (auto const effort : efforts) {
        if (auto const next = patches_to_make_.start(effort)) out_.push_back(MakePatch{*next, effort});
    }
}

bool Broker::has_manifest(Release const& release, Digest const& manifest) {
    return std::ranges::find(release.info.builds, manifest, &Build::manifest) != release.info.builds.end();
}

bool Broker::is_useful(PatchId const& id) const {
    auto const& catalogue = state_.catalogue;
    bool const leads_to_newest = std::ranges::any_of(catalogue.software(), [&](auto const& newest) {
        return has_manifest(catalogue.log()[newest.second], id.to);
    });
    return leads_to_newest && std::ranges::any_of(catalogue.log(), [&](Release const& release) { return has_manifest(release, id.from); });
}

void Broker::on_event(PatchMade event, Moment now) {
    if (!event.made) {
        say(LogLevel::warn, fmt::format("a patch could not be made, nodes {}: {}",
                                        event.effort == Effort::quick ? "fetch whole segments" : "get the one that was made quickly",
                                        event.made.error().message));
        return end_patch(event.patch, event.effort, true, now);
    }
    auto& made = *event.made;
    made.made = now.wall;
    made.effort = event.effort;
    // A node may be fetching what it takes the place of.
    if (auto const* const earlier = state_.patches.find(event.patch); earlier != nullptr && earlier->effort == Effort::quick) {
        made.deltas.push_back(earlier->object);
        made.deltas.insert(made.deltas.end(), earlier->deltas.begin(), earlier->deltas.end());
        made.stored += earlier->stored;
    }
    auto change = Patches::change(event.patch, made);
    persist({std::move(change)}, [this, id = event.patch, made = std::move(made)](Status const& status, Moment then) {
        if (status) {
            say(LogLevel::info, fmt::format("patch {}{}: {} to fetch", made.object.hex(),
                                            made.effort == Effort::quick ? ", made quickly" : "", to_text(made.to_fetch)));
            state_.patches.add(id, made);
        }
        end_patch(id, made.effort, !status, then);
    });
}

void Broker::end_patch(PatchId const& id, Effort effort, bool failed, Moment now) {
    patches_to_make_.end(id, effort, failed, now.point);
    serve_waiting_plans(now);
    make_next_patches();
}

// Who waits for a patch that is there, or for one that will not be made, hears of it.
void Broker::serve_waiting_plans(Moment now) {
    for (auto& [session, plans] : waiting_plans_) {
        std::erase_if(plans, [&](WaitingPlan const& plan) {
            bool const stands = patch_between(plan.query) == plan.patch;  // no newer release has come
            auto const* const made = stands ? patch_for(plan.query, plan.patch, now.point - plan.asked) : nullptr;
            if (made == nullptr && stands && patches_to_make_.has(plan.patch)) return false;
            send(session, steps(plan.query, made));
            return true;
        });
    }
    std::erase_if(waiting_plans_, [](auto const& waiting) { return waiting.second.empty(); });
}

// Rows go before what they name: a row without its objects would send nodes for nothing.
ObjectSet Broker::prune_patches() {
    auto const gone = state_.patches.superfluous([this](PatchId const& id) { return is_useful(id); }, settings_.patch_space);
    store::Batch batch;
    for (auto const& id : gone) {
        state_.patches.remove(id);
        batch.push_back(Patches::removal(id));
    }
    if (!batch.empty()) persist(std::move(batch), [](Status const&, Moment) {});
    ObjectSet needed;
    for (auto const& [id, made] : state_.patches.all()) {
        needed.insert(made.object);
        needed.insert(made.deltas.begin(), made.deltas.end());
    }
    return needed;
}

}  // namespace lull::broker
