#pragma once

#include <deque>
#include <limits>
#include <memory>

#include "tests/sim/checker.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/network.hpp"

namespace lull::sim {

// The shell around the broker's decision code: durable tables and objects, and what crashes leave of them.
class SimBroker final : public Hub, public broker::ObjectIndex {
public:
    // Bugs of the shell that the checker must find.
    enum class Plant {
        none,
        acknowledges_before_durable,
        reuses_numbers,    // a copy that is run numbers releases as the log did that it was made of
        forgets_orders,    // it starts without those that it had
        opens_all_stages,  // where a rollout halts, all nodes' turn comes
        takes_old_calls,   // a call of an earlier life counts as one of this life
        goes_twice,        // another executor is told to begin as well
        trusts_revisions,  // it does not compare the inventories of nodes with its table
        keeps_removed,     // a node's key that is removed stays in the register on the disk
    };

    SimBroker(World& world, Network& network, Library& library, Checker& checker, Coverage& coverage);

    void enrol(PeerKey const& key, broker::Peer const& peer);
    [[nodiscard]] bool admits(PeerKey const& peer) const override { return up() && state().peers.find(peer); }
    void plant(Plant plant) { plant_ = plant; }
    void set_disk_full(bool full) { full_ = full; }

    void start();
    void crash();  // whatever is not durable is lost

    // As `lull-broker backup` makes it, or as somebody copies the files, without a mark.
    enum class Copy { marked, unmarked };
    void back_up(Copy how);
    void restore();  // the copy takes the place of what is durable; the broker must be down
    void set_clock(std::chrono::seconds shift) { clock_shift_ = shift; }

    [[nodiscard]] bool up() const override { return broker_ != nullptr; }
    void arrived(ConnectionId connection, PeerKey const& peer, Message const& message, Buffer const& payload) override;
    void gone(ConnectionId connection) override;
    [[nodiscard]] Head welcome() const override { return welcome_; }
    void ingest(PeerKey const& peer, Update const& update);
    [[nodiscard]] std::optional<store::ObjectPlace> find(Digest const& object) const override;

    [[nodiscard]] broker::BrokerState const& state() const { return broker_->state(); }

private:
    struct StoredObject {
        store::ObjectPlace place;
        Buffer bytes;
    };

    [[nodiscard]] broker::LogIdentity identity() const;
    [[nodiscard]] broker::BrokerState load() const;
    void renew_copied_log();
    [[nodiscard]] Moment moment() const;
    void later(Duration delay, std::function<void()> what);
    void raise(broker::Event event);
    void tick();
    [[nodiscard]] broker::SessionId session_of(ConnectionId connection);
    void send(broker::SessionId session, Message const& message, Buffer const& payload);
    [[nodiscard]] Message spoilt(Message message) const;

    void perform(broker::Send const& action);
    void go_twice(broker::Send const& action);
    void perform(broker::SendFrame const& action);
    void perform(broker::SendProbe const& action);
    void perform(broker::SetPacing const&) {}
    void perform(broker::CloseSession const& action);
    void perform(broker::CloseConnections const& action) { network_.close_all(action.peer); }
    void perform(broker::Announce const& action) { network_.announce(spoilt(action.message)); }
    void perform(broker::SetWelcome const& action) { welcome_ = action.head; }
    void perform(broker::Persist& action);
    void perform(broker::KeepObject const& action);
    void perform(broker::OpenManifest const& action);
    void perform(broker::ListNeeded const& action);
    void perform(broker::RemoveOthers const& action);
    void perform(broker::MakePatch const& action);
    void perform(broker::ScrubObjects const& action);
    void perform(broker::Say const& action) { world_.trace("broker: {}", action.text); }

    World& world_;
    Network& network_;
    Library& library_;
    Checker& checker_;
    Coverage& coverage_;
    std::chrono::seconds clock_shift_{};
    Plant plant_ = Plant::none;
    std::map<CallId, CallOffer> offers_;

    // Durable.
    Tables tables_;
    std::map<Digest, StoredObject> objects_;
    Tables copied_tables_;
    std::map<Digest, StoredObject> copied_objects_;

    // Lost in a crash.
    std::unique_ptr<broker::Broker> broker_;
    std::uint64_t life_ = 0;
    bool full_ = false;
    Head welcome_;
    Lane writer_;
    Lane object_writer_;
    Lane reader_;
    std::map<ConnectionId, broker::SessionId> sessions_;
    std::map<broker::SessionId, std::pair<ConnectionId, PeerKey>> connections_;
    std::map<ConnectionId, PeerKey> peers_;
    broker::SessionId last_session_ = 0;
    std::deque<broker::Event> events_;
    bool deciding_ = false;
    bool governed_ = false;  // its sessions have ways, so that the governor has a say
    TimePoint turn_due_{};
};

}  // namespace lull::sim
