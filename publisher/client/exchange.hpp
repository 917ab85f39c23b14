#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "core/event_loop.hpp"
#include "core/messaging.hpp"
#include "schema/address.hpp"
#include "schema/messages.hpp"

namespace lull::publisher {

// Stored bytes of an object. shared_ptr because a queued frame may outlive the upload's interest in the object.
using SharedBytes = std::shared_ptr<Buffer const>;

// How far a connection came: the difference between a broker that is not there and one that does not accept the key.
class LinkHistory {
public:
    void note(LinkEvent event);
    [[nodiscard]] bool ready() const { return ready_; }  // connected and trusted, now

    // Why there is no connection and what to do; empty if there was one.
    [[nodiscard]] std::string why_not(BrokerAddress const& broker) const;

private:
    bool answered_ = false;  // a peer listens there
    bool refused_ = false;   // the peer ended the connection before the handshake was done
    bool admitted_ = false;  // the broker accepted our key and proved its own
    bool ready_ = false;
};

// "HOST:PORT" of the exchange, for people.
[[nodiscard]] std::string exchange_host(BrokerAddress const& broker);

// One connection of a DEALER to the broker's exchange. The socket connects again until the broker accepts it. After a
// loss this object sends and receives nothing more, because messages of one session must not reach the next. The
// socket's own queue is so short that PING overtakes data.
class Exchange {
public:
    struct Handlers {
        std::function<void()> connected;
        std::function<void()> disconnected;            // nothing follows
        std::function<void(Result<Message>)> arrived;  // an error: bytes that are no message of this protocol
        std::function<void()> frame_taken;             // a message with payload has left the queue
    };

    Exchange(EventLoop& loop, MessagingContext& context, BrokerAddress const& broker, CurveKeyPair const& own,
             Handlers handlers);
    ~Exchange();
    Exchange(Exchange const&) = delete;
    Exchange& operator=(Exchange const&) = delete;

    // Begins to connect.
    [[nodiscard]] Status open();
    // Queues a message. PING and PONG go first.
    void send(Message const& message);
    void send(Message const& message, SharedBytes payload, Bytes offset, Bytes length);
    // Forgets queued messages that have a payload.
    void drop_payloads();

    [[nodiscard]] LinkHistory const& link() const { return link_; }

private:
    struct Queued {
        Message message;
        SharedBytes payload;
        Bytes offset{};
        Bytes length{};
    };
    [[nodiscard]] static std::vector<Frame> frames_of(Queued const& queued);
    void flush();
    void read_messages();
    void read_link();

    EventLoop& loop_;
    BrokerAddress broker_;
    Handlers handlers_;
    Socket dealer_;
    LinkMonitor monitor_;
    LinkHistory link_;
    std::deque<Queued> queue_;
    bool lost_ = false;
    bool flushing_ = false;
    bool retrying_ = false;
    EventLoop::TimerId retry_ = 0;
    std::vector<EventLoop::WatchId> watches_;
};

// The message in the frames of the exchange; nothing for the empty frame by which a connection is probed.
[[nodiscard]] std::optional<Result<Message>> read_exchange(std::vector<Frame> const& frames);

}  // namespace lull::publisher
