#include "broker/net/network_interfaces.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/files.hpp"

namespace network_interfaces_test {

using namespace lull;
using namespace lull::broker;

namespace {

FileDescriptor tcp() { return FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Two ends of a connection over loopback.
struct Pair {
    FileDescriptor client = tcp();
    FileDescriptor server;

    Pair() {
        auto const listener = tcp();
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(bind(listener.get(), any, size) == 0);
        REQUIRE(listen(listener.get(), 1) == 0);
        REQUIRE(getsockname(listener.get(), any, &size) == 0);
        REQUIRE(connect(client.get(), any, size) == 0);
        server.reset(accept(listener.get(), nullptr, nullptr));
        REQUIRE(server.valid());
    }
};

int number_of(int descriptor, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(getsockopt(descriptor, level, option, &value, &size) == 0);
    return value;
}

}  // namespace

TEST_CASE("the kernel is told to let others go first") {
    Pair pair;
    auto const connection = TcpConnection::of(pair.server.get());
    REQUIRE(connection.has_value());
    connection->yield_to_others();
    CHECK(number_of(pair.server.get(), IPPROTO_IP, IP_TOS) == 0x04);
    CHECK(number_of(pair.server.get(), SOL_SOCKET, SO_PRIORITY) == 2);
    connection->pace(ByteRate(1'000'000));
    std::uint64_t rate = 0;
    socklen_t size = sizeof rate;
    REQUIRE(getsockopt(pair.server.get(), SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &size) == 0);
    CHECK(rate == 1'000'000);
}

TEST_CASE("the kernel says what it has not sent, and what it has") {
    Pair pair;
    auto const connection = TcpConnection::of(pair.server.get()).value();
    auto const before = connection.on_the_wire().value();
    std::array<char, 10'000> const bytes{};
    REQUIRE(write(pair.server.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    CHECK(connection.on_the_wire().value() >= before + Bytes(bytes.size()));
    CHECK(connection.unsent() == Bytes());
    connection.pace(ByteRate(1000));
    for (int i = 0; i < 20; ++i) REQUIRE(write(pair.server.get(), bytes.data(), bytes.size()) > 0);
    CHECK(connection.unsent() > Bytes());
}

TEST_CASE("a number that stands for another connection by now is left alone") {
    Pair old;
    int const number = old.server.get();
    auto const connection = TcpConnection::of(number).value();
    Pair other;
    REQUIRE(dup2(other.server.get(), number) == number);
    connection.yield_to_others();
    CHECK(number_of(number, SOL_SOCKET, SO_PRIORITY) == 0);
    CHECK_FALSE(connection.on_the_wire().has_value());
    CHECK_FALSE(connection.peer_address().has_value());
}

TEST_CASE("what is no TCP connection is none") {
    CHECK_FALSE(TcpConnection::of(-1).has_value());
    FileDescriptor const datagram(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    CHECK_FALSE(TcpConnection::of(datagram.get()).has_value());
}

TEST_CASE("nodes in a named network are one site, others are sites of their own") {
    NetworkInterfaces const lines({IpNetwork::parse("10.0.0.0/8").value(), IpNetwork::parse("2001:db8::/32").value()});
    CHECK(lines.site_of("10.3.0.7") == "10.0.0.0/8");
    CHECK(lines.site_of("2001:db8:1::7") == "2001:db8::/32");
    CHECK(lines.site_of("192.0.2.7") == "192.0.2.7");
    CHECK(lines.site_of("2001:db9:1:2:3::7") == "2001:db9:1:2::/64");
    CHECK(lines.site_of("a name") == "a name");
}

TEST_CASE("a peer on this machine is on no line, and nothing is counted for it") {
    Pair pair;
    NetworkInterfaces lines({});
    CHECK_FALSE(lines.open(1, TcpConnection::of(pair.server.get()).value()).has_value());
    CHECK(lines.connection(1) == nullptr);
    lines.sent(1, TimePoint{});
    CHECK(lines.read(TimePoint{}).empty());
    lines.close(1);
}

}  // namespace network_interfaces_test
