#pragma once

#include "tests/sim/call_peer.hpp"

namespace lull::sim {

// A node that calls: asks again, under the same id, until it has a final answer.
class SimCaller final : public CallPeer {
public:
    // The release that is active here, if there is one.
    using Active = std::function<std::optional<Seq>()>;
    SimCaller(Surroundings const& around, std::string name, PeerKey const& key, SoftwareName const& software,
              Active active)
        : CallPeer(around, std::move(name), key),
          software_(software),
          active_(std::move(active)) {}

    // Makes a call now, if it can.
    void act();

private:
    struct Waiting {
        Call call;
        Bytes output{};
        Bytes output_credit{};
        Bytes input{};
        Bytes input_credit{};
        Bytes permitted{};
        std::uint64_t writes = 0;
        bool written = false;
    };
    [[nodiscard]] Message greeting() const override { return CallOpen{"lull-node sim"}; }
    void welcomed(Welcome const& message) override;
    void take(Message const& message, Buffer const& payload) override;
    void lost() override {}
    void killed() override;

    void ask(CallId const& id);
    void heard_state(CallState const& state);
    void read(CallData const& message, Buffer const& payload);
    void write(Waiting& waiting);

    SoftwareName software_;
    Active active_;
    std::uint64_t life_of_broker_ = 0;
    std::map<CallId, Waiting> waiting_;
    std::map<CallId, Call> done_;
};

}  // namespace lull::sim
