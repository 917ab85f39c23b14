#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker/model/actions.hpp"
#include "broker/model/object_index.hpp"

namespace lull::broker {

struct UploadLimits {
    Bytes window = MiB(36);   // upload bytes in memory, an upload; at least limits::stored_object
    std::size_t uploads = 2;  // publishers that get credit at once; the others wait for theirs
    bool operator==(UploadLimits const&) const = default;
};

// Publications in progress: one an exchange session. Asks for what is missing, gathers frames to objects within credit,
// and knows when everything is durable, so that the update-info may enter the log.
class Uploads {
public:
    Uploads(ObjectIndex const& index, UploadLimits limits) : index_(index), limits_(limits) {}

    // Begins, or begins again; then credit goes on counting where it was.
    [[nodiscard]] Actions begin(SessionId session, PeerKey const& peer, Offer offer, TrustedKeys const& trusted);
    [[nodiscard]] Actions put(SessionId session, Put const& put, Buffer payload);
    [[nodiscard]] Actions object_kept(ObjectKept const& event);
    [[nodiscard]] Actions manifest_opened(ManifestOpened event);
    [[nodiscard]] Actions drop(SessionId session);

    // Sessions of this peer that offered this release with these builds.
    [[nodiscard]] std::vector<SessionId> sessions_for(PeerKey const& peer, UpdateInfo const& info) const;
    // Whether one of them has everything stored and checked.
    [[nodiscard]] bool complete(PeerKey const& peer, UpdateInfo const& info) const;
    [[nodiscard]] std::vector<SessionId> sessions() const;
    [[nodiscard]] std::size_t size() const { return uploads_.size(); }
    // Whether something is offered that is so.
    [[nodiscard]] bool any(std::function<bool(Offer const&)> const& condition) const;

private:
    // An object of which frames arrive, in order.
    struct Incoming {
        ObjectShape shape;
        Buffer bytes;
    };
    struct InProgress {
        PeerKey peer;
        Offer offer;
        TrustedKeys trusted;
        std::map<Digest, Bytes> expected;  // asked for and not yet durable -> plain size
        std::map<Digest, Bytes> segments;  // of the opened manifests -> plain size
        std::set<Digest> unopened;         // manifests
        std::optional<Incoming> incoming;
        bool complete = false;
        // Of this session, whatever it offers: one of the `uploads`; bytes that came, that left memory again, that may
        // come.
        bool credited = false;
        Bytes received{};
        Bytes settled{};
        Bytes permitted{};
    };

    [[nodiscard]] Actions advance(SessionId session, InProgress& offer);
    [[nodiscard]] Actions ask_for(SessionId session, InProgress& offer, std::map<Digest, Bytes> const& missing);
    void extend_credit(SessionId session, InProgress& offer, Actions& actions);
    void give_credit(Actions& actions);
    [[nodiscard]] Status gather(InProgress& offer, Put const& put, Buffer payload);
    [[nodiscard]] Actions refuse(SessionId session, Refusal reason, std::string text);
    [[nodiscard]] static Status check_offer(Offer const& offer);
    [[nodiscard]] Status check_manifest(Offer const& offer, Digest const& digest, Manifest const& manifest) const;

    ObjectIndex const& index_;
    UploadLimits limits_;
    std::map<SessionId, InProgress> uploads_;
};

}  // namespace lull::broker
