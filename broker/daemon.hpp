#pragma once

#include <deque>
#include <memory>

#include "broker/broker.hpp"
#include "broker/connections.hpp"
#include "broker/data_directory.hpp"
#include "broker/foreign_reading.hpp"
#include "broker/frame_reader.hpp"
#include "broker/gatekeeper.hpp"
#include "broker/keeper.hpp"
#include "broker/lines.hpp"
#include "broker/patch_maker.hpp"
#include "broker/scrubber.hpp"
#include "broker/ports.hpp"
#include "broker/stranger_test.hpp"
#include "broker/sweeper.hpp"

namespace lull::broker {

struct DaemonSettings {
    DataDirectory directory;
    BrokerAddress listen;
    BrokerSettings broker;
    std::vector<Network> sites{};  // networks whose nodes share a line
    std::string foreign{};         // ForeignReading; empty: none
};

// The shell around the broker's decision code: makes events of what sockets, workers and the writer say, and performs the actions.
// The decision code is reached from the loop's thread only.
class Daemon {
public:
    // Opens database and packs, loads what the broker knows, binds the ports. `loop` and `log` outlive the daemon.
    [[nodiscard]] static Result<std::unique_ptr<Daemon>> open(DaemonSettings const& settings, EventLoop& loop, Log& log);

    // Serves until the loop is stopped; then commits what is queued. Fails if strangers are let in.
    [[nodiscard]] Status run();

    Daemon(Daemon const&) = delete;
    Daemon& operator=(Daemon const&) = delete;

private:
    // What is stored, as the decision code asks for it.
    class StoredObjects final : public ObjectIndex {
    public:
        explicit StoredObjects(store::Packs const& packs) : packs_(packs) {}
        [[nodiscard]] std::optional<store::ObjectPlace> find(Digest const& object) const override { return packs_.find(object); }

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
    void tick();

    void serve_exchange();
    void serve_ingest();
    void serve_announce();
    void receive(Received received);
    void open_way(SessionId session, Frame const& frame);

    void raise(Event event);
    void perform(Send const& action);
    void perform(SendFrame const& action);
    void perform(SendProbe const& action);
    void perform(SetPacing const& action);
    void perform(CloseSession const& action);
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
    bool governed_;
    Lines lines_;  // of those sessions that are
    std::optional<EventLoop::TimerId> turn_timer_;
    TimePoint turn_due_{};
    bool reading_lines_ = false;
    std::optional<ForeignReading> foreign_;
    std::deque<Event> events_;
    bool deciding_ = false;
    unsigned ticks_ = 0;
    bool told_full_ = false;  // since the last tick
    Status outcome_;

    MessagingContext context_;
    Gatekeeper gatekeeper_;
    Gate gate_;
    std::optional<Ports> ports_;
    std::unique_ptr<StrangerTest> stranger_test_;

    // Threads: they end first, the writer last of them.
    store::Writer writer_;
    Workers hashing_;
    Keeper keeper_;
    FrameReader reader_;
    Sweeper sweeper_;
    PatchMaker quick_patch_maker_;
    PatchMaker thorough_patch_maker_;
    Scrubber scrubber_;
};

}  // namespace lull::broker
