#pragma once

#include <deque>
#include <memory>

#include "broker/broker.hpp"
#include "broker/data/data_directory.hpp"
#include "broker/data/lmdb_state.hpp"
#include "broker/net/authenticator.hpp"
#include "broker/net/authenticator_self_test.hpp"
#include "broker/net/connections.hpp"
#include "broker/net/cross_traffic_reading.hpp"
#include "broker/net/network_interfaces.hpp"
#include "broker/net/peer_connections.hpp"
#include "broker/net/ports.hpp"
#include "broker/objects/frame_reader.hpp"
#include "broker/objects/garbage_collector.hpp"
#include "broker/objects/object_writer.hpp"
#include "broker/objects/patch_maker.hpp"
#include "broker/objects/scrubber.hpp"

namespace lull::broker {

struct DaemonSettings {
    DataDirectory directory;
    BrokerAddress listen;
    BrokerSettings broker;
    std::vector<IpNetwork> sites{};  // networks whose nodes share a line
    std::string cross_traffic{};     // CrossTrafficReading; empty: none
    bool operator==(DaemonSettings const&) const = default;
};

// The shell around the broker's decision code: makes events of what sockets, workers and the writer say, and performs
// the actions. The decision code is reached from the loop's thread only.
class Daemon {
public:
    // Opens database and packs, loads what the broker knows, binds the ports. `loop` and `log` outlive the daemon.
    [[nodiscard]] static Result<std::unique_ptr<Daemon>> open(DaemonSettings const& settings, EventLoop& loop,
                                                              Log& log);

    // Serves until the loop is stopped; then commits what is queued. Fails if the authenticator admits unknown keys.
    // When it returns, everything that was acknowledged is durable and workers only compute: the process may end
    // without waiting for them, as the destructor does.
    [[nodiscard]] Status run();

    Daemon(Daemon const&) = delete;
    Daemon& operator=(Daemon const&) = delete;

private:
    // What is stored, as the decision code asks for it.
    class StoredObjects final : public ObjectIndex {
    public:
        explicit StoredObjects(store::Packs const& packs) : packs_(packs) {}
        [[nodiscard]] std::optional<store::ObjectPlace> find(Digest const& object) const override {
            return packs_.find(object);
        }

    private:
        store::Packs const& packs_;
    };
    struct Opened {
        CurveKeyPair keys;
        store::Environment database;
        store::Packs packs;
        BrokerState state;
        Scrubs scrubs;
    };

    Daemon(Opened opened, DaemonSettings const& settings, EventLoop& loop, Log& log);
    [[nodiscard]] Status open_ports(BrokerAddress const& listen);
    void test_with_stranger();
    void begin();
    void end();
    void tick();

    void serve_exchange();
    void serve_ingest();
    void serve_announce();
    void receive(Received received);
    void note_connection(PeerKey const& peer, Frame const& frame);
    void open_route(SessionId session, Frame const& frame);

    [[nodiscard]] static BrokerSettings of_this_life(BrokerSettings settings);
    void raise(Event event);
    void perform(Send const& action);
    void perform(SendFrame const& action);
    void perform(SendProbe const& action);
    void perform(SetPacing const& action);
    void perform(CloseSession const& action);
    void perform(CloseConnections const& action);
    void perform(Announce const& action);
    void perform(SetWelcome const& action);
    void perform(Persist& action);
    void perform(KeepObject& action);
    void perform(OpenManifest& action);
    void perform(ListNeeded const& action);
    void perform(RemoveOthers const& action);
    void perform(MakePatch const& action);
    void perform(ScrubObjects const& action);
    void perform(Say const& action);
    enum class Sent { yes, no };
    Sent send(SessionId session, Message const& message, std::optional<Frame> payload);
    void send_data(SendFrame const& action, Frame frame);
    void arm_turn();
    void read_lines();

    EventLoop& loop_;
    Log& log_;
    SystemClock clock_;
    CurveKeyPair keys_;
    BrokerAddress listen_;
    store::Environment database_;
    store::Packs packs_;
    StoredObjects objects_;
    Broker broker_;
    Connections connections_;
    PeerConnections peer_connections_;
    bool governed_;
    NetworkInterfaces lines_;  // of those sessions that are
    std::optional<EventLoop::TimerId> turn_timer_;
    TimePoint turn_due_{};
    bool reading_lines_ = false;
    std::optional<CrossTrafficReading> cross_traffic_;
    std::deque<Event> events_;
    bool deciding_ = false;
    unsigned ticks_ = 0;
    bool told_full_ = false;  // since the last tick
    Status outcome_;

    MessagingContext context_;
    Authenticator authenticator_;
    ZapHandler gate_;
    std::optional<Ports> ports_;
    std::unique_ptr<AuthenticatorSelfTest> stranger_test_;

    // Threads: they end first, the writer last of them.
    store::Writer writer_;
    LmdbState shared_state_;
    Workers hashing_;
    ObjectWriter object_writer_;
    FrameReader reader_;
    GarbageCollector garbage_collector_;
    PatchMaker quick_patch_maker_;
    PatchMaker thorough_patch_maker_;
    Scrubber scrubber_;
};

}  // namespace lull::broker
