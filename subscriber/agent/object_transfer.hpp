#pragma once

#include <functional>
#include <map>
#include <set>

#include "subscriber/agent/dispatch.hpp"
#include "subscriber/agent/effects.hpp"
#include "subscriber/agent/fetcher.hpp"
#include "subscriber/agent/session.hpp"

namespace lull::subscriber {

// An object that a software wants does not arrive.
struct ObjectLoss {
    enum class Cause { unavailable, unwritten };  // unavailable: absent at the broker, or damaged
    Digest object;
    Error error;
    Cause cause = Cause::unavailable;
};

// The objects of all software: what is wanted (Fetcher), their frames, and what the journal records of them.
class ObjectTransfer {
public:
    using Objects = std::map<Digest, ObjectRecord>;
    struct Listener {
        std::function<void(SoftwareName const&, Moment)> arrived;  // an object that it wants is complete and durable
        std::function<void(SoftwareName const&, ObjectLoss const&, Moment)> lost;
    };

    ObjectTransfer(FetchLimits limits, Objects objects, Effects& effects, Session& session);
    void listen(Listener listener) { listener_ = std::move(listener); }
    // For what is wanted for calls.
    void listen_for_calls(Listener listener) { call_listener_ = std::move(listener); }

    // What is wanted, and what of it is here. Wants change through this object only.
    [[nodiscard]] Fetcher& fetcher() { return fetcher_; }
    [[nodiscard]] Fetcher const& fetcher() const { return fetcher_; }
    [[nodiscard]] Objects const& objects() const { return objects_; }

    // Forgets objects: first the journal, then the files, unless they are wanted and arriving again by then.
    void drop(
        std::vector<Digest> const& objects, Effects::Continuation then = [](Moment) {});
    // Objects that are not wanted are dropped at the end of this turn, unless a release is on its way: a newer one
    // may want them.
    void collect_garbage() { collecting_ = true; }
    // What this software wants now is spared meanwhile: its release has failed, and will want it again.
    void spare(SoftwareName const& software) { spared_[software] = fetcher_.wanted_for(software); }
    void spare(SoftwareName const& software, std::set<Digest> objects) { spared_[software] = std::move(objects); }
    // Objects that are here, and that no release wants or has spared.
    [[nodiscard]] std::vector<Digest> unwanted() const;
    void spare_no_more(SoftwareName const& software) { spared_.erase(software); }
    enum class Releases { settled, on_their_way };
    void end_turn(Releases releases);

    void on(Data const& message, Arrival const& arrival, Moment now);
    void on(ObjectMissing const& message, Moment now);
    void on(ObjectSynced const& event);
    void on(ObjectFinished const& event, Moment now);
    void on(ObjectUnwritten const& event, Moment now);

    void session_begins() { fetcher_.session_begins(); }
    // Sends the FETCH and CREDIT messages that are due.
    void send_due(Moment now);

private:
    void record(
        ObjectRecord const& record, Effects::Continuation then = [](Moment) {});
    void tell_loss(ObjectLoss const& loss, Moment now);

    Effects& effects_;
    Session& session_;
    Fetcher fetcher_;
    Objects objects_;
    [[nodiscard]] Listener const& listener_of(Wanter const& wanter) const {
        return wanter.purpose == Wanter::Purpose::call ? call_listener_ : listener_;
    }

    Listener listener_;
    Listener call_listener_;
    bool collecting_ = false;
    std::map<SoftwareName, std::set<Digest>> spared_;
};

}  // namespace lull::subscriber
