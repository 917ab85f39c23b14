#include "core/messaging.hpp"

#include <zmq.h>

#include <algorithm>
#include <cstring>

#include "core/crypto.hpp"
#include "core/ip_family.hpp"

namespace lull {

namespace {

constexpr int zap_enforce_domain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN: a draft name in the header, but in Debian's build
constexpr std::string_view zap_domain = "lull";

int native_kind(SocketKind kind) {
    switch (kind) {
        case SocketKind::pub: return ZMQ_PUB;
        case SocketKind::sub: return ZMQ_SUB;
        case SocketKind::xpub: return ZMQ_XPUB;
        case SocketKind::xsub: return ZMQ_XSUB;
        case SocketKind::router: return ZMQ_ROUTER;
        case SocketKind::dealer: return ZMQ_DEALER;
        case SocketKind::rep: return ZMQ_REP;
        case SocketKind::req: return ZMQ_REQ;
        case SocketKind::push: return ZMQ_PUSH;
        case SocketKind::pull: return ZMQ_PULL;
        case SocketKind::pair: return ZMQ_PAIR;
    }
    return ZMQ_PAIR;
}

// zmq_setsockopt fails only for options or values that are wrong in our own code.
void set_option(zmq::socket_t& socket, int option, void const* value, std::size_t size) {
    int const result = zmq_setsockopt(socket.handle(), option, value, size);
    LULL_INVARIANT(result == 0);
}

void set_number(zmq::socket_t& socket, int option, int value) { set_option(socket, option, &value, sizeof value); }

int milliseconds(Duration duration) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

std::string user_id_of(Frame const& frame) {
    auto* message = const_cast<zmq_msg_t*>(frame.handle());  // zmq_msg_gets does not change it
    char const* id = zmq_msg_gets(message, "User-Id");
    return id == nullptr ? std::string() : std::string(id);
}

}  // namespace

std::optional<int> descriptor_of(Frame const& frame) {
    int const descriptor = zmq_msg_get(const_cast<zmq_msg_t*>(frame.handle()), ZMQ_SRCFD);
    if (descriptor < 0) return std::nullopt;
    return descriptor;
}

CurveKeyPair CurveKeyPair::generate() {
    char public_text[41];
    char secret_text[41];
    LULL_INVARIANT(zmq_curve_keypair(public_text, secret_text) == 0);
    CurveKeyPair pair;
    LULL_INVARIANT(zmq_z85_decode(reinterpret_cast<std::uint8_t*>(pair.public_key.data()), public_text) != nullptr);
    LULL_INVARIANT(zmq_z85_decode(reinterpret_cast<std::uint8_t*>(pair.secret_key.data()), secret_text) != nullptr);
    return pair;
}

CurveKey curve_public_of(CurveKey const& secret) {
    char secret_text[41];
    char public_text[41];
    LULL_INVARIANT(zmq_z85_encode(secret_text, reinterpret_cast<std::uint8_t const*>(secret.data()), secret.size()) !=
                   nullptr);
    LULL_INVARIANT(zmq_curve_public(public_text, secret_text) == 0);
    CurveKey key;
    LULL_INVARIANT(zmq_z85_decode(reinterpret_cast<std::uint8_t*>(key.data()), public_text) != nullptr);
    return key;
}

MessagingContext::MessagingContext(int io_threads) : context_(io_threads) {
    context_.set(zmq::ctxopt::max_sockets, 65'000);
}

Socket::Socket(MessagingContext& context, SocketKind kind, HighWater high_water)
    : socket_(context.native(), native_kind(kind)),
      kind_(kind) {
    set_number(socket_, ZMQ_LINGER, 0);
    set_number(socket_, ZMQ_SNDHWM, std::max(1, high_water.send));
    set_number(socket_, ZMQ_RCVHWM, std::max(1, high_water.receive));
    if (kind == SocketKind::router) set_number(socket_, ZMQ_ROUTER_MANDATORY, 1);
    if (kind == SocketKind::dealer) {
        set_number(socket_, ZMQ_IMMEDIATE, 1);
        set_number(socket_, ZMQ_PROBE_ROUTER, 1);
    }
}

void Socket::secure(CurveServer const& server) {
    set_number(socket_, ZMQ_CURVE_SERVER, 1);
    set_option(socket_, ZMQ_CURVE_SECRETKEY, server.own.secret_key.data(), server.own.secret_key.size());
    set_option(socket_, ZMQ_ZAP_DOMAIN, zap_domain.data(), zap_domain.size());
    set_number(socket_, zap_enforce_domain, 1);
}

void Socket::secure(CurveClient const& client) {
    set_option(socket_, ZMQ_CURVE_SERVERKEY, client.server.data(), client.server.size());
    set_option(socket_, ZMQ_CURVE_PUBLICKEY, client.own.public_key.data(), client.own.public_key.size());
    set_option(socket_, ZMQ_CURVE_SECRETKEY, client.own.secret_key.data(), client.own.secret_key.size());
}

void Socket::subscribe(std::string_view prefix) { set_option(socket_, ZMQ_SUBSCRIBE, prefix.data(), prefix.size()); }

void Socket::subscribe_upstream(std::string_view prefix) {
    Frame message(prefix.size() + 1);
    message.data<char>()[0] = 1;
    std::memcpy(message.data<char>() + 1, prefix.data(), prefix.size());
    LULL_INVARIANT(socket_.send(message, zmq::send_flags::dontwait).has_value());
}

void Socket::set_welcome(View message) { set_option(socket_, ZMQ_XPUB_WELCOME_MSG, message.data(), message.size()); }

void Socket::show_all_subscriptions() { set_number(socket_, ZMQ_XPUB_VERBOSE, 1); }

void Socket::set_reconnect(Duration first, Duration most) {
    set_number(socket_, ZMQ_RECONNECT_IVL, milliseconds(first));
    set_number(socket_, ZMQ_RECONNECT_IVL_MAX, milliseconds(most));
}

void Socket::set_max_message(Bytes bytes) {
    auto const most = static_cast<std::int64_t>(bytes.count());
    set_option(socket_, ZMQ_MAXMSGSIZE, &most, sizeof most);
}

void Socket::set_heartbeat(Duration interval, Duration timeout) {
    constexpr int longest_ttl = 65'000;  // carried in 16 bits of tenths of a second, but overflows above 65 s
    set_number(socket_, ZMQ_HEARTBEAT_IVL, milliseconds(interval));
    set_number(socket_, ZMQ_HEARTBEAT_TIMEOUT, milliseconds(timeout));
    set_number(socket_, ZMQ_HEARTBEAT_TTL, std::min(milliseconds(timeout), longest_ttl));
}

void Socket::set_linger(Duration linger) { set_number(socket_, ZMQ_LINGER, milliseconds(linger)); }

Status Socket::bind(std::string const& endpoint) {
    set_number(socket_, ZMQ_IPV6, by_ipv6(endpoint, {}) ? 1 : 0);
    if (zmq_bind(socket_.handle(), endpoint.c_str()) == 0) return {};
    int const error = zmq_errno();
    if (error == EADDRINUSE) {
        return fail(Fault::refused,
                    "cannot listen on {}: the port is in use; stop the program that has it, or choose another port",
                    endpoint);
    }
    return fail(Fault::refused, "cannot listen on {}: {}; check the address", endpoint, zmq_strerror(error));
}

Status Socket::connect(std::string const& endpoint) {
    set_number(socket_, ZMQ_IPV6, by_ipv6(endpoint, own_addresses()) ? 1 : 0);
    if (zmq_connect(socket_.handle(), endpoint.c_str()) == 0) return {};
    return fail(Fault::usage, "cannot connect to {}: {}; check the address", endpoint, zmq_strerror(zmq_errno()));
}

std::string Socket::last_endpoint() const { return socket_.get(zmq::sockopt::last_endpoint); }

std::optional<Received> Socket::receive() {
    Received received;
    bool more = true;
    while (more) {
        Frame frame;
        if (zmq_msg_recv(frame.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0) {
            LULL_INVARIANT(zmq_errno() == EAGAIN || zmq_errno() == EINTR);
            return std::nullopt;
        }
        more = frame.more();
        // The identity frame of a ROUTER carries no metadata in 4.3.4: the last frame that has any decides.
        if (auto id = user_id_of(frame); !id.empty()) received.user_id = std::move(id);
        received.frames.push_back(std::move(frame));
    }
    return received;
}

Socket::Sent Socket::send(std::vector<Frame> frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
        bool const last = i + 1 == frames.size();
        int const flags = ZMQ_DONTWAIT | (last ? 0 : ZMQ_SNDMORE);
        if (zmq_msg_send(frames[i].handle(), socket_.handle(), flags) >= 0) continue;
        int const error = zmq_errno();
        // Only the first frame can fail: libzmq takes the rest of a message that it has begun.
        LULL_INVARIANT(i == 0);
        if (error == EHOSTUNREACH) return Sent::gone;
        LULL_INVARIANT(error == EAGAIN || error == EINTR);
        return Sent::full;
    }
    return Sent::yes;
}

int Socket::descriptor() const { return socket_.get(zmq::sockopt::fd); }

bool Socket::readable() const { return (socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; }

LinkMonitor::LinkMonitor(MessagingContext& context, Socket& watched) : watched_(watched) {
    // A name of its own each time: libzmq frees that of a monitor that ended only later, on another thread.
    auto const endpoint = fmt::format("inproc://link-monitor-{:x}", random_u64());
    LULL_INVARIANT(zmq_socket_monitor(watched.native().handle(), endpoint.c_str(), ZMQ_EVENT_ALL) == 0);
    pair_ = std::make_unique<Socket>(context, SocketKind::pair);
    LULL_INVARIANT(pair_->connect(endpoint).has_value());
}

LinkMonitor::~LinkMonitor() { zmq_socket_monitor(watched_.native().handle(), nullptr, 0); }

std::optional<LinkEvent> LinkMonitor::next() {
    auto received = pair_->receive();
    if (!received) return std::nullopt;
    std::uint16_t event = 0;
    LULL_INVARIANT(received->frames.front().size() >= sizeof event);
    std::memcpy(&event, received->frames.front().data(), sizeof event);
    switch (event) {
        case ZMQ_EVENT_CONNECTED: return LinkEvent::connected;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return LinkEvent::handshake_done;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return LinkEvent::handshake_refused;
        case ZMQ_EVENT_DISCONNECTED: return LinkEvent::disconnected;
        default: return LinkEvent::other;
    }
}

ZapHandler::ZapHandler(MessagingContext& context, Decide decide)
    : socket_(context, SocketKind::rep),
      decide_(std::move(decide)) {
    auto const bound = socket_.bind("inproc://zeromq.zap.01");
    LULL_INVARIANT(bound.has_value());  // one gate a context
}

namespace {

// RFC 27: version, request id, status, text, user id, metadata.
std::vector<Frame> zap_reply(Frame request_id, std::string_view code, std::string_view text, std::string_view user) {
    std::vector<Frame> reply;
    reply.push_back(to_frame(as_view("1.0")));
    reply.push_back(std::move(request_id));
    for (std::string_view part : {code, text, user, std::string_view()}) reply.push_back(to_frame(as_view(part)));
    return reply;
}

}  // namespace

void ZapHandler::serve() {
    while (auto request = socket_.receive()) {
        auto& frames = request->frames;
        LULL_INVARIANT(frames.size() >= 6);  // libzmq writes these, not the peer
        bool const curve = frames[5].to_string_view() == "CURVE" && frames.size() == 7 && frames[6].size() == 32;
        CurveKey key{};
        if (curve) std::memcpy(key.data(), frames[6].data(), key.size());
        bool const admitted = curve && decide_(key, frames[3].to_string_view()) == Admission::admit;
        auto reply = admitted ? zap_reply(std::move(frames[1]), "200", "", to_hex(key))
                              : zap_reply(std::move(frames[1]), "300", "unknown key", "");
        LULL_INVARIANT(socket_.send(std::move(reply)) == Socket::Sent::yes);
    }
}

}  // namespace lull
