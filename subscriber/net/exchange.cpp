#include "subscriber/net/exchange.hpp"

#include "subscriber/net/liveness.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration reconnect_first = std::chrono::seconds(1);
constexpr Duration reconnect_most = std::chrono::seconds(30);

}  // namespace

CurveClient curve_of(JoinBundle const& bundle) {
    return {{curve_public_of(bundle.curve_secret), bundle.curve_secret}, bundle.broker.key.bytes()};
}

struct Exchange::Connection {
    Connection(MessagingContext& context, JoinBundle const& bundle)
        : socket(context, SocketKind::dealer),
          monitor(context, socket) {
        socket.secure(curve_of(bundle));
        socket.set_reconnect(reconnect_first, reconnect_most);
        socket.set_heartbeat(heartbeat, heartbeat_timeout);
        socket.set_max_message(limits::data_frame + KiB(64));
    }
    Socket socket;
    LinkMonitor monitor;
    EventLoop::WatchId socket_watch = 0;
    EventLoop::WatchId monitor_watch = 0;
    bool ready = false;
};

Exchange::Exchange(MessagingContext& context, EventLoop& loop, JoinBundle const& bundle, Handlers handlers)
    : context_(context),
      loop_(loop),
      bundle_(bundle),
      handlers_(std::move(handlers)) {}

Exchange::~Exchange() { close(); }

void Exchange::open() {
    close();
    connection_ = std::make_unique<Connection>(context_, bundle_);
    connection_->monitor_watch = loop_.watch(connection_->monitor.socket(), [this] { watch_link(); });
    connection_->socket_watch = loop_.watch(connection_->socket, [this] { receive(); });
    auto const connected = connection_->socket.connect(bundle_.broker.exchange());
    if (!connected) handlers_.lost(connected.error().message);
}

// The sockets live until the next turn: this may be called from one of their own handlers.
void Exchange::close() {
    if (!connection_) return;
    loop_.unwatch(connection_->socket_watch);
    loop_.unwatch(connection_->monitor_watch);
    dead_.push_back(std::move(connection_));
    loop_.post([this] { dead_.clear(); });
}

void Exchange::watch_link() {
    auto* const mine = connection_.get();
    while (connection_ && connection_.get() == mine) {
        auto const event = mine->monitor.next();
        if (!event) return;
        if (*event == LinkEvent::handshake_done && !mine->ready) {
            mine->ready = true;
            handlers_.ready();
        } else if (*event == LinkEvent::disconnected && mine->ready) {
            handlers_.lost("the connection ended");
        }
    }
}

void Exchange::receive() {
    auto* const mine = connection_.get();
    for (int i = 0; i < messages_a_turn && connection_ && connection_.get() == mine; ++i) {
        auto received = mine->socket.receive();
        if (!received) return;
        auto const came = loop_.now();
        auto& frames = received->frames;
        if (frames.size() < 2 || frames.size() > 3) continue;  // PROBE_ROUTER's empty message, or nothing of ours
        auto type = wire::decode_header(as_view(frames[0]));
        if (!type) return handlers_.lost(type.error().message);
        auto message = wire::decode_body(*type, as_view(frames[1]));
        if (!message) return handlers_.lost(message.error().message);
        handlers_.heard(std::move(*message), frames.size() == 3 ? std::move(frames[2]) : Frame(), came);
    }
}

void Exchange::send(Message const& message, View payload) {
    if (!connection_) return;
    std::vector<Frame> frames;
    frames.push_back(to_frame(wire::encode_header(type_of(message))));
    frames.push_back(to_frame(wire::encode_body(message)));
    if (!payload.empty()) frames.push_back(to_frame(payload));
    if (connection_->socket.send(std::move(frames)) == Socket::Sent::yes) return;
    // The agent is in the middle of its actions: tell it afterwards.
    loop_.post([this, mine = connection_.get()] {
        if (connection_.get() == mine) handlers_.lost("the connection takes no more messages");
    });
}

}  // namespace lull::subscriber
