#pragma once

#include <poll.h>

#include <atomic>
#include <thread>

#include "../../support/temporary_directory.hpp"
#include "broker/daemon.hpp"
#include "broker/data/init.hpp"
#include "schema/wire.hpp"

// A broker in a directory of its own, on a thread of its own, and peers that speak to it over sockets.

namespace lull::broker::test {

// Both halves of somebody's keys.
struct Person {
    CurveKeyPair curve = CurveKeyPair::generate();
    SigningKey signing = SigningKey::generate();
    [[nodiscard]] PublicIdentity open(std::string name) const {
        return {std::move(name), PeerKey(curve.public_key), signing.public_key()};
    }
};

inline void must(Status const& status) {
    if (!status) throw std::runtime_error(status.error().message);
}

inline std::string any_listen() { return fmt::format("127.0.0.1:{}", 20'000 + random_u64() % 40'000); }

inline Result<InitOutcome> init(fs::path const& directory, std::vector<PublicIdentity> operators,
                                std::string const& listen) {
    return initialise({DataDirectory(directory), std::move(operators), listen, ""}, SystemClock().wall());
}

class RunningDaemon {
public:
    // Takes three ports that are free.
    explicit RunningDaemon(fs::path const& directory, BrokerSettings const& settings = {}) : directory_(directory) {
        Result<std::unique_ptr<Daemon>> daemon = fail(Fault::failed, "");
        for (int tries = 0; tries < 50 && !daemon; ++tries) {
            auto const keys = directory_.load_keys().value();
            address = parse_listen(any_listen(), PeerKey(keys.public_key)).value();
            daemon = Daemon::open({directory_, address, settings}, loop_, log_);
            if (!daemon && daemon.error().message.find("in use") == std::string::npos)
                throw std::runtime_error(daemon.error().message);
        }
        daemon_ = std::move(daemon.value());
        thread_ = std::thread([this] { outcome_ = daemon_->run(); });
    }
    ~RunningDaemon() { (void)stop(); }

    Status stop() {
        if (!thread_.joinable()) return outcome_;
        loop_.post([this] { loop_.stop(); });
        thread_.join();
        daemon_.reset();
        return outcome_;
    }

    BrokerAddress address;

private:
    DataDirectory directory_;
    EventLoop loop_;
    Log log_{"broker", LogLevel::error};
    std::unique_ptr<Daemon> daemon_;
    Status outcome_;
    std::thread thread_;
};

// Waits for a message; nothing if none comes in time.
inline std::optional<Received> wait_for(Socket& socket, Duration patience = std::chrono::seconds(20)) {
    auto const end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
        if (auto received = socket.receive()) return received;
        pollfd polled{socket.descriptor(), POLLIN, 0};
        ::poll(&polled, 1, 10);
    }
    return std::nullopt;
}

// Somebody at the exchange.
class Client {
public:
    Client(BrokerAddress const& broker, CurveKeyPair const& own)
        : socket_(context_, SocketKind::dealer),
          monitor_(context_, socket_) {
        socket_.secure(CurveClient{own, broker.key.bytes()});
        must(socket_.connect(broker.exchange()));
    }

    // Sends as soon as there is a connection.
    void send(Message const& message, View payload = {}) {
        auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            std::vector<Frame> frames;
            frames.push_back(to_frame(wire::encode_header(type_of(message))));
            frames.push_back(to_frame(wire::encode_body(message)));
            if (!payload.empty()) frames.push_back(to_frame(payload));
            if (socket_.send(std::move(frames)) == Socket::Sent::yes) return;
            pollfd polled{socket_.descriptor(), POLLIN, 0};
            ::poll(&polled, 1, 10);
            (void)socket_.readable();
        }
        throw std::runtime_error("there is no connection");
    }

    // The next message of this kind; others are passed over.
    template <class M>
    M expect(Buffer* payload = nullptr) {
        while (auto received = wait_for(socket_)) {
            if (received->frames.size() < 2) continue;
            auto const type = wire::decode_header(as_view(received->frames[0])).value();
            auto message = wire::decode_body(type, as_view(received->frames[1])).value();
            if (auto const* refused = std::get_if<Refused>(&message);
                refused != nullptr && M::type != MessageType::refused) {
                throw std::runtime_error("refused: " + refused->text);
            }
            if (auto* concrete = std::get_if<M>(&message)) {
                if (payload != nullptr && received->frames.size() == 3)
                    *payload = to_buffer(as_view(received->frames[2]));
                return std::move(*concrete);
            }
        }
        throw std::runtime_error(fmt::format("no {} came", to_text(M::type)));
    }

    // Whether the link is trusted by both sides within this time.
    bool handshake_within(Duration patience) {
        auto const end = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < end) {
            while (auto const event = monitor_.next()) {
                if (*event == LinkEvent::handshake_done) return true;
            }
            pollfd polled{monitor_.socket().descriptor(), POLLIN, 0};
            ::poll(&polled, 1, 10);
        }
        return false;
    }

private:
    MessagingContext context_;
    Socket socket_;
    LinkMonitor monitor_;
};

}  // namespace lull::broker::test
