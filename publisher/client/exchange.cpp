#include "publisher/client/exchange.hpp"

#include <poll.h>

#include "schema/limits.hpp"
#include "schema/wire.hpp"

namespace lull::publisher {

namespace {

constexpr HighWater high_water{2, 1000};  // frames that PING cannot overtake
constexpr Duration retry_after = std::chrono::milliseconds(20);

}  // namespace

std::string exchange_host(BrokerAddress const& broker) {
    auto const endpoint = broker.exchange();
    return endpoint.substr(std::string_view("tcp://").size());
}

void LinkHistory::note(LinkEvent event) {
    switch (event) {
        case LinkEvent::connected: answered_ = true; break;
        case LinkEvent::handshake_done: answered_ = admitted_ = ready_ = true; break;
        case LinkEvent::handshake_refused: answered_ = refused_ = true; break;
        case LinkEvent::disconnected: {
            refused_ = refused_ || !admitted_;
            ready_ = false;
            break;
        }
        case LinkEvent::other: break;
    }
}

std::string LinkHistory::why_not(BrokerAddress const& broker) const {
    if (admitted_) return "";
    auto const host = exchange_host(broker);
    if (!answered_) {
        return fmt::format(
            "no broker listens at {}: check that lull-broker runs there, that the address is right, and "
            "that no firewall blocks the port",
            host);
    }
    if (!refused_) {  // a broker does not answer keys that it does not know (RFC 27, status 300)
        return fmt::format(
            "{} answered but has not accepted your key: the key is not enrolled there (on that machine: "
            "lull-broker init --operator public.key), or the broker is too busy to answer",
            host);
    }
    return fmt::format(
        "{} answered but did not accept your key: wrong broker key in the address (compare it with what "
        "'lull-broker init' printed), or your key is not enrolled there (on that machine: lull-broker "
        "init --operator public.key)",
        host);
}

Exchange::Exchange(EventLoop& loop, MessagingContext& context, BrokerAddress const& broker, CurveKeyPair const& own,
                   Handlers handlers)
    : loop_(loop),
      broker_(broker),
      handlers_(std::move(handlers)),
      dealer_(context, SocketKind::dealer, high_water),
      monitor_(context, dealer_) {
    dealer_.secure(CurveClient{own, broker.key.bytes()});
    dealer_.set_max_message(limits::control_message + KiB(4));
    dealer_.set_reconnect(std::chrono::milliseconds(200), std::chrono::seconds(5));
    dealer_.set_heartbeat(std::chrono::seconds(30), std::chrono::seconds(90));
    watches_.push_back(loop_.watch(dealer_, [this] { read_messages(); }));
    watches_.push_back(loop_.watch(monitor_.socket(), [this] { read_link(); }));
    // Room in the socket shows only as activity on its descriptor.
    watches_.push_back(loop_.watch(dealer_.descriptor(), POLLIN, [this] { flush(); }));
}

Exchange::~Exchange() {
    for (auto const watch : watches_) loop_.unwatch(watch);
    if (retrying_) loop_.cancel(retry_);
}

Status Exchange::open() { return dealer_.connect(broker_.exchange()); }

void Exchange::send(Message const& message) {
    Queued queued{message, nullptr};
    if (std::holds_alternative<Ping>(message) || std::holds_alternative<Pong>(message)) {
        queue_.push_front(std::move(queued));
    } else {
        queue_.push_back(std::move(queued));
    }
    flush();
}

void Exchange::send(Message const& message, SharedBytes payload, Bytes offset, Bytes length) {
    LULL_INVARIANT(payload != nullptr && offset + length <= Bytes(payload->size()));
    queue_.push_back({message, std::move(payload), offset, length});
    flush();
}

void Exchange::drop_payloads() {
    std::erase_if(queue_, [](auto const& queued) { return queued.payload != nullptr; });
}

std::vector<Frame> Exchange::frames_of(Queued const& queued) {
    std::vector<Frame> frames;
    frames.push_back(to_frame(wire::encode_header(type_of(queued.message))));
    frames.push_back(to_frame(wire::encode_body(queued.message)));
    if (queued.payload)
        frames.push_back(to_frame(View(*queued.payload).subspan(queued.offset.count(), queued.length.count())));
    return frames;
}

// Hands over what the socket takes. Handlers may queue more meanwhile.
void Exchange::flush() {
    if (flushing_ || !link_.ready()) return;  // a lost link is not ready
    flushing_ = true;
    while (!queue_.empty()) {
        if (dealer_.send(frames_of(queue_.front())) != Socket::Sent::yes) {
            if (retrying_) break;
            retrying_ = true;
            retry_ = loop_.after(retry_after, [this] {
                retrying_ = false;
                flush();
            });
            break;
        }
        bool const payload = queue_.front().payload != nullptr;
        queue_.pop_front();
        if (payload) handlers_.frame_taken();
    }
    flushing_ = false;
}

void Exchange::read_messages() {
    while (auto received = dealer_.receive()) {
        if (lost_) continue;
        if (auto message = read_exchange(received->frames)) handlers_.arrived(std::move(*message));
    }
}

void Exchange::read_link() {
    while (auto const event = monitor_.next()) {
        if (lost_) continue;
        bool const before = link_.ready();
        link_.note(*event);
        lost_ = before && !link_.ready();
        if (lost_) handlers_.disconnected();
        if (!before && link_.ready()) handlers_.connected();
    }
}

std::optional<Result<Message>> read_exchange(std::vector<Frame> const& frames) {
    if (frames.size() == 1 && frames[0].size() == 0) return std::nullopt;
    if (frames.size() != 2)
        return Result<Message>(fail(Fault::damaged, "a message has {} frames instead of 2", frames.size()));
    auto const type = wire::decode_header(as_view(frames[0]));
    if (!type) return Result<Message>(pass(type.error()));
    return wire::decode_body(*type, as_view(frames[1]));
}

}  // namespace lull::publisher
