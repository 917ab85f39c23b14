#include "bench/quiet/server.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <limits>

namespace lull::quiet {

namespace {

constexpr std::size_t most_connections = 4096;
constexpr std::size_t written_at_once = 256 << 10;
constexpr double least_bits_per_second = 1000;
constexpr Duration shortest_interval = std::chrono::microseconds(10);

}  // namespace

Server::Server(EventLoop& loop, FileDescriptor listening, FileDescriptor datagrams)
    : loop_(loop),
      listening_(std::move(listening)),
      datagrams_(std::move(datagrams)),
      filling_(written_at_once) {
    loop_.watch(listening_.get(), POLLIN, [this] { accept_all(); });
    loop_.watch(datagrams_.get(), POLLIN, [this] { take_datagrams(); });
}

void Server::accept_all() {
    for (;;) {
        SocketAddress peer;
        socklen_t size = static_cast<socklen_t>(peer.bytes.size());
        auto* const address = reinterpret_cast<sockaddr*>(peer.bytes.data());
        FileDescriptor socket(accept4(listening_.get(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket.valid()) return;
        if (connections_.size() >= most_connections) continue;
        peer.size = size;
        peer.family = address->sa_family;
        auto const connection = connections_.emplace(connections_.end());
        connection->socket = std::move(socket);
        connection->peer = peer;
        connection->watch = loop_.watch(connection->socket.get(), POLLIN,
                                        [this, connection] { read_from(connection); });
    }
}

void Server::watch_for(Position connection, short events) {
    loop_.unwatch(connection->watch);
    connection->watch = loop_.watch(connection->socket.get(), events, [this, connection, events] {
        if (events == POLLOUT) {
            write_to(connection);
        } else {
            read_from(connection);
        }
    });
}

void Server::read_from(Position connection) {
    auto& incoming = connection->incoming;
    auto const count = read(connection->socket.get(), incoming.data() + connection->got,
                            incoming.size() - connection->got);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0 || connection->token != 0) return close(connection);
    connection->got += static_cast<std::size_t>(count);
    if (connection->got < incoming.size()) return;
    connection->got = 0;
    auto const request = decode_request(incoming);
    if (!request) return close(connection);
    connection->request = *request;
    answer(connection);
}

void Server::answer(Position connection) {
    if (connection->request.kind == RequestKind::datagrams) {
        connection->token = (static_cast<std::uint64_t>(random_()) << 32 | random_()) | 1;
        std::array<std::byte, datagram_least> head{};
        encode(Datagram{connection->token, DatagramKind::ping, 0, 0}, head);
        if (write(connection->socket.get(), head.data(), sizeof connection->token) != sizeof connection->token)
            close(connection);
        return;
    }
    auto const bulk = connection->request.kind == RequestKind::bulk;
    connection->left = bulk ? std::numeric_limits<std::uint64_t>::max() : connection->request.size;
    watch_for(connection, POLLOUT);
    write_to(connection);
}

void Server::write_to(Position connection) {
    auto const size = std::min<std::uint64_t>(connection->left, filling_.size());
    auto const count = send(connection->socket.get(), filling_.data(), size, MSG_NOSIGNAL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) close(connection);
        return;
    }
    connection->left -= static_cast<std::uint64_t>(count);
    if (connection->left == 0) watch_for(connection, POLLIN);
}

void Server::close(Position connection) {
    loop_.unwatch(connection->watch);
    if (connection->timer) loop_.cancel(*connection->timer);
    connections_.erase(connection);
}

void Server::take_datagrams() {
    std::array<std::byte, datagram_most> bytes{};
    for (;;) {
        SocketAddress from;
        socklen_t size = static_cast<socklen_t>(from.bytes.size());
        auto* const address = reinterpret_cast<sockaddr*>(from.bytes.data());
        auto const count = recvfrom(datagrams_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, address, &size);
        if (count < 0) return;
        from.size = size;
        from.family = address->sa_family;
        auto const received = std::span(bytes).first(static_cast<std::size_t>(count));
        auto const datagram = decode_datagram(received);
        if (!datagram || datagram->token == 0) continue;
        auto const owner = std::find_if(connections_.begin(), connections_.end(), [&](Connection const& connection) {
            return connection.token == datagram->token && connection.peer.same_host(from);
        });
        if (owner == connections_.end()) continue;
        if (datagram->kind == DatagramKind::ping) {
            (void)sendto(datagrams_.get(), received.data(), received.size(), MSG_DONTWAIT, address, size);
        } else if (datagram->kind == DatagramKind::start && !owner->stream) {
            start_stream(*owner, from);
        }
    }
}

void Server::start_stream(Connection& connection, SocketAddress const& to) {
    auto const bits = std::max(least_bits_per_second, static_cast<double>(connection.request.value));
    connection.request.size = std::max<std::uint32_t>(connection.request.size, datagram_least);
    auto const interval = Duration(static_cast<std::int64_t>(connection.request.size * 8e9 / bits));
    connection.stream = Stream{std::max(interval, shortest_interval), loop_.now(), 0, to};
    stream_on(connection);
}

void Server::stream_on(Connection& connection) {
    auto& stream = *connection.stream;
    std::array<std::byte, datagram_most> bytes{};
    auto const size = connection.request.size;
    for (auto now = loop_.now(); stream.next <= now; stream.next += stream.interval) {
        auto const time = static_cast<std::uint64_t>(now.time_since_epoch().count());
        encode(Datagram{connection.token, DatagramKind::stream, stream.sequence++, time}, bytes);
        (void)sendto(datagrams_.get(), bytes.data(), size, MSG_DONTWAIT,
                     reinterpret_cast<sockaddr const*>(stream.to.bytes.data()), stream.to.size);
    }
    connection.timer = loop_.at(stream.next, [this, &connection] { stream_on(connection); });
}

}  // namespace lull::quiet
