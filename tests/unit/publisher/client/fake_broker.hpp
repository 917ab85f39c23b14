#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "core/event_loop.hpp"
#include "publisher/client/broker_call.hpp"
#include "schema/wire.hpp"

namespace lull::publisher::test {

// The exchange of a broker, on a thread and a loop of its own: it admits keys or not, and answers by a function.
class FakeBroker {
public:
    using Answers = std::function<std::vector<Message>(Message const&)>;

    // Binds to the endpoint of `address`, or to a free port if that has none.
    FakeBroker(CurveKeyPair const& keys, Admission admission, Answers answers, std::string const& endpoint = "")
        : keys_(keys),
          zap_(context_, [admission](CurveKey const&, std::string_view) { return admission; }),
          router_(context_, SocketKind::router),
          answers_(std::move(answers)) {
        router_.secure(CurveServer{keys_});
        auto const bound = router_.bind(endpoint.empty() ? "tcp://127.0.0.1:*" : endpoint);
        if (!bound) std::abort();
        endpoint_ = router_.last_endpoint();
        loop_.watch(zap_.socket(), [this] { zap_.serve(); });
        loop_.watch(router_, [this] { serve(); });
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~FakeBroker() {
        loop_.post([this] { loop_.stop(); });
        thread_.join();
    }
    FakeBroker(FakeBroker const&) = delete;
    FakeBroker& operator=(FakeBroker const&) = delete;

    [[nodiscard]] std::string const& endpoint() const { return endpoint_; }

    [[nodiscard]] BrokerAddress address() const {
        auto const port = std::stoi(endpoint_.substr(endpoint_.rfind(':') + 1));
        return {"127.0.0.1", static_cast<std::uint16_t>(port - 2), PeerKey(keys_.public_key)};
    }

private:
    void serve() {
        while (auto received = router_.receive()) {
            auto& frames = received->frames;
            if (frames.size() != 3) continue;
            auto const type = wire::decode_header(as_view(frames[1]));
            auto const message = type ? wire::decode_body(*type, as_view(frames[2])) : pass(type.error());
            if (!message) continue;
            for (auto const& answer : answers_(*message)) send(to_frame(as_view(frames[0])), answer);
        }
    }

    void send(Frame peer, Message const& message) {
        std::vector<Frame> frames;
        frames.push_back(std::move(peer));
        frames.push_back(to_frame(wire::encode_header(type_of(message))));
        frames.push_back(to_frame(wire::encode_body(message)));
        static_cast<void>(router_.send(std::move(frames)));
    }

    CurveKeyPair keys_;
    MessagingContext context_;
    EventLoop loop_;
    ZapHandler zap_;
    Socket router_;
    Answers answers_;
    std::string endpoint_;
    std::thread thread_;
};

}  // namespace lull::publisher::test
