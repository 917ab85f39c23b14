#include "broker/publish/uploads.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

bool same_release(Offer const& offer, UpdateInfo const& info) {
    return offer.software == info.software && offer.version == info.version && offer.builds == info.builds;
}

Refusal reason_of(Fault fault) {
    switch (fault) {
        case Fault::no_space: return Refusal::no_space;
        case Fault::damaged: return Refusal::damaged;
        case Fault::refused: return Refusal::bad_signature;
        default: return Refusal::invalid;
    }
}

}  // namespace

Status Uploads::check_offer(Offer const& offer) {
    if (offer.builds.empty() || offer.builds.size() > limits::builds_per_release) {
        return fail(Fault::usage, "a release has 1 to {} builds, this one has {}", limits::builds_per_release,
                    offer.builds.size());
    }
    std::set<Digest> manifests;
    std::set<ArchitectureName> architectures;
    for (auto const& build : offer.builds) {
        if (!manifests.insert(build.manifest).second || !architectures.insert(build.architecture).second) {
            return fail(Fault::usage, "two builds are for {}, or have the same manifest", build.architecture.text());
        }
        if (build.manifest_size.zero() || build.manifest_size > limits::envelope) {
            return fail(Fault::usage, "a manifest has 1 to {} bytes, this one {}", limits::envelope.count(),
                        build.manifest_size.count());
        }
    }
    return {};
}

Actions Uploads::begin(SessionId session, PeerKey const& peer, Offer offer, TrustedKeys const& trusted) {
    if (auto checked = check_offer(offer); !checked) return refuse(session, Refusal::invalid, checked.error().message);
    auto& progress = uploads_[session];
    if (progress.incoming) progress.settled += Bytes(progress.incoming->bytes.size());
    progress = InProgress{.peer = peer,
                          .offer = std::move(offer),
                          .trusted = trusted,
                          .expected = {},
                          .segments = {},
                          .unopened = {},
                          .incoming = std::nullopt,
                          .complete = false,
                          .credited = progress.credited,
                          .received = progress.received,
                          .settled = progress.settled,
                          .permitted = progress.permitted};
    for (auto const& build : progress.offer.builds) progress.unopened.insert(build.manifest);
    return advance(session, progress);
}

// Manifests first; when all are stored they are opened; then the segments that they name.
Actions Uploads::advance(SessionId session, InProgress& offer) {
    std::map<Digest, Bytes> missing;
    for (auto const& build : offer.offer.builds) {
        if (!index_.find(build.manifest)) missing[build.manifest] = build.manifest_size;
    }
    if (!missing.empty()) return ask_for(session, offer, missing);

    if (!offer.unopened.empty()) {
        Actions actions;
        for (auto const& digest : offer.unopened) actions.push_back(OpenManifest{session, digest, offer.trusted});
        return actions;
    }
    for (auto const& [digest, size] : offer.segments) {
        auto const place = index_.find(digest);
        if (!place) {
            missing[digest] = size;
        } else if (place->shape.plain != size) {
            return refuse(session, Refusal::invalid,
                          fmt::format("the manifest says that segment {} has {} bytes, and it has {}", digest.hex(),
                                      size.count(), place->shape.plain.count()));
        }
    }
    offer.complete = missing.empty();
    return ask_for(session, offer, missing);
}

Actions Uploads::ask_for(SessionId session, InProgress& offer, std::map<Digest, Bytes> const& missing) {
    Need need{offer.offer.software, offer.offer.version, {}, 0};
    offer.expected.clear();
    for (auto const& [digest, size] : missing) {
        if (need.objects.size() == limits::objects_per_message) break;
        need.objects.push_back(digest);
        offer.expected[digest] = size;
    }
    need.more = missing.size() - need.objects.size();
    if (offer.complete) offer.credited = false;  // its turn is over; what it may still send is for its next release
    Actions actions{Send{session, std::move(need)}};
    extend_credit(session, offer, actions);
    give_credit(actions);
    return actions;
}

// A session that has its turn may have a window of bytes in our memory.
void Uploads::extend_credit(SessionId session, InProgress& offer, Actions& actions) {
    auto const permitted = offer.settled + limits_.window;
    if (!offer.credited || permitted <= offer.permitted) return;
    offer.permitted = permitted;
    actions.push_back(Send{session, Credit{permitted}});
}

void Uploads::give_credit(Actions& actions) {
    auto credited = std::count_if(uploads_.begin(), uploads_.end(),
                                  [](auto const& entry) { return entry.second.credited; });
    for (auto& [session, offer] : uploads_) {
        if (offer.credited || offer.expected.empty()) continue;
        if (static_cast<std::size_t>(credited) >= limits_.uploads) return;
        ++credited;
        offer.credited = true;
        extend_credit(session, offer, actions);
    }
}

Actions Uploads::put(SessionId session, Put const& put, Buffer payload) {
    auto const found = uploads_.find(session);
    if (found == uploads_.end()) return refuse(session, Refusal::no_session, "send OFFER before PUT");
    auto& offer = found->second;
    Bytes const size(payload.size());
    if (offer.received + size > offer.permitted) {
        return refuse(session, Refusal::invalid,
                      fmt::format("more than the {} bytes of credit", offer.permitted.count()));
    }
    offer.received += size;
    if (!offer.expected.contains(put.shape.object) && index_.find(put.shape.object)) {
        // Asked for twice, because it was still on its way to the disk the second time.
        offer.settled += size;
        Actions actions;
        extend_credit(session, offer, actions);
        return actions;
    }
    if (auto gathered = gather(offer, put, std::move(payload)); !gathered) {
        return refuse(session, Refusal::invalid, gathered.error().message);
    }
    if (offer.incoming->bytes.size() < put.shape.stored.count()) return {};
    Actions actions{KeepObject{session, put.shape, std::move(offer.incoming->bytes)}};
    offer.incoming.reset();
    return actions;
}

// Appends a frame to the object that is coming in.
Status Uploads::gather(InProgress& offer, Put const& put, Buffer payload) {
    auto const expected = offer.expected.find(put.shape.object);
    if (expected == offer.expected.end()) return fail(Fault::usage, "this object was not asked for");
    bool const plausible = put.shape.plain == expected->second && !put.shape.stored.zero() &&
                           put.shape.stored <= limits::stored_object && !payload.empty();
    if (!plausible) return fail(Fault::usage, "the object's sizes are not those of the manifest");

    if (put.offset.zero()) {
        if (offer.incoming) offer.settled += Bytes(offer.incoming->bytes.size());
        offer.incoming = Incoming{put.shape, {}};
    }
    if (!offer.incoming || offer.incoming->shape != put.shape || offer.incoming->bytes.size() != put.offset.count() ||
        put.offset.count() + payload.size() > put.shape.stored.count()) {
        return fail(Fault::usage, "the frames of an object must come in order, without gaps");
    }
    auto& bytes = offer.incoming->bytes;
    if (bytes.empty()) bytes.reserve(put.shape.stored.count());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return {};
}

Actions Uploads::object_kept(ObjectKept const& event) {
    auto const found = uploads_.find(event.session);
    if (found == uploads_.end()) return {};
    if (!event.status)
        return refuse(event.session, reason_of(event.status.error().fault), event.status.error().message);
    auto& offer = found->second;
    offer.settled += event.stored;
    Actions actions;
    extend_credit(event.session, offer, actions);
    if (offer.expected.erase(event.object) == 0 || !offer.expected.empty()) return actions;
    auto further = advance(event.session, offer);
    std::move(further.begin(), further.end(), std::back_inserter(actions));
    return actions;
}

Status Uploads::check_manifest(Offer const& offer, Digest const& digest, Manifest const& manifest) const {
    auto const build = std::find_if(offer.builds.begin(), offer.builds.end(),
                                    [&](auto const& b) { return b.manifest == digest; });
    LULL_INVARIANT(build != offer.builds.end());
    if (!belongs_to(manifest, offer.software, offer.version) || manifest.architecture != build->architecture) {
        return fail(Fault::usage, "the manifest is that of {} {} for {}", manifest.software.text(),
                    manifest.version.text(), manifest.architecture.text());
    }
    if (manifest.content_size() != build->size || manifest.file_count() != build->files) {
        return fail(Fault::usage, "the manifest has {} files of {} bytes, the offer says {} of {}",
                    manifest.file_count(), manifest.content_size().count(), build->files, build->size.count());
    }
    if (auto const place = index_.find(digest); place && place->shape.plain != build->manifest_size) {
        return fail(Fault::usage, "the manifest has {} bytes, the offer says {}", place->shape.plain.count(),
                    build->manifest_size.count());
    }
    return {};
}

Actions Uploads::manifest_opened(ManifestOpened event) {
    auto const found = uploads_.find(event.session);
    if (found == uploads_.end() || !found->second.unopened.contains(event.manifest)) return {};
    auto& offer = found->second;
    if (!event.content)
        return refuse(event.session, reason_of(event.content.error().fault), event.content.error().message);
    if (auto checked = check_manifest(offer.offer, event.manifest, *event.content); !checked) {
        return refuse(event.session, Refusal::invalid, checked.error().message);
    }
    for (auto const& segment : event.content->segments) offer.segments[segment.digest] = segment.size;
    offer.unopened.erase(event.manifest);
    if (!offer.unopened.empty()) return {};
    return advance(event.session, offer);
}

Actions Uploads::refuse(SessionId session, Refusal reason, std::string text) {
    Actions actions{Send{session, Refused{reason, std::move(text)}}};
    auto further = drop(session);
    std::move(further.begin(), further.end(), std::back_inserter(actions));
    return actions;
}

Actions Uploads::drop(SessionId session) {
    Actions actions;
    if (uploads_.erase(session) > 0) give_credit(actions);
    return actions;
}

std::vector<SessionId> Uploads::sessions_for(PeerKey const& peer, UpdateInfo const& info) const {
    std::vector<SessionId> sessions;
    for (auto const& [session, offer] : uploads_) {
        if (offer.peer == peer && same_release(offer.offer, info)) sessions.push_back(session);
    }
    return sessions;
}

std::vector<SessionId> Uploads::sessions() const {
    std::vector<SessionId> sessions;
    for (auto const& [session, offer] : uploads_) sessions.push_back(session);
    return sessions;
}

bool Uploads::any(std::function<bool(Offer const&)> const& condition) const {
    return std::any_of(uploads_.begin(), uploads_.end(),
                       [&](auto const& entry) { return condition(entry.second.offer); });
}

bool Uploads::complete(PeerKey const& peer, UpdateInfo const& info) const {
    return std::any_of(uploads_.begin(), uploads_.end(), [&](auto const& entry) {
        return entry.second.complete && entry.second.peer == peer && same_release(entry.second.offer, info);
    });
}

}  // namespace lull::broker
