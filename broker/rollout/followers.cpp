#include "broker/rollout/followers.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr Duration tell_anyway = std::chrono::seconds(15);

}  // namespace

ReleaseProgress Followers::progress(Release const& release, WallTime now) const {
    auto const& software = release.info.software;
    auto const counts = parts_.node_status.counters(software).counts(release.entry.seq);
    ReleaseProgress progress;
    progress.software = software;
    progress.version = release.info.version;
    progress.seq = release.entry.seq;
    progress.nodes.assign(counts.nodes.begin(), counts.nodes.end());
    auto const nodes = parts_.peers.nodes().size();
    auto const rows = progress.all();
    progress.nodes[static_cast<std::size_t>(NodeState::undistributed)] += nodes - std::min<std::uint64_t>(nodes, rows);
    progress.away = parts_.presence.away() - std::min<std::uint64_t>(parts_.presence.away(), counts.away_active);
    for (auto const& node : parts_.node_status.failed_on(software, release.entry.seq, limits::failures_per_progress)) {
        auto const* peer = parts_.peers.find(node);
        auto const name = peer == nullptr ? Result<NodeName>(fail(Fault::not_found, "")) : NodeName::parse(peer->name);
        if (name) progress.failures.push_back({*name, parts_.node_status.find(software, node)->why});
    }
    progress.rollout = parts_.rollouts.progress(release, now);
    progress.stopped = stop_of(parts_.orders, release);
    progress.superseded = parts_.log.newest(software)->entry.seq != release.entry.seq;
    return progress;
}

void Followers::follow(SessionId session, Follow const& message, WallTime now) {
    auto const* release = message.version ? parts_.log.find(message.software, *message.version)
                                          : parts_.log.newest(message.software);
    if (release == nullptr) {
        return effects_.refuse(session, Refusal::invalid,
                               fmt::format("there is no {}{} here", message.software.text(),
                                           message.version ? " " + message.version->text() : ""));
    }
    auto told = progress(*release, now);
    effects_.send(session, told);
    followers_[session] = std::move(told);
}

// Only what has changed is told, and not before a rollout has drawn its conclusions from it.
void Followers::tell(SessionId session, ReleaseProgress& told, WallTime now) {
    auto const* release = parts_.log.at(told.seq);
    if (release == nullptr || parts_.rollouts.is_stepping(told.software)) return;
    auto news = progress(*release, now);
    if (news == told) return;
    effects_.send(session, news);
    told = std::move(news);
}

void Followers::look(SoftwareName const& software, WallTime now) {
    for (auto& [session, told] : followers_) {
        if (told.software == software) tell(session, told, now);
    }
}

void Followers::tick(Moment now) {
    auto const changed = std::exchange(changed_, {});
    bool const all = now.point >= next_look_;
    if (all) next_look_ = now.point + tell_anyway;
    if (!all && changed.empty()) return;
    for (auto& [session, told] : followers_) {
        if (all || changed.contains(told.software)) tell(session, told, now.wall);
    }
}

void Followers::reported(SoftwareName const& software, NodeNumber, NodeReport const&) {
    if (!followers_.empty()) changed_.insert(software);
}

}  // namespace lull::broker
