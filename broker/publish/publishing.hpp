#pragma once

#include <deque>

#include "broker/fleet/complaints.hpp"
#include "broker/log/log_changes.hpp"
#include "broker/model/session_observer.hpp"
#include "broker/publish/lost_objects.hpp"
#include "broker/publish/uploads.hpp"

namespace lull::broker {

// A release on its way into the log: offer, upload, and the signed update-info. One publication enters the log at a
// time; further ones wait.
class Publishing final : public SessionObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        LogChanges& changes;
        Peers const& peers;
        LostObjects& lost;
        Complaints& complaints;
    };
    struct Storage {
        ObjectIndex const& objects;
        UploadLimits limits;
    };
    Publishing(Parts parts, Storage storage, Effects& effects)
        : parts_(parts),
          objects_(storage.objects),
          effects_(effects),
          uploads_(storage.objects, storage.limits) {}

    void offer(SessionId session, PeerKey const& peer, Offer message);
    void put(SessionId session, Put const& message, Buffer payload);
    void object_kept(ObjectKept const& event);
    void manifest_opened(ManifestOpened event);
    void update(UpdateArrived event, Moment now);
    // Looks again at the publications that have waited for the log.
    void take_waiting(Moment now);

    // Whether objects arrive, or are about to be named by a release: none may be removed as garbage.
    [[nodiscard]] bool is_taking_objects() const;
    [[nodiscard]] std::vector<SessionId> sessions() const { return uploads_.sessions(); }

    void session_ended(SessionId session, Moment now) override;
    [[nodiscard]] std::size_t kept_sessions() const override { return uploads_.size(); }

private:
    void enter_log(UpdateArrived event, UpdateInfo info, Moment now);
    void refuse_all(std::vector<SessionId> const& sessions, Refusal reason, std::string const& text);
    enum class Committing { now, before };
    void tell_committed(std::vector<SessionId> const& sessions, Release const& release, Committing when);
    [[nodiscard]] bool has_all_objects(Release const& release) const;

    Parts parts_;
    ObjectIndex const& objects_;
    Effects& effects_;
    Uploads uploads_;
    std::deque<UpdateArrived> waiting_;  // while another change of the log is on its way to the disk
};

}  // namespace lull::broker
