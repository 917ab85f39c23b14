#pragma once

#include <list>
#include <random>

#include "bench/quiet/exchange.hpp"
#include "core/event_loop.hpp"

namespace lull::quiet {

// Answers `lull-bench traffic`. It sends whatever is asked for to whoever asks: it is meant to run while somebody
// measures.
class Server {
public:
    // Both sockets listen on the same port.
    Server(EventLoop& loop, FileDescriptor listening, FileDescriptor datagrams);

private:
    struct Stream {
        Duration interval{};
        TimePoint next{};
        std::uint64_t sequence = 0;
        SocketAddress to;
    };
    struct Connection {
        FileDescriptor socket;
        SocketAddress peer;
        Request request;
        RequestBytes incoming{};
        std::size_t got = 0;      // of `incoming`
        std::uint64_t left = 0;   // bytes to send
        std::uint64_t token = 0;  // of datagrams, or 0
        std::optional<Stream> stream;
        std::optional<EventLoop::TimerId> timer;
        EventLoop::WatchId watch = 0;
    };
    using Position = std::list<Connection>::iterator;

    void accept_all();
    void watch_for(Position connection, short events);
    void read_from(Position connection);
    void answer(Position connection);
    void write_to(Position connection);
    void close(Position connection);
    void take_datagrams();
    void start_stream(Connection& connection, SocketAddress const& to);
    void stream_on(Connection& connection);

    EventLoop& loop_;
    FileDescriptor listening_;
    FileDescriptor datagrams_;
    std::list<Connection> connections_;
    std::random_device random_;
    Buffer filling_;
};

}  // namespace lull::quiet
