#pragma once

#include <functional>
#include <string>

#include "core/event_loop.hpp"
#include "core/messaging.hpp"

namespace lull::broker {

// Connects to one of the broker's own ports with a key that is not enrolled: a mistake in the authentication would
// admit every key, and nothing else would show it. Runs on the loop; ends once.
class AuthenticatorSelfTest {
public:
    struct Door {
        std::string endpoint;                              // to connect to
        CurveKey key{};                                    // the server's
        Duration enough = std::chrono::milliseconds(300);  // a handshake on this machine takes a few
        Duration too_long = std::chrono::seconds(10);      // to be refused
    };
    using WasRefused = std::function<bool()>;  // whether the authenticator was asked about the key, and refused it
    // Fault::failed: the key was admitted, or the connection never came to the authenticator.
    using Done = std::function<void(Status)>;

    AuthenticatorSelfTest(MessagingContext& context, EventLoop& loop, CurveKeyPair const& stranger, Door const& door);
    ~AuthenticatorSelfTest();
    AuthenticatorSelfTest(AuthenticatorSelfTest const&) = delete;
    AuthenticatorSelfTest& operator=(AuthenticatorSelfTest const&) = delete;

    void start(WasRefused refused, Done done);

private:
    void watch_link();
    void check();
    void finish(Status status);

    EventLoop& loop_;
    Door door_;
    Socket socket_;
    LinkMonitor monitor_;
    WasRefused refused_;
    Done done_;
    TimePoint began_;
    EventLoop::WatchId watch_ = 0;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace lull::broker
