#include "broker/net/ports.hpp"

#include "schema/wire.hpp"

namespace lull::broker {

namespace {

constexpr HighWater fuse{1000, 1000};  // messages; credit bounds memory, this is for what credit does not cover
constexpr Duration heartbeat_interval = std::chrono::seconds(30);
constexpr Duration heartbeat_timeout = std::chrono::seconds(90);
constexpr Bytes largest_subscription = KiB(4);

Socket make(MessagingContext& context, SocketKind kind, CurveKeyPair const& keys, Bytes largest_frame) {
    Socket socket(context, kind, fuse);
    socket.secure(CurveServer{keys});
    socket.set_heartbeat(heartbeat_interval, heartbeat_timeout);
    socket.set_max_message(largest_frame);
    return socket;
}

}  // namespace

Result<Ports> Ports::open(MessagingContext& context, CurveKeyPair const& keys, BrokerAddress const& listen,
                          View welcome) {
    Ports ports{make(context, SocketKind::xsub, keys, limits::control_message + KiB(64)),
                make(context, SocketKind::xpub, keys, largest_subscription),
                make(context, SocketKind::router, keys, limits::data_frame + KiB(64))};
    ports.ingest.subscribe_upstream(wire::everybody);
    ports.announce.set_welcome(welcome);
    ports.announce.show_all_subscriptions();
    if (auto status = ports.ingest.bind(listen.ingest()); !status) return pass(status.error());
    if (auto status = ports.announce.bind(listen.announce()); !status) return pass(status.error());
    if (auto status = ports.exchange.bind(listen.exchange()); !status) return pass(status.error());
    return ports;
}

}  // namespace lull::broker
