#include "broker/net/peer_connections.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "core/files.hpp"

namespace peer_connections_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

// Both ends of a TCP connection on loopback.
struct Connection {
    FileDescriptor ours;
    FileDescriptor theirs;
};

Connection connect_pair() {
    FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    REQUIRE(listen(listener.get(), 1) == 0);
    FileDescriptor theirs(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(theirs.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    return {FileDescriptor(accept(listener.get(), nullptr, nullptr)), std::move(theirs)};
}

bool has_ended(FileDescriptor const& end) {
    char byte = 0;
    return recv(end.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

}  // namespace

TEST_CASE("all connections of one peer are shut down, and none of another") {
    auto const first = connect_pair();
    auto const second = connect_pair();
    auto const other = connect_pair();
    PeerConnections connections;
    connections.seen(peer_key(1), first.ours.get());
    connections.seen(peer_key(1), second.ours.get());
    connections.seen(peer_key(1), second.ours.get());  // a further message
    connections.seen(peer_key(2), other.ours.get());
    CHECK(connections.of(peer_key(1)) == 2);
    connections.shut_down(peer_key(1));
    CHECK(has_ended(first.theirs));
    CHECK(has_ended(second.theirs));
    CHECK_FALSE(has_ended(other.theirs));
    CHECK(connections.of(peer_key(1)) == 0);
    connections.shut_down(peer_key(1));
}

TEST_CASE("a descriptor that stands for another connection by now is left alone") {
    auto first = connect_pair();
    PeerConnections connections;
    connections.seen(peer_key(1), first.ours.get());
    auto const second = connect_pair();
    REQUIRE(dup2(second.ours.get(), first.ours.get()) >= 0);  // as after close(2) and accept(2)
    connections.shut_down(peer_key(1));
    CHECK_FALSE(has_ended(second.theirs));
}

TEST_CASE("no more than a few connections of a peer are remembered") {
    std::vector<Connection> many;
    PeerConnections connections;
    for (int i = 0; i < 20; ++i) {
        many.push_back(connect_pair());
        connections.seen(peer_key(1), many.back().ours.get());
    }
    CHECK(connections.of(peer_key(1)) == 16);
    many.clear();
    auto const fresh = connect_pair();
    connections.seen(peer_key(1), fresh.ours.get());
    CHECK(connections.of(peer_key(1)) == 1);
}

}  // namespace peer_connections_test
