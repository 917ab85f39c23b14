#include "publisher/client/broker_call.hpp"

#include <csignal>

namespace lull::publisher {

BrokerCall::BrokerCall(ClientOptions options, std::string interrupted, Handlers handlers)
    : options_(std::move(options)),
      handlers_(std::move(handlers)) {
    if (!options_.stop) {
        loop_.on_signal({SIGINT, SIGTERM}, [this, text = std::move(interrupted)](int) {
            give_up({Fault::failed, text});
        });
        return;
    }
    stopping_.emplace(*options_.stop, [this, text = std::move(interrupted)] {
        loop_.post([this, text] { give_up({Fault::cancelled, text}); });
    });
}

Status BrokerCall::run() {
    connect();
    if (!outcome_) loop_.run();
    exchange_.reset();
    LULL_INVARIANT(outcome_.has_value());
    return std::move(*outcome_);
}

void BrokerCall::end() {
    if (!outcome_) outcome_ = Status();
    loop_.stop();
}

void BrokerCall::give_up(Error error) {
    if (!outcome_) outcome_ = pass(std::move(error));
    loop_.stop();
}

void BrokerCall::give_up(Refused const& refused) {
    give_up({Fault::refused, fmt::format("the broker refuses: {}", refused.text)});
}

void BrokerCall::give_up_unreachable() {
    if (auto const why = why_not(); !why.empty()) return give_up({Fault::unreachable, why});
    give_up(
        {Fault::unreachable,
         fmt::format("the broker at {} accepted the connection but has not answered for {}; try again, and read the "
                     "log of lull-broker if this repeats",
                     exchange_host(options_.broker), to_text(options_.patience))});
}

void BrokerCall::require_acceptance() {
    loop_.after(options_.acceptance, [this] {
        if (!accepted_) give_up_unreachable();
    });
}

void BrokerCall::expect_answer() {
    answered();
    patience_ = loop_.after(options_.patience, [this] { give_up_unreachable(); });
}

void BrokerCall::answered() {
    if (patience_ != 0) loop_.cancel(patience_);
    patience_ = 0;
}

std::string BrokerCall::why_not() const {
    return exchange_ == nullptr ? "" : exchange_->link().why_not(options_.broker);
}

void BrokerCall::connect_after(Duration wait) {
    loop_.after(wait, [this] { connect(); });
}

void BrokerCall::connect() {
    auto const connected = [this] {
        accepted_ = true;
        if (!outcome_) handlers_.connected();
    };
    auto const lost = [this] {
        if (!outcome_) handlers_.lost();
    };
    exchange_ = std::make_unique<Exchange>(
        loop_, context_, options_.broker, options_.own,
        Exchange::Handlers{connected, lost, [this](Result<Message> message) { arrived(std::move(message)); },
                           handlers_.frame_taken});
    if (auto status = exchange_->open(); !status) give_up(std::move(status.error()));
}

void BrokerCall::arrived(Result<Message> message) {
    if (outcome_) return;
    if (!message) {
        return give_up({message.error().fault, fmt::format("cannot read a message of the broker at {}: {}",
                                                           exchange_host(options_.broker), message.error().message)});
    }
    if (auto const* const ping = std::get_if<Ping>(&*message)) exchange_->send(Pong{ping->nonce});
    handlers_.arrived(std::move(*message));
}

}  // namespace lull::publisher
