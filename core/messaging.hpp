#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/units.hpp"

// The home of ZeroMQ: contexts, CURVE keys, sockets with options against known traps, and ZAP (RFC 27).

namespace lull {

using CurveKey = std::array<std::byte, 32>;

// A CURVE key pair (RFC 26): Curve25519, raw bytes.
struct CurveKeyPair {
    CurveKey public_key{};
    CurveKey secret_key{};
    [[nodiscard]] static CurveKeyPair generate();
};

// The public half that belongs to a secret key.
[[nodiscard]] CurveKey curve_public_of(CurveKey const& secret);

using Frame = zmq::message_t;

[[nodiscard]] inline View as_view(Frame const& frame) { return {frame.data<std::byte>(), frame.size()}; }
[[nodiscard]] inline Frame to_frame(View bytes) { return Frame(bytes.data(), bytes.size()); }

// What a multipart message carried, and who sent it according to the channel itself.
struct Received {
    std::vector<Frame> frames;
    std::string user_id;  // ZAP User-Id of the connection, empty where the socket has none
};

// The TCP connection that a message came by (ZMQ_SRCFD, zmq_msg_get(3)); nothing for other transports. It belongs to
// ZeroMQ, which may have closed it since.
[[nodiscard]] std::optional<int> descriptor_of(Frame const& frame);

// Whom a socket trusts: a server proves itself with `own`; a client expects `server`.
struct CurveServer {
    CurveKeyPair own;
};
struct CurveClient {
    CurveKeyPair own;
    CurveKey server{};
};

struct HighWater {
    int send = 1000;     // messages; a fuse, never 0
    int receive = 1000;  // messages
};

// A process has one context.
class MessagingContext {
public:
    explicit MessagingContext(int io_threads = 1);
    [[nodiscard]] zmq::context_t& native() { return context_; }

private:
    zmq::context_t context_;
};

enum class SocketKind { pub, sub, xpub, xsub, router, dealer, rep, req, push, pull, pair };

// A ZeroMQ socket. Non-blocking throughout: the event loop says when to read. LINGER is 0.
class Socket {
public:
    Socket(MessagingContext& context, SocketKind kind, HighWater high_water = {});
    Socket(Socket&&) noexcept = default;
    Socket& operator=(Socket&&) noexcept = default;

    // Call before bind or connect. Servers get ZAP domain "lull" with enforcement, so that a missing handler admits
    // nobody.
    void secure(CurveServer const& server);
    void secure(CurveClient const& client);
    void subscribe(std::string_view prefix);           // SUB
    void subscribe_upstream(std::string_view prefix);  // XSUB
    void set_welcome(View message);                    // XPUB: what each new subscriber gets first
    void show_all_subscriptions();                     // XPUB: receive() gives those to known topics as well
    void set_reconnect(Duration first, Duration most);
    void set_max_message(Bytes bytes);  // bound on a single frame
    void set_heartbeat(Duration interval, Duration timeout);
    // Lets close() wait this long for messages that are still to be sent.
    void set_linger(Duration linger);

    // Fault::refused with the reason when the address is in use or is no address.
    [[nodiscard]] Status bind(std::string const& endpoint);
    [[nodiscard]] Status connect(std::string const& endpoint);
    // The endpoint that was bound last, with the port that the kernel chose for ":*" or ":0".
    [[nodiscard]] std::string last_endpoint() const;

    // One whole message, or nothing when none waits.
    [[nodiscard]] std::optional<Received> receive();

    enum class Sent { yes, full, gone };
    // Sends all frames or none. full: high-water mark; gone: ROUTER knows no such peer.
    [[nodiscard]] Sent send(std::vector<Frame> frames);

    [[nodiscard]] int descriptor() const;  // ZMQ_FD: edge-triggered, only with readable()
    [[nodiscard]] bool readable() const;   // ZMQ_EVENTS has POLLIN
    [[nodiscard]] zmq::socket_t& native() { return socket_; }

private:
    zmq::socket_t socket_;
    SocketKind kind_;
};

// What happened on a socket's connections. Drain it always: a full monitor stalls its socket.
enum class LinkEvent { connected, handshake_done, handshake_refused, disconnected, other };

// Watches one socket's connections (zmq_socket_monitor(3)). Make it before connect().
class LinkMonitor {
public:
    LinkMonitor(MessagingContext& context, Socket& watched);
    ~LinkMonitor();
    LinkMonitor(LinkMonitor const&) = delete;
    LinkMonitor& operator=(LinkMonitor const&) = delete;

    [[nodiscard]] std::optional<LinkEvent> next();
    [[nodiscard]] Socket& socket() { return *pair_; }

private:
    Socket& watched_;
    std::unique_ptr<Socket> pair_;
};

// What to answer a connection that presents a key (RFC 27): admit, or "not now" (300: silent, the peer tries again).
enum class Admission { admit, not_now };

// Answers ZAP requests on inproc://zeromq.zap.01. Make it, and let the loop serve it, before any public bind.
class ZapHandler {
public:
    using Decide = std::function<Admission(CurveKey const& key, std::string_view address)>;
    ZapHandler(MessagingContext& context, Decide decide);

    // Answers every waiting request. User-Id is the key in hexadecimal.
    void serve();
    [[nodiscard]] Socket& socket() { return socket_; }

private:
    Socket socket_;
    Decide decide_;
};

}  // namespace lull
