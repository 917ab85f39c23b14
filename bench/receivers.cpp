#include <sys/resource.h>

#include <chrono>
#include <iostream>
#include <memory>

#include "core/command_line.hpp"
#include "core/event_loop.hpp"
#include "core/json.hpp"
#include "schema/identity.hpp"
#include "schema/wire.hpp"

// Many nodes in one process, which speak the protocol and throw away what they get: HELLO, CREDIT, FETCH, and an ACK
// for each DATA. What bench/fan_out.py sets before lull's broker and before bench_bare_router alike, so that both face
// the same receivers.

namespace {

using namespace lull;

constexpr Duration greet_every = std::chrono::milliseconds(100);
constexpr Duration longest_greeting = std::chrono::minutes(5);

struct Order {
    BrokerAddress broker;
    fs::path bundles;
    std::size_t nodes = 0;
    Fetch fetch;
    Bytes each{};  // stored bytes of the objects together
};

// As a node says when something came.
std::uint64_t micros() {
    auto const since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

// One node: its connection and what has come over it.
class Session {
public:
    Session(MessagingContext& context, JoinBundle const& bundle, BrokerAddress const& broker)
        : node_(bundle.node),
          socket_(context, SocketKind::dealer) {
        socket_.secure(CurveClient{{curve_public_of(bundle.curve_secret), bundle.curve_secret}, broker.key.bytes()});
        socket_.set_max_message(limits::data_frame + KiB(64));
        LULL_INVARIANT(socket_.connect(broker.exchange()).has_value());
    }

    // Says HELLO as soon as the connection stands.
    void greet() {
        if (!greeted_)
            greeted_ = send(Hello{node_, native_architecture(), "bench_receivers", "-", Epoch{}, Seq{}}) ==
                       Socket::Sent::yes;
    }

    void begin(Fetch const& fetch, Bytes credit) {
        LULL_INVARIANT(send(Credit{credit}) == Socket::Sent::yes);
        LULL_INVARIANT(send(fetch) == Socket::Sent::yes);
    }

    // Takes one message; false when none waits.
    [[nodiscard]] bool take() {
        auto const received = socket_.receive();
        if (!received) return false;
        auto const& frames = received->frames;
        if (frames.size() < 2) return true;
        auto const type = wire::decode_header(as_view(frames[0]));
        LULL_INVARIANT(type.has_value());
        if (*type == MessageType::data) {
            came_ += Bytes(frames.at(2).size());
            LULL_INVARIANT(send(Ack{came_, micros()}) == Socket::Sent::yes);
        } else if (*type == MessageType::welcome) {
            welcome_ = true;
        } else if (*type == MessageType::ping) {
            auto const ping = wire::decode_body(*type, as_view(frames[1]));
            LULL_INVARIANT(ping.has_value());
            (void)send(Pong{std::get<Ping>(*ping).nonce, micros()});
        } else if (*type == MessageType::refused || *type == MessageType::busy ||
                   *type == MessageType::object_missing) {
            std::cerr << node_.text() << " was answered " << to_text(*type) << std::endl;
            std::exit(1);
        }
        return true;
    }

    [[nodiscard]] bool welcome() const { return welcome_; }
    [[nodiscard]] Bytes came() const { return came_; }
    [[nodiscard]] Socket& socket() { return socket_; }

private:
    Socket::Sent send(Message const& message) {
        std::vector<Frame> frames;
        frames.push_back(to_frame(wire::encode_header(type_of(message))));
        frames.push_back(to_frame(wire::encode_body(message)));
        return socket_.send(std::move(frames));
    }

    NodeName node_;
    Socket socket_;
    bool greeted_ = false;
    bool welcome_ = false;
    Bytes came_;
};

double own_cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto const seconds = [](timeval const& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// All sessions on one loop: greets, waits for a line on standard input, fetches, and prints how long that took.
class Receivers {
public:
    explicit Receivers(Order order) : order_(std::move(order)) {}

    Status run() {
        for (std::size_t i = 1; i <= order_.nodes; ++i) {
            auto const bundle = JoinBundle::load(order_.bundles / fmt::format("n{}.join", i));
            if (!bundle) return pass(bundle.error());
            sessions_.push_back(std::make_unique<Session>(context_, *bundle, order_.broker));
            loop_.watch(sessions_.back()->socket(), [this, session = sessions_.back().get()] { serve(*session); });
        }
        given_up_ = loop_.now() + longest_greeting;
        greet();
        loop_.run();
        return outcome_;
    }

private:
    void greet() {
        for (auto const& session : sessions_) session->greet();
        if (loop_.now() > given_up_) {
            outcome_ = fail(Fault::failed, "{} of {} sessions were welcomed", welcomed_, order_.nodes);
            return loop_.stop();
        }
        if (welcomed_ < order_.nodes) loop_.after(greet_every, [this] { greet(); });
    }

    void serve(Session& session) {
        bool const welcome = session.welcome();
        bool const done = session.came() >= order_.each;
        while (session.take()) {}
        if (session.welcome() && !welcome && ++welcomed_ == order_.nodes) return wait_for_line();
        if (session.came() >= order_.each && !done && ++done_ == order_.nodes) finish();
    }

    void wait_for_line() {
        std::cout << "ready" << std::endl;
        std::string line;
        std::getline(std::cin, line);
        cpu_ = own_cpu_seconds();
        begun_ = loop_.now();
        for (auto const& session : sessions_) session->begin(order_.fetch, order_.each);
    }

    void finish() {
        std::chrono::duration<double> const took = loop_.now() - begun_;
        Json const result = {{"bytes", order_.each.count() * order_.nodes},
                             {"seconds", took.count()},
                             {"cpu_seconds", own_cpu_seconds() - cpu_}};
        std::cout << result.dump() << std::endl;
        loop_.stop();
    }

    Order order_;
    MessagingContext context_;
    EventLoop loop_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::size_t welcomed_ = 0;
    std::size_t done_ = 0;
    TimePoint begun_{};
    TimePoint given_up_{};
    double cpu_ = 0;
    Status outcome_;
};

Result<Order> order_of(Arguments const& arguments) {
    Order order;
    auto broker = BrokerAddress::parse(arguments.text("broker"));
    auto const nodes = arguments.number("nodes");
    auto const each = parse_bytes(arguments.text("each"));
    auto const seq = arguments.number("seq");
    auto software = SoftwareName::parse(arguments.text("software"));
    if (!broker) return pass(broker.error());
    if (!nodes) return pass(nodes.error());
    if (!each) return pass(each.error());
    if (!seq) return pass(seq.error());
    if (!software) return pass(software.error());
    order = {*broker, arguments.text("bundles"), *nodes, {*software, Seq{*seq}, {}}, *each};
    for (auto const& text : arguments.all("object")) {
        auto const object = Digest::parse(text);
        if (!object) return pass(object.error());
        order.fetch.items.push_back({*object, Bytes()});
    }
    return order;
}

Command run_command() {
    return {
        .name = "run",
        .summary = "fetch the same objects with many sessions at once, after a line on standard input",
        .positional = {},
        .options =
            {{.name = "broker",
              .help = "address as lull-broker init writes it",
              .placeholder = "ADDRESS",
              .required = true},
             {.name = "bundles", .help = "directory of n1.join, n2.join, ...", .placeholder = "DIR", .required = true},
             {.name = "nodes", .help = "how many of them", .placeholder = "N", .fallback = "1"},
             {.name = "software", .help = "what the objects belong to", .placeholder = "NAME", .fallback = "app"},
             {.name = "seq", .help = "its release", .placeholder = "N", .fallback = "1"},
             {.name = "object", .help = "SHA-256 of an object", .placeholder = "HEX", .required = true, .many = true},
             {.name = "each", .help = "stored bytes of these objects", .placeholder = "SIZE", .required = true}},
        .example =
            "bench_receivers run --broker tcp://127.0.0.1:7700/KEY --bundles . --nodes 100 --object HEX --each 16MiB",
        .run = [](Arguments const& arguments) -> Status {
            auto order = order_of(arguments);
            return order ? Receivers(std::move(*order)).run() : Status(pass(order.error()));
        }};
}

}  // namespace

int main(int argc, char** argv) {
    lull::CommandLine program("bench_receivers", "many nodes that throw everything away", {run_command()});
    return program.run(argc, argv);
}
