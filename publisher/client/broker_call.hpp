#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "core/event_loop.hpp"
#include "publisher/client/exchange.hpp"

namespace lull::publisher {

struct ClientOptions {
    BrokerAddress broker;
    CurveKeyPair own;
    Duration patience = std::chrono::seconds(10);   // without any progress
    Duration acceptance = std::chrono::seconds(4);  // a wrong address or key shows after this time
    // What interrupts the call. Nothing: SIGINT and SIGTERM, which only the main thread of a program may take.
    std::optional<std::stop_token> stop{};
};

// One call of a command to the broker, with an event loop of its own. It owns what all calls share: the exchange and
// its renewal, PONG, the time limits, the reasons why the broker cannot be reached, and the end by SIGINT, SIGTERM or a
// stop token.
class BrokerCall {
public:
    struct Handlers {
        std::function<void()> connected;            // a new session; nothing of the one before counts
        std::function<void()> lost;                 // the session ended; the handler calls connect_after()
        std::function<void(Message)> arrived;       // PING has been answered already
        std::function<void()> frame_taken = [] {};  // a message with payload has left the queue
    };

    // `interrupted`: the error after SIGINT, SIGTERM or a stop. Without a stop token make it before any thread: threads
    // inherit the signal mask.
    BrokerCall(ClientOptions options, std::string interrupted, Handlers handlers);

    // Connects and serves events until end() or give_up(). Fault::unreachable names the reason and what to do.
    [[nodiscard]] Status run();
    void end();
    void give_up(Error error);  // the first error counts
    void give_up(Refused const& refused);

    // Gives up unless the broker accepts the key within `acceptance`.
    void require_acceptance();
    // Gives up unless answered() or another expect_answer() follows within `patience`.
    void expect_answer();
    void answered();

    void connect_after(Duration wait);
    // Only in a session: after `connected` and before `lost`.
    [[nodiscard]] Exchange& exchange() { return *exchange_; }
    [[nodiscard]] bool ready() const { return exchange_ != nullptr && exchange_->link().ready(); }
    // Why there is no connection and what to do; empty if this connection was accepted.
    [[nodiscard]] std::string why_not() const;

    [[nodiscard]] EventLoop& loop() { return loop_; }
    [[nodiscard]] MessagingContext& context() { return context_; }
    [[nodiscard]] ClientOptions const& options() const { return options_; }

private:
    void connect();
    void arrived(Result<Message> message);
    void give_up_unreachable();

    ClientOptions options_;
    Handlers handlers_;
    MessagingContext context_;
    EventLoop loop_;
    std::unique_ptr<Exchange> exchange_;
    EventLoop::TimerId patience_ = 0;
    bool accepted_ = false;  // at least once
    std::optional<Status> outcome_;
    std::optional<std::stop_callback<std::function<void()>>> stopping_;  // ends first: it posts to the loop
};

}  // namespace lull::publisher
