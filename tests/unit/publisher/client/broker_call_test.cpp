#include "publisher/client/broker_call.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <mutex>

#include "publisher/client/following.hpp"
#include "publisher/client/query.hpp"
#include "tests/unit/publisher/client/fake_broker.hpp"

namespace broker_call_test {

// Calls to a broker that says nothing, does not accept the key, or ends in the middle.

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::FakeBroker;
using namespace std::chrono_literals;

namespace {

std::vector<Message> silence(Message const&) { return {}; }

ClientOptions options_for(BrokerAddress const& address) {
    ClientOptions options{address, CurveKeyPair::generate(), 700ms, 500ms};
    return options;
}

Admin question() {
    Admin question;
    question.verb = AdminVerb::nodes;
    return question;
}

// Page `cursor` of three; each has a node.
Answer page_of(Message const& message) {
    Answer answer;
    answer.verb = AdminVerb::nodes;
    auto const* const admin = std::get_if<Admin>(&message);
    if (admin == nullptr) return answer;
    answer.nodes.emplace_back();
    answer.nodes.back().node = NodeName::parse("node-" + std::to_string(admin->cursor)).value();
    if (admin->cursor < 2) answer.next = admin->cursor + 1;
    return answer;
}

Error failure(ClientOptions const& options) {
    auto const answer = request(options, question());
    REQUIRE_FALSE(answer);
    return answer.error();
}

// A TCP port that accepts connections and never sends a byte.
class SilentPort {
public:
    SilentPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* const plain = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(bind(socket_.get(), plain, length) == 0);
        REQUIRE(listen(socket_.get(), 8) == 0);
        REQUIRE(getsockname(socket_.get(), plain, &length) == 0);
        port_ = ntohs(address.sin_port);
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    // Returns when somebody connects.
    void wait_for_client() const {
        pollfd connecting{socket_.get(), POLLIN, 0};
        poll(&connecting, 1, -1);
    }

private:
    FileDescriptor socket_;
    std::uint16_t port_ = 0;
};

// Blocks a signal on this thread and on the threads that it starts.
class BlockedSignal {
public:
    explicit BlockedSignal(int number) {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, number);
        pthread_sigmask(SIG_BLOCK, &signals, &before_);
    }
    ~BlockedSignal() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignal(BlockedSignal const&) = delete;
    BlockedSignal& operator=(BlockedSignal const&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

TEST_CASE("an answer of several pages is put together") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit,
                            [](Message const& message) { return std::vector<Message>{page_of(message)}; });
    auto const answer = request(options_for(broker.address()), question());
    REQUIRE(answer);
    REQUIRE(answer->nodes.size() == 3);
    CHECK(answer->nodes[2].node.text() == "node-2");
}

TEST_CASE("a port where no broker listens is named after the time for acceptance") {
    std::uint16_t port = 0;
    {
        SilentPort const closed_soon;
        port = closed_soon.port();
    }
    BrokerAddress const address{"127.0.0.1", static_cast<std::uint16_t>(port - 2), PeerKey()};
    auto const error = failure(options_for(address));
    CHECK(error.fault == Fault::unreachable);
    CHECK_THAT(error.message, Catch::StartsWith("no broker listens at 127.0.0.1:" + std::to_string(port)));
}

TEST_CASE("a port that accepts connections and says nothing is no broker that accepts the key") {
    SilentPort const port;
    BrokerAddress const address{"127.0.0.1", static_cast<std::uint16_t>(port.port() - 2), PeerKey()};
    auto const error = failure(options_for(address));
    CHECK(error.fault == Fault::unreachable);
    CHECK_THAT(error.message, Catch::Contains("has not accepted your key"));
}

TEST_CASE("a broker that does not know the key gives the advice to enrol it") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::not_now, silence);
    auto const error = failure(options_for(broker.address()));
    CHECK(error.fault == Fault::unreachable);
    CHECK_THAT(error.message, Catch::Contains("lull-broker init --operator public.key"));
}

TEST_CASE("an address with the key of another broker gives the advice to compare it") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, silence);
    auto address = broker.address();
    address.key = PeerKey(CurveKeyPair::generate().public_key);
    auto const error = failure(options_for(address));
    CHECK(error.fault == Fault::unreachable);
    CHECK_THAT(error.message, Catch::Contains("wrong broker key in the address"));
}

TEST_CASE("a broker that accepts the key and says nothing is given up after the patience") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, silence);
    auto const options = options_for(broker.address());
    auto const error = failure(options);
    CHECK(error.fault == Fault::unreachable);
    CHECK_THAT(error.message, Catch::Contains("has not answered for"));
    auto const followed = follow(options, {SoftwareName::parse("app").value()},
                                 {[](ReleaseProgress const&) { return std::optional(Status()); },
                                  [](ReleaseProgress const&) { return std::string(); },
                                  std::nullopt,
                                  {}});
    REQUIRE_FALSE(followed);
    CHECK_THAT(followed.error().message, Catch::Contains("has not answered for"));
}

TEST_CASE("a broker that refuses a question is quoted") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, [](Message const&) {
        return std::vector<Message>{Refused{Refusal::not_allowed, "operators only"}};
    });
    auto const error = failure(options_for(broker.address()));
    CHECK(error.fault == Fault::refused);
    CHECK(error.message == "the broker refuses: operators only");
}

TEST_CASE("a broker that has forgotten the session is asked again") {
    int questions = 0;
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, [&](Message const& message) {
        if (++questions == 1) return std::vector<Message>{Refused{Refusal::no_session, "ask again"}};
        return std::vector<Message>{page_of(message)};
    });
    auto const answer = request(options_for(broker.address()), question());
    REQUIRE(answer);
    CHECK(answer->nodes.size() == 3);
}

TEST_CASE("a broker that pings is answered before it sends its answer") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, [&](Message const& message) {
        if (std::holds_alternative<Pong>(message)) {
            Admin last;
            last.cursor = std::get<Pong>(message).nonce;
            return std::vector<Message>{page_of(last)};
        }
        return std::vector<Message>{Ping{2}};
    });
    auto const answer = request(options_for(broker.address()), question());
    REQUIRE(answer);
    CHECK(answer->nodes.size() == 1);
}

TEST_CASE("a broker that ends between two pages and starts again gives the rest") {
    auto const keys = CurveKeyPair::generate();
    auto options = options_for({});
    options.patience = 20s;
    options.acceptance = 20s;
    std::unique_ptr<FakeBroker> broker;
    EventLoop loop;  // ends the first broker, whose own thread cannot
    auto const first_page_only = [&](Message const& message) -> std::vector<Message> {
        if (std::get<Admin>(message).cursor == 0) return {page_of(message)};
        loop.post([&] { loop.stop(); });
        return {};
    };
    broker = std::make_unique<FakeBroker>(keys, Admission::admit, first_page_only);
    auto const endpoint = broker->endpoint();
    options.broker = broker->address();
    std::thread restarting([&] {
        loop.run();
        broker.reset();
        broker = std::make_unique<FakeBroker>(
            keys, Admission::admit, [](Message const& message) { return std::vector<Message>{page_of(message)}; },
            endpoint);
    });
    auto const answer = request(options, question());
    restarting.join();
    REQUIRE(answer);
    REQUIRE(answer->nodes.size() == 3);
    CHECK(answer->nodes[0].node.text() == "node-0");
    CHECK(answer->nodes[2].node.text() == "node-2");
}

TEST_CASE("a broker that ends in the middle for good is reported as not there") {
    auto const keys = CurveKeyPair::generate();
    EventLoop loop;
    auto broker = std::make_unique<FakeBroker>(keys, Admission::admit, [&](Message const&) {
        loop.post([&] { loop.stop(); });
        return std::vector<Message>();
    });
    auto const options = options_for(broker->address());
    std::thread ending([&] {
        loop.run();
        broker.reset();
    });
    auto const error = failure(options);
    ending.join();
    CHECK(error.fault == Fault::unreachable);
    CHECK_THAT(error.message, Catch::StartsWith("no broker listens at 127.0.0.1:"));
}

TEST_CASE("pages that do not advance end the call") {
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, [](Message const& message) {
        auto page = page_of(message);
        page.next = 1;
        return std::vector<Message>{page};
    });
    auto const error = failure(options_for(broker.address()));
    CHECK(error.fault == Fault::damaged);
    CHECK_THAT(error.message, Catch::Contains("page 1 after page 1"));
}

TEST_CASE("SIGTERM ends a call at once") {
    BlockedSignal const blocked(SIGTERM);
    FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, [](Message const&) {
        kill(getpid(), SIGTERM);
        return std::vector<Message>();
    });
    auto options = options_for(broker.address());
    options.patience = 60s;
    auto const error = failure(options);
    CHECK(error.fault == Fault::failed);
    CHECK(error.message == "interrupted before the broker answered");
}

TEST_CASE("a stop token ends a call at once, also one that was stopped before it began") {
    SilentPort const port;
    std::stop_source stop;
    auto options = options_for(
        {"127.0.0.1", static_cast<std::uint16_t>(port.port() - 2), PeerKey(CurveKeyPair::generate().public_key)});
    options.patience = options.acceptance = 1min;
    options.stop = stop.get_token();
    std::jthread const stopping([&] {
        port.wait_for_client();
        stop.request_stop();
    });
    CHECK(failure(options).fault == Fault::cancelled);
    CHECK(failure(options).fault == Fault::cancelled);
}

TEST_CASE("the list of a software that the broker does not have is empty, and another refusal is an error") {
    auto const list = [](Refusal reason) {
        FakeBroker const broker(CurveKeyPair::generate(), Admission::admit, [reason](Message const&) {
            return std::vector<Message>{Refused{reason, "no"}};
        });
        return list_releases(options_for(broker.address()), SoftwareName::parse("app").value());
    };
    auto const releases = list(Refusal::invalid);
    REQUIRE(releases);
    CHECK(releases->empty());
    CHECK(list(Refusal::not_allowed).error().fault == Fault::refused);
}

}  // namespace broker_call_test
