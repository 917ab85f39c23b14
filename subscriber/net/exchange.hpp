#pragma once

#include <functional>
#include <memory>

#include "core/event_loop.hpp"
#include "schema/identity.hpp"
#include "schema/wire.hpp"

namespace lull::subscriber {

// The node's connection to the exchange: a DEALER that is made when there is something to say, and destroyed with
// whatever it still holds when the session is over. Belongs to the loop's thread.
class Exchange {
public:
    struct Handlers {
        std::function<void()> ready;  // connected, keys accepted
        std::function<void(std::string why)> lost;
        std::function<void(Message message, Frame payload, TimePoint came)> heard;
    };

    Exchange(MessagingContext& context, EventLoop& loop, JoinBundle const& bundle, Handlers handlers);
    ~Exchange();
    Exchange(Exchange const&) = delete;
    Exchange& operator=(Exchange const&) = delete;

    void open();
    void close();
    // `payload` is the third frame; none if it is empty.
    void send(Message const& message, View payload = {});

private:
    struct Connection;
    void watch_link();
    void receive();

    MessagingContext& context_;
    EventLoop& loop_;
    JoinBundle const& bundle_;
    Handlers handlers_;
    std::unique_ptr<Connection> connection_;
    std::vector<std::unique_ptr<Connection>> dead_;  // until the turn after close()
};

// The node's own CURVE keys, and the broker's: what every socket of a node is secured with.
[[nodiscard]] CurveClient curve_of(JoinBundle const& bundle);

}  // namespace lull::subscriber
