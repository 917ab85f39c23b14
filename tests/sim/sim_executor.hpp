#pragma once

#include "tests/sim/call_peer.hpp"

namespace lull::sim {

// An executor: prepares, runs and stops calls as PROTOCOL.md says. Its programs read their input and write bytes.
class SimExecutor final : public CallPeer {
public:
    // Bugs that the checker must find.
    enum class Plant {
        none,
        begins_early,  // with the offer, not with CALL-GO
        outlives,      // programs go on when the session is lost, without a time limit
    };
    SimExecutor(Surroundings const& around, std::string name, PeerKey const& key, SoftwareName const& software)
        : CallPeer(around, std::move(name), key),
          software_(software) {}

    void plant(Plant plant) { plant_ = plant; }

private:
    struct Run {
        bool begun = false;
        bool run_out = false;  // it has run for its time
        Bytes input{};
        Bytes input_credit{};  // taken
        Bytes output{};        // sent so far
        Bytes output_credit{};
        Bytes permitted{};
        std::uint64_t writes = 0;  // bytes in all
        bool written = false;
        Duration time_limit{};
    };
    [[nodiscard]] Message greeting() const override;
    void welcomed(Welcome const& message) override;
    void take(Message const& message, Buffer const& payload) override;
    void lost() override;
    void killed() override;

    void offered(CallOffer const& offer);
    void go(CallId const& id);
    void begin(CallId const& id);
    void write(CallId const& id);
    void read(CallData const& message, Buffer const& payload);
    void end_if_done(CallId const& id);
    void stop(CallId const& id, CallReason reason);
    void remove(CallId const& id);
    void refuse(CallId const& id, CallReason reason);

    SoftwareName software_;
    Plant plant_ = Plant::none;
    std::map<CallId, Run> runs_;
};

}  // namespace lull::sim
