#include "broker/publish/publishing.hpp"

#include <algorithm>

#include "schema/roles.hpp"

namespace lull::broker {

namespace {

constexpr std::size_t most_waiting = 1024;

}  // namespace

// ---- upload ----

void Publishing::offer(SessionId session, PeerKey const& peer, Offer message) {
    if (auto const* release = parts_.log.find(message.software, message.version)) {
        bool const same = same_contents(release->info.builds, message.builds);
        if (same && has_all_objects(*release)) return tell_committed({session}, *release, Committing::before);
        if (!same) {
            return effects_.refuse(
                session, Refusal::conflict,
                fmt::format("{} {} was published before with other contents or by another key (release {}); "
                            "choose a new version",
                            message.software.text(), message.version.text(), release->entry.seq.value));
        }
    }
    effects_.act(uploads_.begin(session, peer, std::move(message), parts_.peers.publishers()));
}

// As far as it is known.
bool Publishing::has_all_objects(Release const& release) const {
    return !parts_.lost.any() && std::ranges::all_of(release.info.builds, [this](Build const& build) {
        return objects_.find(build.manifest).has_value();
    });
}

void Publishing::put(SessionId session, Put const& message, Buffer payload) {
    effects_.act(uploads_.put(session, message, std::move(payload)));
}

void Publishing::object_kept(ObjectKept const& event) {
    if (event.status) parts_.lost.is_back(event.object);
    effects_.act(uploads_.object_kept(event));
}

void Publishing::manifest_opened(ManifestOpened event) { effects_.act(uploads_.manifest_opened(std::move(event))); }

void Publishing::session_ended(SessionId session, Moment) { effects_.act(uploads_.drop(session)); }

bool Publishing::is_taking_objects() const {
    auto const unfinished = [this](Offer const& offer) {
        return parts_.log.find(offer.software, offer.version) == nullptr;
    };
    return parts_.log.reserved() || !waiting_.empty() || uploads_.any(unfinished);
}

// ---- into the log ----

void Publishing::update(UpdateArrived event, Moment now) {
    auto const* peer = parts_.peers.find(event.peer);
    if (peer == nullptr || !may_send(peer->role, MessageType::update))
        return parts_.complaints.about(event.peer, "UPDATE from a key that may not publish");
    auto info = open_update_info(event.update.entry.update, parts_.peers.publishers());
    if (!info) return parts_.complaints.about(event.peer, fmt::format("UPDATE: {}", info.error().message));

    auto const sessions = uploads_.sessions_for(event.peer, *info);
    if (auto const* release = parts_.log.find(info->software, info->version)) {
        if (same_contents(release->info.builds, info->builds)) {
            auto const when = release->entry.time < info->time ? Committing::before : Committing::now;
            return tell_committed(sessions, *release, when);
        }
        return refuse_all(sessions, Refusal::conflict,
                          "this version was published meanwhile with other contents; choose a new version");
    }
    // Else the publisher's session is not at that point: the publisher will begin again.
    if (uploads_.complete(event.peer, *info)) enter_log(std::move(event), std::move(*info), now);
}

void Publishing::enter_log(UpdateArrived event, UpdateInfo info, Moment now) {
    if (parts_.changes.busy()) {
        if (waiting_.size() < most_waiting) waiting_.push_back(std::move(event));
        return;
    }
    auto const sessions = uploads_.sessions_for(event.peer, info);
    parts_.changes.append(std::move(event.update.entry.update), info, now.wall,
                          [this, sessions, peer = event.peer, info](Result<Release const*> const& release) {
                              if (release)
                                  return tell_committed(uploads_.sessions_for(peer, info), **release, Committing::now);
                              refuse_all(
                                  sessions, Refusal::no_space,
                                  fmt::format("the broker could not record the release: {}", release.error().message));
                          });
}

void Publishing::take_waiting(Moment now) {
    auto waiting = std::exchange(waiting_, {});
    for (auto& event : waiting) update(std::move(event), now);
}

void Publishing::refuse_all(std::vector<SessionId> const& sessions, Refusal reason, std::string const& text) {
    for (auto const session : sessions) {
        effects_.refuse(session, reason, text);
        effects_.act(uploads_.drop(session));
    }
}

void Publishing::tell_committed(std::vector<SessionId> const& sessions, Release const& release, Committing when) {
    for (auto const session : sessions) {
        effects_.send(session, Committed{release.info.software, release.info.version, parts_.log.epoch(),
                                         release.entry.seq, release.entry.time, when == Committing::before});
    }
}

}  // namespace lull::broker
