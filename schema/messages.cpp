#include "schema/messages.hpp"

#include <numeric>

namespace lull {

std::string_view to_text(NodeState state) {
    switch (state) {
        case NodeState::undistributed: return "undistributed";
        case NodeState::announced: return "announced";
        case NodeState::queued: return "queued";
        case NodeState::fetching: return "fetching";
        case NodeState::staged: return "staged";
        case NodeState::waiting: return "waiting";
        case NodeState::active: return "active";
        case NodeState::failed: return "failed";
        case NodeState::rolled_back: return "rolled-back";
        case NodeState::superseded: return "superseded";
        case NodeState::held: return "held";
        case NodeState::switching: return "switching";
        case NodeState::verifying: return "verifying";
        case NodeState::removed: return "removed";
    }
    return "unknown state";
}

std::uint64_t ReleaseProgress::in(NodeState state) const {
    auto const index = static_cast<std::size_t>(state);
    return index < nodes.size() ? nodes[index] : 0;
}

std::uint64_t ReleaseProgress::all() const { return std::accumulate(nodes.begin(), nodes.end(), std::uint64_t{0}); }

Message::Message() = default;
Message::Message(Message const&) = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(Message const&) = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

MessageType type_of(Message const& message) {
    return std::visit([]<class M>(M const&) { return M::type; }, message);
}

std::string_view to_text(MessageType type) {
    switch (type) {
        case MessageType::update: return "UPDATE";
        case MessageType::head: return "HEAD";
        case MessageType::offer: return "OFFER";
        case MessageType::need: return "NEED";
        case MessageType::put: return "PUT";
        case MessageType::committed: return "COMMITTED";
        case MessageType::refused: return "REFUSED";
        case MessageType::hello: return "HELLO";
        case MessageType::welcome: return "WELCOME";
        case MessageType::busy: return "BUSY";
        case MessageType::sync: return "SYNC";
        case MessageType::log: return "LOG";
        case MessageType::snapshot: return "SNAPSHOT";
        case MessageType::witness: return "WITNESS";
        case MessageType::fetch: return "FETCH";
        case MessageType::queued: return "QUEUED";
        case MessageType::data: return "DATA";
        case MessageType::ack: return "ACK";
        case MessageType::credit: return "CREDIT";
        case MessageType::object_missing: return "MISSING";
        case MessageType::patch_query: return "PATCH-QUERY";
        case MessageType::patch_offer: return "PATCH-OFFER";
        case MessageType::grant: return "GRANT";
        case MessageType::report: return "REPORT";
        case MessageType::report_ack: return "REPORT-ACK";
        case MessageType::orders: return "ORDERS";
        case MessageType::ping: return "PING";
        case MessageType::pong: return "PONG";
        case MessageType::admin: return "ADMIN";
        case MessageType::answer: return "ANSWER";
        case MessageType::follow: return "FOLLOW";
        case MessageType::progress: return "PROGRESS";
        case MessageType::serve: return "SERVE";
        case MessageType::call_open: return "CALL-OPEN";
        case MessageType::call: return "CALL";
        case MessageType::call_offer: return "CALL-OFFER";
        case MessageType::call_ready: return "CALL-READY";
        case MessageType::call_go: return "CALL-GO";
        case MessageType::call_state: return "CALL-STATE";
        case MessageType::call_data: return "CALL-DATA";
        case MessageType::call_credit: return "CALL-CREDIT";
        case MessageType::call_cancel: return "CALL-CANCEL";
    }
    return "unknown message";
}

}  // namespace lull
