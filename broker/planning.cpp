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

void Broker::on_message(SessionId id, Session&, PlanQuery const& message, Moment now) {
    Steps answer{message.software, message.from, message.to, std::nullopt, Bytes(), 0};
    auto const patch = patch_between(message);
    auto const* const made = patch ? state_.patches.find(*patch) : nullptr;
    if (made != nullptr && index_.find(made->object)) {
        answer.patch = made->object;
        answer.size = made->size;
    } else if (patch && !settings_.patch_space.zero()) {
        auto const size = state_.catalogue.at(message.to)->info.build_for(message.architecture)->size;
        auto const wait = patches_to_make_.order(*patch, size, id, now.point);
        if (wait && wait_for_patch(id, message)) {
            answer.wait = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(*wait).count());
        }
    }
    send(id, std::move(answer));
    make_next_patch();
}

// False if this session waits for too many already.
bool Broker::wait_for_patch(SessionId id, PlanQuery const& plan) {
    auto& waiting = waiting_plans_[id];
    if (std::ranges::find(waiting, plan) != waiting.end()) return true;
    if (waiting.size() == most_waiting_plans) return false;
    waiting.push_back(plan);
    return true;
}

// At once for a new release, before anybody asks: first from the releases that most nodes have.
void Broker::order_patches(Release const& release, Moment now) {
    if (settings_.patch_space.zero()) return;
    auto const& software = release.info.software;
    auto const all = state_.ledger.active(software);
    std::vector<std::pair<std::uint64_t, Seq>> by_count;
    for (auto const& [seq, nodes] : all) by_count.emplace_back(nodes, seq);
    std::sort(by_count.rbegin(), by_count.rend());
    for (auto const& [nodes, seq] : by_count) {
        for (auto const& build : release.info.builds) {
            auto const patch = patch_between({software, build.architecture, seq, release.entry.seq});
            if (patch && state_.patches.find(*patch) == nullptr) (void)patches_to_make_.order(*patch, build.size, std::nullopt, now.point);
        }
    }
    forget_patch_orders();
    make_next_patch();
}

void Broker::make_next_patch() {
    if (auto const next = patches_to_make_.start()) out_.push_back(MakePatch{*next});
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

// A newer release has come: who waits for a patch to the one before hears that there will be none.
void Broker::forget_patch_orders() {
    for (auto const& [id, waiting] : patches_to_make_.forget([this](PatchId const& id) { return is_useful(id); })) tell_steps(id, waiting);
}

void Broker::on_event(PatchMade event, Moment now) {
    if (!event.made) {
        say(LogLevel::warn, fmt::format("a patch could not be made, nodes fetch whole segments: {}", event.made.error().message));
        return end_patch(event.patch, true, now);
    }
    event.made->made = now.wall;
    auto change = Patches::change(event.patch, *event.made);
    persist({std::move(change)}, [this, id = event.patch, made = std::move(*event.made)](Status const& status, Moment then) {
        if (status) {
            say(LogLevel::info, fmt::format("patch {}: {} to fetch", made.object.hex(), to_text(made.to_fetch)));
            state_.patches.add(id, made);
        }
        end_patch(id, !status, then);
    });
}

void Broker::end_patch(PatchId const& id, bool failed, Moment now) {
    tell_steps(id, patches_to_make_.end(id, failed, now.point));
    make_next_patch();
}

void Broker::tell_steps(PatchId const& id, std::set<SessionId> const& waiting) {
    auto const* const made = state_.patches.find(id);
    for (auto const session : waiting) {
        auto const plans = waiting_plans_.find(session);
        if (plans == waiting_plans_.end()) continue;  // gone meanwhile
        for (auto const& plan : plans->second) {
            auto const now_it_is = patch_between(plan);
            if (now_it_is && *now_it_is != id) continue;
            Steps steps{plan.software, plan.from, plan.to, std::nullopt, Bytes(), 0};
            if (now_it_is && made != nullptr) {
                steps.patch = made->object;
                steps.size = made->size;
            }
            send(session, std::move(steps));
        }
        std::erase_if(plans->second, [&](PlanQuery const& plan) { return patch_between(plan).value_or(id) == id; });
        if (plans->second.empty()) waiting_plans_.erase(plans);
    }
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
