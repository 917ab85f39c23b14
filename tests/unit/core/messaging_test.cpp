#include "core/messaging.hpp"

#include <catch2/catch.hpp>

#include <poll.h>
#include <sys/socket.h>

#include "core/event_loop.hpp"

namespace messaging_test {

using namespace lull;
using namespace std::chrono_literals;

namespace {

constexpr Duration patience = 20s;

std::vector<Frame> frames_of(std::vector<std::string> const& parts) {
    std::vector<Frame> frames;
    for (auto const& part : parts) frames.push_back(to_frame(as_view(part)));
    return frames;
}

std::vector<std::string> texts_of(Received const& received) {
    std::vector<std::string> texts;
    for (auto const& frame : received.frames) texts.emplace_back(as_text(as_view(frame)));
    return texts;
}

// Waits until `condition` holds, which each event on one of the sockets may bring about.
template <class Condition>
bool wait_for(std::vector<Socket*> const& sockets, Condition const& condition, Duration time = patience) {
    auto const end = std::chrono::steady_clock::now() + time;
    while (true) {
        if (condition()) return true;
        if (std::chrono::steady_clock::now() >= end) return false;
        std::vector<pollfd> polled;
        for (auto* socket : sockets) polled.push_back({socket->descriptor(), POLLIN, 0});
        ::poll(polled.data(), polled.size(), 5);
        for (auto* socket : sockets) (void)socket->readable();
    }
}

std::optional<Received> receive(Socket& socket) {
    std::optional<Received> received;
    wait_for({&socket}, [&] { return (received = socket.receive()).has_value(); });
    return received;
}

// Sends as soon as there is a connection that takes it.
bool send(Socket& socket, std::vector<std::string> const& parts) {
    return wait_for({&socket}, [&] { return socket.send(frames_of(parts)) == Socket::Sent::yes; });
}

// A ROUTER with CURVE on loopback, and what decides whom it admits.
struct Server {
    MessagingContext context;
    CurveKeyPair keys = CurveKeyPair::generate();
    Admission answer = Admission::admit;
    std::vector<CurveKey> asked;
    ZapHandler handler{context, [this](CurveKey const& key, std::string_view) {
                           asked.push_back(key);
                           return answer;
                       }};
    Socket socket{context, SocketKind::router};

    // libzmq 4.3.4 closes the connection of a client that is not admitted when the handshake has taken this long.
    explicit Server(std::chrono::milliseconds handshake = 30s) {
        socket.secure(CurveServer{keys});
        socket.native().set(zmq::sockopt::handshake_ivl, static_cast<int>(handshake.count()));
        if (auto bound = socket.bind("tcp://127.0.0.1:*"); !bound) throw std::runtime_error(bound.error().message);
    }
};

struct Client {
    Client(Server& server, CurveKey const& expected) : server_(server), monitor(server.context, socket) {
        socket.secure(CurveClient{keys, expected});
        socket.set_reconnect(10ms, 20ms);
        if (auto done = socket.connect(server.socket.last_endpoint()); !done)
            throw std::runtime_error(done.error().message);
    }
    // Serves the server's handler until this client's connection has come so far.
    bool comes_to(LinkEvent wanted, Duration time = patience) {
        bool seen = false;
        return wait_for(
            {&monitor.socket(), &server_.handler.socket(), &server_.socket},
            [&] {
                server_.handler.serve();
                while (auto const event = monitor.next()) seen = seen || *event == wanted;
                return seen;
            },
            time);
    }

    Server& server_;
    CurveKeyPair keys = CurveKeyPair::generate();
    Socket socket{server_.context, SocketKind::dealer};
    LinkMonitor monitor;
};

}  // namespace

TEST_CASE("a message of several frames arrives whole and in order") {
    MessagingContext context;
    Socket left(context, SocketKind::pair);
    Socket right(context, SocketKind::pair);
    REQUIRE(left.bind("inproc://whole"));
    REQUIRE(right.connect("inproc://whole"));
    CHECK_FALSE(right.receive());
    REQUIRE(left.send(frames_of({"header", "", std::string(100'000, 'x')})) == Socket::Sent::yes);
    REQUIRE(left.send(frames_of({"next"})) == Socket::Sent::yes);
    auto const first = receive(right);
    REQUIRE(first);
    CHECK(texts_of(*first) == std::vector<std::string>{"header", "", std::string(100'000, 'x')});
    CHECK(first->user_id.empty());
    CHECK_FALSE(descriptor_of(first->frames[0]));
    CHECK(texts_of(receive(right).value()) == std::vector<std::string>{"next"});
}

TEST_CASE("a client with the right key gets through, and each of its messages bears its own key") {
    Server server;
    Client client(server, server.keys.public_key);
    REQUIRE(client.comes_to(LinkEvent::handshake_done));
    CHECK(server.asked == std::vector{client.keys.public_key});
    REQUIRE(send(client.socket, {"", "hello"}));
    std::optional<Received> received;
    REQUIRE(wait_for({&server.socket}, [&] {
        received = server.socket.receive();
        return received && received->frames.size() == 3;  // the first message is the empty one of a new connection
    }));
    CHECK(received->user_id == to_hex(client.keys.public_key));
    CHECK(as_text(as_view(received->frames[2])) == "hello");
    auto const descriptor = descriptor_of(received->frames[2]);
    REQUIRE(descriptor);
    int type = 0;
    socklen_t size = sizeof type;
    CHECK(getsockopt(*descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0);
    CHECK(type == SOCK_STREAM);

    std::vector<Frame> answer;
    answer.push_back(to_frame(as_view(received->frames[0])));
    answer.push_back(to_frame(as_view("welcome")));
    CHECK(server.socket.send(std::move(answer)) == Socket::Sent::yes);
    CHECK(texts_of(receive(client.socket).value()) == std::vector<std::string>{"welcome"});
}

TEST_CASE("a client that is not admitted stays outside, tries again by itself, and gets in when it is") {
    Server server(200ms);
    server.answer = Admission::not_now;
    Client client(server, server.keys.public_key);
    bool admitted = false;
    REQUIRE(wait_for({&server.handler.socket(), &client.monitor.socket()}, [&] {
        server.handler.serve();
        while (auto const event = client.monitor.next()) admitted = admitted || *event == LinkEvent::handshake_done;
        return server.asked.size() >= 3;
    }));
    CHECK_FALSE(admitted);
    CHECK(client.socket.send(frames_of({"", "hello"})) == Socket::Sent::full);  // there is no connection
    CHECK_FALSE(server.socket.receive());
    server.answer = Admission::admit;
    CHECK(client.comes_to(LinkEvent::handshake_done));
}

TEST_CASE("a client that expects another server does not get through, and the server is not asked about it") {
    Server server;
    Client client(server, CurveKeyPair::generate().public_key);
    CHECK_FALSE(client.comes_to(LinkEvent::handshake_done, 300ms));
    CHECK(server.asked.empty());
    Client control(server, server.keys.public_key);
    CHECK(control.comes_to(LinkEvent::handshake_done));
}

TEST_CASE("without a handler nobody is admitted") {
    MessagingContext context;
    auto const keys = CurveKeyPair::generate();
    Socket server(context, SocketKind::router);
    server.secure(CurveServer{keys});
    REQUIRE(server.bind("tcp://127.0.0.1:*"));
    Socket client(context, SocketKind::dealer);
    LinkMonitor monitor(context, client);
    client.secure(CurveClient{CurveKeyPair::generate(), keys.public_key});
    REQUIRE(client.connect(server.last_endpoint()));
    bool admitted = false;
    wait_for(
        {&monitor.socket(), &server},
        [&] {
            while (auto const event = monitor.next()) admitted = admitted || *event == LinkEvent::handshake_done;
            return admitted;
        },
        300ms);
    CHECK_FALSE(admitted);
}

TEST_CASE("a socket whose peer reads nothing takes as many messages as its high-water marks, then says full") {
    MessagingContext context;
    Socket sender(context, SocketKind::pair, {5, 5});
    Socket receiver(context, SocketKind::pair, {5, 5});
    REQUIRE(sender.bind("inproc://marks"));
    REQUIRE(receiver.connect("inproc://marks"));
    int taken = 0;
    while (taken < 1000 && sender.send(frames_of({std::to_string(taken)})) == Socket::Sent::yes) ++taken;
    CHECK(taken == 10);  // the marks of both ends add up
    CHECK(texts_of(receive(receiver).value()) == std::vector<std::string>{"0"});
}

TEST_CASE("a message to a peer that a router does not know is not taken") {
    MessagingContext context;
    Socket router(context, SocketKind::router);
    REQUIRE(router.bind("tcp://127.0.0.1:*"));
    CHECK(router.send(frames_of({"nobody", "hello"})) == Socket::Sent::gone);
}

TEST_CASE("a port that is in use, and an address that is none, are refused with what to do") {
    MessagingContext context;
    Socket first(context, SocketKind::router);
    REQUIRE(first.bind("tcp://127.0.0.1:*"));
    Socket second(context, SocketKind::router);
    auto const in_use = second.bind(first.last_endpoint());
    REQUIRE_FALSE(in_use);
    CHECK(in_use.error().fault == Fault::refused);
    CHECK_THAT(in_use.error().message, Catch::Contains(first.last_endpoint()) && Catch::Contains("the port is in use"));
    CHECK(second.bind("tcp://no.such.host.invalid:1").error().fault == Fault::refused);
    CHECK(second.connect("nonsense").error().fault == Fault::usage);
}

TEST_CASE("a connection is monitored as soon as the monitor before it, in the same place, has ended") {
    MessagingContext context;
    std::optional<Socket> watched;
    std::optional<LinkMonitor> monitor;
    for (int i = 0; i < 500; ++i) {
        monitor.reset();
        watched.emplace(context, SocketKind::dealer);
        monitor.emplace(context, *watched);
    }
    CHECK_FALSE(monitor->next());
}

TEST_CASE("a frame above the bound ends the connection, and one at the bound arrives") {
    MessagingContext context;
    Socket receiver(context, SocketKind::pull);
    receiver.set_max_message(Bytes(1000));
    REQUIRE(receiver.bind("tcp://127.0.0.1:*"));
    Socket good(context, SocketKind::push);
    REQUIRE(good.connect(receiver.last_endpoint()));
    Socket bad(context, SocketKind::push);
    LinkMonitor monitor(context, bad);
    REQUIRE(bad.connect(receiver.last_endpoint()));
    REQUIRE(send(bad, {std::string(1001, 'x')}));
    bool ended = false;
    CHECK(wait_for({&monitor.socket()}, [&] {
        while (auto const event = monitor.next()) ended = ended || *event == LinkEvent::disconnected;
        return ended;
    }));
    REQUIRE(send(good, {std::string(1000, 'y')}));
    CHECK(texts_of(receive(receiver).value()) == std::vector<std::string>{std::string(1000, 'y')});
}

TEST_CASE("a new subscriber gets the welcome message first, also one that was changed meanwhile") {
    MessagingContext context;
    Socket publisher(context, SocketKind::xpub);
    publisher.set_welcome(as_view("all: one"));
    REQUIRE(publisher.bind("tcp://127.0.0.1:*"));
    auto const first_message = [&] {
        Socket subscriber(context, SocketKind::sub);
        subscriber.subscribe("all:");
        if (auto done = subscriber.connect(publisher.last_endpoint()); !done) return done.error().message;
        std::optional<Received> received;
        wait_for({&publisher, &subscriber}, [&] {
            while (publisher.receive()) {}
            return (received = subscriber.receive()).has_value();
        });
        return received ? texts_of(*received).at(0) : std::string("nothing");
    };
    CHECK(first_message() == "all: one");
    publisher.set_welcome(as_view("all: two"));
    CHECK(first_message() == "all: two");
}

TEST_CASE("a loop hands each message of a watched socket to its handler, many at a time or one") {
    MessagingContext context;
    Socket sender(context, SocketKind::push);
    Socket receiver(context, SocketKind::pull);
    REQUIRE(receiver.bind("inproc://loop"));
    REQUIRE(sender.connect("inproc://loop"));
    EventLoop loop;
    std::vector<std::string> got;
    loop.watch(receiver, [&] {
        auto const received = receiver.receive();  // one of several that wait: the loop calls again
        if (received) got.push_back(texts_of(*received).at(0));
        if (got.size() == 100) loop.stop();
    });
    loop.post([&] {
        for (int i = 0; i < 50; ++i) (void)sender.send(frames_of({std::to_string(i)}));
        loop.after(1ms, [&] {
            for (int i = 50; i < 100; ++i) (void)sender.send(frames_of({std::to_string(i)}));
        });
    });
    loop.run();
    REQUIRE(got.size() == 100);
    CHECK(got.front() == "0");
    CHECK(got.back() == "99");
}

TEST_CASE("the public half of a key pair follows from its secret half") {
    auto const keys = CurveKeyPair::generate();
    CHECK(curve_public_of(keys.secret_key) == keys.public_key);
    CHECK(CurveKeyPair::generate().public_key != keys.public_key);
}

}  // namespace messaging_test
