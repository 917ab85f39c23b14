#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/event_loop.hpp"
#include "schema/identity.hpp"
#include "schema/wire.hpp"

namespace lull::subscriber {

// The one connection that an idle node holds: SUB to the broker's announcements. Belongs to the loop's thread.
class Announcements {
public:
    struct Handlers {
        std::function<void(Message)> heard;
        std::function<void(Error const&)> nonsense;
        std::function<void(bool connected, std::string detail)> link_changed;
    };

    // `jitter` spreads the reconnects of a fleet: the first wait is this long.
    Announcements(MessagingContext& context, EventLoop& loop, JoinBundle const& bundle, Duration jitter,
                  Handlers handlers);
    ~Announcements();
    Announcements(Announcements const&) = delete;
    Announcements& operator=(Announcements const&) = delete;

    // Tells if there is no connection after some seconds; ZeroMQ goes on trying for ever, without a word.
    [[nodiscard]] Status connect(BrokerAddress const& broker);

private:
    [[nodiscard]] std::string why_not() const;
    void receive();
    void watch_link();

    EventLoop& loop_;
    Handlers handlers_;
    Socket socket_;
    LinkMonitor monitor_;
    EventLoop::WatchId socket_watch_;
    EventLoop::WatchId monitor_watch_;
    std::optional<EventLoop::TimerId> patience_;  // until there is a connection for the first time
    std::string endpoint_;
    bool reached_ = false;  // TCP connected, keys not yet accepted
};

}  // namespace lull::subscriber
