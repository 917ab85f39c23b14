#include "broker/patches/patch_planner.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::size_t most_waiting = 256;  // queries of a session; for further ones it fetches whole segments
constexpr std::size_t most_served_at_once = 2000;

PatchOffer offer(PatchQuery const& query, MadePatch const* patch) {
    PatchOffer offer{query.software, query.from, query.to, std::nullopt, Bytes(), 0};
    if (patch != nullptr) {
        offer.patch = patch->object;
        offer.size = patch->size;
    }
    return offer;
}

}  // namespace

// The patch between these builds, if both releases are in the log and the second is the newest.
std::optional<PatchId> PatchPlanner::between(PatchQuery const& query) const {
    auto const* const newest = parts_.log.newest(query.software);
    auto const* const from = parts_.log.at(query.from);
    bool const possible = newest != nullptr && newest->entry.seq == query.to && from != nullptr &&
                          from->info.software == query.software && query.from != query.to;
    if (!possible) return std::nullopt;
    auto const* const old_build = from->info.build_for(query.architecture);
    auto const* const new_build = newest->info.build_for(query.architecture);
    if (old_build == nullptr || new_build == nullptr || old_build->manifest == new_build->manifest) return std::nullopt;
    return PatchId{old_build->manifest, new_build->manifest};
}

MadePatch const* PatchPlanner::stored(PatchId const& id) const {
    auto const* const made = parts_.patches.find(id);
    return made != nullptr && parts_.objects.find(made->object) ? made : nullptr;
}

// What a node gets that has waited so long: the small patch, or the quick one if no better one comes or the release
// does not leave it the time.
MadePatch const* PatchPlanner::best_for(PatchQuery const& query, PatchId const& id, Duration waited) const {
    auto const* const made = stored(id);
    if (made == nullptr || made->effort == Effort::thorough || !queue_.has(id)) return made;
    auto const urgency = parts_.log.at(query.to)->info.urgency;
    bool const patient = urgency == Urgency::background || (urgency == Urgency::normal && waited < settings_.wait);
    return patient ? nullptr : made;
}

// ---- nodes ----

void PatchPlanner::query(SessionId session, PatchQuery const& query, Moment now) {
    auto const id = between(query);
    auto const* const build = id ? parts_.log.at(query.to)->info.build_for(query.architecture) : nullptr;
    auto const duration = id ? order(*id, build->size, now) : std::nullopt;
    auto const* const made = id ? best_for(query, *id, {}) : nullptr;
    auto answer = offer(query, made);
    if (made == nullptr && duration && wait(*id, {session, query, now.point})) {
        answer.wait = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count());
    }
    effects_.send(session, std::move(answer));
    make_next();
}

// False if this session waits for too many already.
bool PatchPlanner::wait(PatchId const& id, Waiting const& waiting) {
    auto& of_session = of_session_[waiting.session];
    bool const waits = std::ranges::any_of(of_session, [&](auto const& known) {
        return known.first == id && waiting_.at(id).at(known.second).query == waiting.query;
    });
    if (waits) return true;
    if (of_session.size() == most_waiting) return false;
    of_session.emplace_back(id, next_wait_);
    waiting_[id].emplace(next_wait_++, waiting);
    return true;
}

void PatchPlanner::session_ended(SessionId session, Moment) {
    auto const found = of_session_.find(session);
    if (found == of_session_.end()) return;
    for (auto const& [id, number] : found->second) {
        auto const queue = waiting_.find(id);
        queue->second.erase(number);
        if (queue->second.empty()) waiting_.erase(queue);
    }
    of_session_.erase(found);
}

void PatchPlanner::serve_waiting(Moment now) {
    auto left = most_served_at_once;
    for (auto& [id, queue] : waiting_) serve(id, queue, left, now);
    std::erase_if(waiting_, [](auto const& waiting) { return waiting.second.empty(); });
    is_serving_ = left == 0;
}

// Nodes that wait for one patch have the same urgency: where the first one has to wait on, the others have to as well.
void PatchPlanner::serve(PatchId const& id, Queue& queue, std::size_t& left, Moment now) {
    while (!queue.empty() && left > 0) {
        auto const& [number, waiting] = *queue.begin();
        bool const stands = between(waiting.query) == id;  // no newer release has come
        auto const* const made = stands ? best_for(waiting.query, id, now.point - waiting.asked) : nullptr;
        if (made == nullptr && stands && queue_.has(id)) return;
        effects_.send(waiting.session, offer(waiting.query, made));
        auto const session = of_session_.find(waiting.session);
        std::erase(session->second, std::pair(id, number));
        if (session->second.empty()) of_session_.erase(session);
        queue.erase(queue.begin());
        --left;
    }
}

// ---- patches that are made ----

// Returns how long it may take; nothing if it is stored as small as it gets, or will not be made.
std::optional<Duration> PatchPlanner::order(PatchId const& id, Bytes size, Moment now) {
    if (settings_.space.zero()) return std::nullopt;
    auto const* const made = stored(id);
    if (made != nullptr && made->effort == Effort::thorough) return std::nullopt;
    return queue_.order(id, made != nullptr ? Effort::thorough : Effort::quick, size, now.point);
}

void PatchPlanner::released(Release const& release, Moment now) {
    auto const& software = release.info.software;
    std::vector<std::pair<std::uint64_t, Seq>> by_count;
    for (auto const& [seq, nodes] : parts_.node_status.counters(software).active()) by_count.emplace_back(nodes, seq);
    std::sort(by_count.rbegin(), by_count.rend());
    for (auto const& [nodes, seq] : by_count) {
        for (auto const& build : release.info.builds) {
            auto const id = between({software, build.architecture, seq, release.entry.seq});
            if (id) (void)order(*id, build.size, now);
        }
    }
    queue_.forget([this](PatchId const& id) { return is_useful(id); });
    serve_waiting(now);
    make_next();
}

void PatchPlanner::make_next() {
    for (auto const effort : efforts) {
        if (auto const next = queue_.start(effort)) effects_.act(MakePatch{*next, effort});
    }
}

bool PatchPlanner::is_useful(PatchId const& id) const {
    return parts_.log.is_newest(id.to) && parts_.log.names(id.from);
}

void PatchPlanner::made(PatchMade event, Moment now) {
    if (!event.made) {
        effects_.say(LogLevel::warn, fmt::format("a patch could not be made, nodes {}: {}",
                                                 event.effort == Effort::quick ? "fetch whole segments"
                                                                               : "get the one that was made quickly",
                                                 event.made.error().message));
        return end(event.patch, event.effort, true, now);
    }
    auto& made = *event.made;
    made.made = now.wall;
    made.effort = event.effort;
    // A node may be fetching what it takes the place of.
    if (auto const* const earlier = parts_.patches.find(event.patch);
        earlier != nullptr && earlier->effort == Effort::quick) {
        made.deltas.push_back(earlier->object);
        made.deltas.insert(made.deltas.end(), earlier->deltas.begin(), earlier->deltas.end());
        made.stored += earlier->stored;
    }
    auto change = Patches::change(event.patch, made);
    effects_.persist(
        {std::move(change)}, [this, id = event.patch, made = std::move(made)](Status const& status, Moment then) {
            if (status) {
                effects_.say(LogLevel::info,
                             fmt::format("patch {}{}: {} to fetch", made.object.hex(),
                                         made.effort == Effort::quick ? ", made quickly" : "", to_text(made.to_fetch)));
                parts_.patches.add(id, made);
            }
            end(id, made.effort, !status, then);
        });
}

void PatchPlanner::end(PatchId const& id, Effort effort, bool failed, Moment now) {
    queue_.end(id, effort, failed, now.point);
    serve_waiting(now);
    make_next();
}

ObjectSet PatchPlanner::prune() {
    auto const gone = parts_.patches.superfluous([this](PatchId const& id) { return is_useful(id); }, settings_.space);
    store::Batch batch;
    for (auto const& id : gone) {
        parts_.patches.remove(id);
        batch.push_back(Patches::removal(id));
    }
    if (!batch.empty()) effects_.persist(std::move(batch), [](Status const&, Moment) {});
    ObjectSet needed;
    for (auto const& [id, made] : parts_.patches.all()) {
        needed.insert(made.object);
        needed.insert(made.deltas.begin(), made.deltas.end());
    }
    return needed;
}

std::optional<Bytes> PatchPlanner::to_fetch(Release const& release) const {
    bool const newest = parts_.log.newest(release.info.software)->entry.seq == release.entry.seq;
    std::optional<Bytes> most;
    for (auto const& build : release.info.builds) {
        auto const ids = newest ? parts_.patches.to(build.manifest) : parts_.patches.from(build.manifest);
        for (auto const& id : ids) {
            if (!is_useful(id)) continue;
            auto const& made = *parts_.patches.find(id);
            most = std::max(most, std::optional(newest ? made.whole : made.to_fetch));
        }
    }
    return most;
}

}  // namespace lull::broker
