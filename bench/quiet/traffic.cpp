#include "bench/quiet/traffic.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <list>
#include <random>

namespace lull::quiet {

namespace {

constexpr Duration grace = std::chrono::seconds(5);  // for what is on its way at the end
constexpr Duration bulk_step = std::chrono::milliseconds(100);
constexpr Duration first_answer = std::chrono::seconds(5);
constexpr std::size_t most_open = 4096;

// A connection with a request on it, or one that is kept for the next.
struct Call {
    FileDescriptor socket;
    EventLoop::WatchId watch = 0;
    Request request;
    Duration at{};
    std::uint64_t left = 0;
};

// A connection for datagrams and what was seen on it.
struct Session {
    FileDescriptor control;
    FileDescriptor socket;
    std::vector<EventLoop::WatchId> watches;
    RecordKind kind = RecordKind::ping;
    std::uint64_t token = 0;
    std::uint64_t sent = 0;  // pings
    std::uint64_t received = 0;
    std::uint64_t highest = 0;  // sequence + 1
};

class Generator {
public:
    Generator(EventLoop& loop, SocketAddress tcp, SocketAddress udp, Plan const& plan)
        : loop_(loop),
          tcp_(tcp),
          udp_(udp),
          plan_(plan),
          buffer_(512 << 10) {}

    Result<Observations> run() {
        if (auto status = greet(); !status) return pass(status.error());
        seen_.start = loop_.now();
        for (auto const& web : plan_.web) plan_web(web);
        for (auto const& bulk : plan_.bulk) plan_bulk(bulk);
        for (auto const& steady : plan_.steady) plan_steady(steady);
        if (plan_.ping > Duration::zero()) plan_pings();
        at(plan_.length, [this] {
            ending_ = true;
            stop_if_done();
        });
        at(plan_.length + grace, [this] { loop_.stop(); });
        loop_.run();
        finish();
        return std::move(seen_);
    }

private:
    using CallPlace = std::list<Call>::iterator;

    // One small request before everything else tells whether somebody is there who understands.
    Status greet() {
        auto socket = connect_to(tcp_, Transport::tcp);
        if (!socket) return fail(Fault::unreachable, "{}", socket.error().message);
        pollfd polled{socket->get(), POLLOUT, 0};
        auto const wait = static_cast<int>(std::chrono::milliseconds(std::chrono::seconds(5)).count());
        if (poll(&polled, 1, wait) != 1)
            return fail(Fault::unreachable, "the server does not answer; is 'lull-bench serve' running there?");
        if (int const problem = connection_error(socket->get()); problem != 0) {
            return fail(Fault::unreachable, "cannot connect to the server: {}; is 'lull-bench serve' running there?",
                        std::strerror(problem));
        }
        auto const bytes = encode(Request{RequestKind::web, 1, 0});
        (void)send(socket->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        polled.events = POLLIN;
        std::byte answer{};
        if (poll(&polled, 1, wait) != 1 || read(socket->get(), &answer, 1) != 1) {
            return fail(Fault::refused, "what answers there is not 'lull-bench serve' of this version");
        }
        return {};
    }

    template <class Task>
    void at(Duration when, Task task) {
        loop_.at(seen_.start + when, std::move(task));
    }

    [[nodiscard]] Duration elapsed() const { return loop_.now() - seen_.start; }

    // ---- requests ----

    void plan_web(WebPlan const& web) {
        std::seed_seq seeds{plan_.seed, static_cast<std::uint64_t>(web.size),
                            static_cast<std::uint64_t>(web.when.begin.count())};
        std::mt19937_64 random(seeds);
        std::exponential_distribution<double> gap(web.per_second / 1e9);
        for (auto when = web.when.begin + Duration(static_cast<std::int64_t>(gap(random))); when < web.when.end;
             when += Duration(static_cast<std::int64_t>(gap(random)))) {
            at(when, [this, when, size = web.size] { ask(when, size); });
        }
    }

    void ask(Duration when, std::uint32_t size) {
        Request const request{RequestKind::web, size, 0};
        if (plan_.connections == Connections::kept && !idle_.empty()) {
            auto const call = idle_.begin();
            calls_.splice(calls_.end(), idle_, call);
            loop_.unwatch(call->watch);
            call->at = when;
            call->request = request;
            call->left = size;
            return send_request(call);
        }
        begin(request, when, size);
    }

    // Connects, and sends the request as soon as that is done.
    void begin(Request request, Duration when, std::uint64_t size) {
        auto socket = calls_.size() < most_open ? connect_to(tcp_, Transport::tcp)
                                                : Result<FileDescriptor>(FileDescriptor());
        if (!socket || !socket->valid()) {
            seen_.records.push_back({kind_of(request), when, Duration(), 0, Outcome::failed});
            return;
        }
        auto const call = calls_.emplace(calls_.end());
        call->socket = std::move(*socket);
        call->request = request;
        call->at = when;
        call->left = size;
        call->watch = loop_.watch(call->socket.get(), POLLOUT, [this, call] {
            loop_.unwatch(call->watch);
            if (connection_error(call->socket.get()) != 0) return lose(call);
            send_request(call);
        });
    }

    static RecordKind kind_of(Request const& request) {
        return request.kind == RequestKind::web ? RecordKind::web : RecordKind::bulk;
    }

    void send_request(CallPlace call) {
        auto const bytes = encode(call->request);
        call->watch = loop_.watch(call->socket.get(), POLLIN, [this, call] { receive(call); });
        if (send(call->socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
            lose(call);
    }

    void receive(CallPlace call) {
        auto const count = read(call->socket.get(), buffer_.data(), buffer_.size());
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) return lose(call);
        if (call->request.kind == RequestKind::bulk) {
            bulk_bytes_ += static_cast<std::uint64_t>(count);
            return;
        }
        call->left -= std::min(call->left, static_cast<std::uint64_t>(count));
        if (call->left > 0) return;
        seen_.records.push_back({RecordKind::web, call->at, elapsed() - call->at, call->request.size, Outcome::done});
        loop_.unwatch(call->watch);
        if (plan_.connections == Connections::kept) {
            idle_.splice(idle_.begin(), calls_, call);
            call->watch = loop_.watch(call->socket.get(), POLLIN, [this, call] {  // the server has closed it
                loop_.unwatch(call->watch);
                idle_.erase(call);
            });
        } else {
            calls_.erase(call);
        }
        stop_if_done();
    }

    void lose(CallPlace call) {
        seen_.records.push_back({kind_of(call->request), call->at, elapsed() - call->at, 0, Outcome::failed});
        drop(call);
        stop_if_done();
    }

    void drop(CallPlace call) {
        loop_.unwatch(call->watch);
        calls_.erase(call);
    }

    // ---- downloads ----

    void plan_bulk(BulkPlan const& bulk) {
        at(bulk.when.begin, [this, bulk] {
            begin(Request{RequestKind::bulk, 0, 0}, bulk.when.begin, 0);
            note_bulk(bulk, bulk.when.begin + bulk_step);
        });
        at(bulk.when.end, [this, bulk] {
            for (auto call = calls_.begin(); call != calls_.end();) {
                auto const next = std::next(call);
                if (call->request.kind == RequestKind::bulk && call->at == bulk.when.begin) drop(call);
                call = next;
            }
        });
    }

    void note_bulk(BulkPlan const& bulk, Duration when) {
        at(when, [this, bulk, when] {
            seen_.records.push_back({RecordKind::bulk, when, bulk_step, std::exchange(bulk_bytes_, 0), Outcome::done});
            if (when < bulk.when.end) note_bulk(bulk, when + bulk_step);
        });
    }

    // ---- datagrams ----

    void plan_steady(SteadyPlan const& steady) {
        at(steady.when.begin, [this, steady] {
            auto const session = open_session(RecordKind::steady, {RequestKind::datagrams, steady.size,
                                                                   static_cast<std::uint64_t>(steady.bits_per_second)});
            if (session == sessions_.end()) return;
            at(steady.when.end, [this, session] { close(*session); });
        });
    }

    void plan_pings() {
        auto const session = open_session(RecordKind::ping, {RequestKind::datagrams, datagram_least, 0});
        if (session != sessions_.end()) ping_on(session, plan_.ping);
    }

    void ping_on(std::list<Session>::iterator session, Duration when) {
        if (when >= plan_.length) return;
        at(when, [this, session, when] {
            if (session->token != 0) {
                send_datagram(*session, {session->token, DatagramKind::ping, session->sent,
                                         static_cast<std::uint64_t>(elapsed().count())});
                ++session->sent;
            }
            ping_on(session, std::max(when + plan_.ping, elapsed()));
        });
    }

    std::list<Session>::iterator open_session(RecordKind kind, Request const& request) {
        auto control = connect_to(tcp_, Transport::tcp);
        auto socket = connect_to(udp_, Transport::udp);
        if (!control || !socket) return sessions_.end();
        auto const session = sessions_.emplace(sessions_.end());
        session->control = std::move(*control);
        session->socket = std::move(*socket);
        session->kind = kind;
        session->watches.push_back(
            loop_.watch(session->socket.get(), POLLIN, [this, session] { take_datagrams(*session); }));
        auto const watch = loop_.watch(session->control.get(), POLLOUT, [this, session, request] {
            loop_.unwatch(session->watches.back());
            session->watches.back() = loop_.watch(session->control.get(), POLLIN,
                                                  [this, session] { take_token(*session); });
            auto const bytes = encode(request);
            (void)send(session->control.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        });
        session->watches.push_back(watch);
        return session;
    }

    void take_token(Session& session) {
        std::array<std::byte, datagram_least> head{};
        if (read(session.control.get(), head.data(), sizeof session.token) != sizeof session.token)
            return close(session);
        session.token = decode_datagram(head)->token;
        if (session.kind == RecordKind::steady) send_datagram(session, {session.token, DatagramKind::start, 0, 0});
    }

    static void send_datagram(Session const& session, Datagram const& datagram) {
        std::array<std::byte, datagram_least> bytes{};
        encode(datagram, bytes);
        (void)send(session.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }

    void take_datagrams(Session& session) {
        for (;;) {
            auto const count = recv(session.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (count < 0) return;
            auto const datagram = decode_datagram(View(buffer_).first(static_cast<std::size_t>(count)));
            if (!datagram || datagram->token != session.token) continue;
            ++session.received;
            session.highest = std::max(session.highest, datagram->sequence + 1);
            auto const stamp = Duration(static_cast<std::int64_t>(datagram->time));
            auto const ping = session.kind == RecordKind::ping;
            auto const took = ping ? elapsed() - stamp : loop_.now().time_since_epoch() - stamp;
            seen_.records.push_back(
                {session.kind, ping ? stamp : elapsed(), took, static_cast<std::uint64_t>(count), Outcome::done});
        }
    }

    void close(Session& session) {
        for (auto const watch : session.watches) loop_.unwatch(watch);
        session.watches.clear();
        session.control.reset();
    }

    // ---- the end ----

    void stop_if_done() {
        if (ending_ && calls_.empty()) loop_.stop();
    }

    void finish() {
        for (auto const& call : calls_) {
            seen_.records.push_back({kind_of(call.request), call.at, elapsed() - call.at, 0, Outcome::unfinished});
        }
        for (auto& session : sessions_) {
            auto const expected = session.kind == RecordKind::ping ? session.sent : session.highest;
            auto const lost = expected - std::min(expected, session.received);
            (session.kind == RecordKind::ping ? seen_.pings_lost : seen_.steady_lost) += lost;
        }
    }

    EventLoop& loop_;
    SocketAddress tcp_;
    SocketAddress udp_;
    Plan const& plan_;
    Observations seen_;
    std::list<Call> calls_;
    std::list<Call> idle_;
    std::list<Session> sessions_;
    std::uint64_t bulk_bytes_ = 0;
    bool ending_ = false;
    Buffer buffer_;
};

}  // namespace

Result<Observations> run_traffic(EventLoop& loop, Place const& server, Plan const& plan) {
    auto const tcp = resolve(server, Transport::tcp);
    if (!tcp) return pass(tcp.error());
    auto const udp = resolve(server, Transport::udp);
    if (!udp) return pass(udp.error());
    Generator generator(loop, *tcp, *udp, plan);
    return generator.run();
}

}  // namespace lull::quiet
