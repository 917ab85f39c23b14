#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "subscriber/caller/caller.hpp"
#include "subscriber/disk/layout.hpp"
#include "subscriber/net/exchange.hpp"

namespace lull::subscriber {

// Where the commands `lull-node call` of this node are served: a Unix socket for root, the daemon's own user and the
// members of a group; and the session with the broker that their calls share. Belongs to the loop's thread.
class CallDesk {
public:
    // `group`: its members may call besides; no other user reaches the socket.
    [[nodiscard]] static Result<std::unique_ptr<CallDesk>> open(MessagingContext& context, EventLoop& loop,
                                                                Layout const& layout, JoinBundle const& bundle,
                                                                std::optional<std::string> const& group, Log& log);
    ~CallDesk();
    CallDesk(CallDesk const&) = delete;
    CallDesk& operator=(CallDesk const&) = delete;

private:
    class Ports;
    struct Client;

    CallDesk(MessagingContext& context, EventLoop& loop, Layout const& layout, JoinBundle const& bundle,
             FileDescriptor listener, std::optional<gid_t> group, Log& log);
    void accept();
    void ready(ClientId id);
    [[nodiscard]] Status read(ClientId id, Client& client);
    [[nodiscard]] Status take(ClientId id, Client& client, LocalFrames::Frame frame);
    [[nodiscard]] Status request(ClientId id, View payload);
    void feed(ClientId id);
    void flush(ClientId id);
    void watch(ClientId id);
    void drop(ClientId id);
    void arm();

    EventLoop& loop_;
    Log& log_;
    SystemClock clock_;
    Layout layout_;
    FileDescriptor listener_;
    std::optional<gid_t> group_;
    EventLoop::WatchId listener_watch_ = 0;
    Exchange exchange_;
    std::unique_ptr<Ports> ports_;
    Caller caller_;
    std::map<ClientId, std::unique_ptr<Client>> clients_;
    ClientId next_ = 1;
    std::optional<EventLoop::TimerId> timer_;
};

}  // namespace lull::subscriber
