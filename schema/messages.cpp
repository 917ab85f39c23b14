#include "schema/messages.hpp"

#include <numeric>

namespace lull {

std::string_view to_text(NodeState state) {
    switch (state) {
        case NodeState::undistributed: return "undistributed";
        case NodeState::announced: return "announced";
        case NodeState::queued: return "queued";
        case NodeState::downloading: return "downloading";
        case NodeState::distributed: return "distributed";
        case NodeState::waiting: return "waiting";
        case NodeState::active: return "active";
        case NodeState::failed: return "failed";
        case NodeState::rolled_back: return "rolled back";
        case NodeState::superseded: return "superseded";
        case NodeState::held: return "held";
    }
    return "unknown state";
}

std::uint64_t ReleaseProgress::in(NodeState state) const {
    auto const index = static_cast<std::size_t>(state);
    return index < nodes.size() ? nodes[index] : 0;
}

std::uint64_t ReleaseProgress::all() const { return std::accumulate(nodes.begin(), nodes.end(), std::uint64_t{0}); }

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
        case MessageType::absent: return "ABSENT";
        case MessageType::plan: return "PLAN";
        case MessageType::steps: return "STEPS";
        case MessageType::grant: return "GRANT";
        case MessageType::report: return "REPORT";
        case MessageType::noted: return "NOTED";
        case MessageType::orders: return "ORDERS";
        case MessageType::ping: return "PING";
        case MessageType::pong: return "PONG";
        case MessageType::admin: return "ADMIN";
        case MessageType::answer: return "ANSWER";
        case MessageType::follow: return "FOLLOW";
        case MessageType::progress: return "PROGRESS";
    }
    return "unknown message";
}

}  // namespace lull
