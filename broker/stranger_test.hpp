#pragma once

#include <functional>
#include <string>

#include "core/event_loop.hpp"
#include "core/messaging.hpp"

namespace lull::broker {

// Knocks at one of our own ports with a key that nobody knows, because a mistake in what guards them would admit everybody without a
// word. Runs on the loop; ends once.
class StrangerTest {
public:
    struct Door {
        std::string endpoint;  // to connect to
        CurveKey key{};        // the server's
        Duration enough = std::chrono::milliseconds(300);  // a handshake on this machine takes a few
        Duration too_long = std::chrono::seconds(10);      // to be turned away
    };
    using Turned = std::function<bool()>;     // whether the gate was asked about the stranger and said no
    using Done = std::function<void(Status)>; // Fault::failed: the stranger got in, or could not get as far as the gate

    StrangerTest(MessagingContext& context, EventLoop& loop, CurveKeyPair const& stranger, Door const& door);
    ~StrangerTest();
    StrangerTest(StrangerTest const&) = delete;
    StrangerTest& operator=(StrangerTest const&) = delete;

    void start(Turned turned, Done done);

private:
    void watch_link();
    void look();
    void finish(Status status);

    EventLoop& loop_;
    Door door_;
    Socket socket_;
    LinkMonitor monitor_;
    Turned turned_;
    Done done_;
    TimePoint began_;
    EventLoop::WatchId watch_ = 0;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace lull::broker
