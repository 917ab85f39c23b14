#include "subscriber/net/announcements.hpp"

#include "subscriber/net/exchange.hpp"
#include "subscriber/net/liveness.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration rejoin_most = std::chrono::seconds(120);
constexpr Duration silence_at_first = std::chrono::seconds(5);

}  // namespace

Announcements::Announcements(MessagingContext& context, EventLoop& loop, JoinBundle const& bundle, Duration jitter,
                             Handlers handlers)
    : loop_(loop),
      handlers_(std::move(handlers)),
      socket_(context, SocketKind::sub),
      monitor_(context, socket_) {
    socket_.secure(curve_of(bundle));
    socket_.set_reconnect(jitter, rejoin_most);
    socket_.set_heartbeat(heartbeat, heartbeat_timeout);
    socket_.set_max_message(limits::control_message);
    socket_.subscribe(wire::everybody);
    socket_.subscribe(wire::topic_of(bundle.node));
    socket_watch_ = loop_.watch(socket_, [this] { receive(); });
    monitor_watch_ = loop_.watch(monitor_.socket(), [this] { watch_link(); });
}

Announcements::~Announcements() {
    if (patience_) loop_.cancel(*patience_);
    loop_.unwatch(socket_watch_);
    loop_.unwatch(monitor_watch_);
}

Status Announcements::connect(BrokerAddress const& broker) {
    endpoint_ = broker.announce();
    patience_ = loop_.after(silence_at_first, [this] {
        patience_.reset();
        handlers_.link_changed(false, why_not());
    });
    return socket_.connect(endpoint_);
}

std::string Announcements::why_not() const {
    if (!reached_)
        return fmt::format("nobody answers at {}: is lull-broker running there, and is no firewall between?",
                           endpoint_);
    return fmt::format(
        "{} answers but does not accept this node's key: either it is another broker than the one of the bundle, or "
        "this "
        "node is not enrolled there, or was removed (make a new bundle there with: lull nodes new NAME), or it has so "
        "many nodes to "
        "let "
        "in at this moment that this one has to wait",
        endpoint_);
}

void Announcements::receive() {
    for (int i = 0; i < messages_a_turn; ++i) {
        auto received = socket_.receive();
        if (!received) return;
        if (received->frames.size() != 1) continue;
        auto message = wire::decode_announcement(as_view(received->frames.front()));
        if (message) {
            handlers_.heard(std::move(*message));
        } else {
            handlers_.nonsense(message.error());
        }
    }
}

void Announcements::watch_link() {
    while (auto const event = monitor_.next()) {
        switch (*event) {
            case LinkEvent::connected: reached_ = true; break;
            case LinkEvent::handshake_done:
                reached_ = false;
                if (patience_) loop_.cancel(*patience_);
                patience_.reset();
                handlers_.link_changed(true, "");
                break;
            case LinkEvent::handshake_refused:
                handlers_.link_changed(
                    false, "the broker refused this node's key; ask the operator to enrol it ('lull nodes new')");
                break;
            case LinkEvent::disconnected:
                handlers_.link_changed(false, reached_ ? why_not() : "the connection ended");
                reached_ = false;
                break;
            case LinkEvent::other: break;
        }
    }
}

}  // namespace lull::subscriber
