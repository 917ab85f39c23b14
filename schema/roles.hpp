#pragma once

#include <algorithm>
#include <array>

#include "schema/messages.hpp"

namespace lull {

// Who may send a message to the broker.
struct RoleRule {
    MessageType type;
    bool node;
    bool publisher;
    bool operator_;
};

inline constexpr std::array role_rules = [] {
    constexpr bool yes = true;
    constexpr bool no = false;
    // clang-format off
    return std::array{
        //       message                      node  publisher  operator
        RoleRule{MessageType::update,       no,   yes,       yes},
        RoleRule{MessageType::offer,        no,   yes,       yes},
        RoleRule{MessageType::put,          no,   yes,       yes},
        RoleRule{MessageType::hello,        yes,  no,        no},
        RoleRule{MessageType::sync,         yes,  no,        no},
        RoleRule{MessageType::witness,      yes,  no,        no},
        RoleRule{MessageType::fetch,        yes,  no,        no},
        RoleRule{MessageType::patch_query,  yes,  no,        no},
        RoleRule{MessageType::ack,          yes,  no,        no},
        RoleRule{MessageType::credit,       yes,  no,        no},
        RoleRule{MessageType::report,       yes,  no,        no},
        RoleRule{MessageType::ping,         yes,  yes,       yes},
        RoleRule{MessageType::pong,         yes,  yes,       yes},
        RoleRule{MessageType::admin,        no,   yes,       yes},  // a publisher: may_ask()
        RoleRule{MessageType::follow,       no,   yes,       yes},
        RoleRule{MessageType::serve,        yes,  no,        no},
        RoleRule{MessageType::call_open,    yes,  no,        no},
        RoleRule{MessageType::call,         yes,  no,        no},
        RoleRule{MessageType::call_ready,   yes,  no,        no},
        RoleRule{MessageType::call_state,   yes,  no,        no},
        RoleRule{MessageType::call_data,    yes,  no,        no},
        RoleRule{MessageType::call_credit,  yes,  no,        no},
        RoleRule{MessageType::call_cancel,  yes,  no,        no},
    };
    // clang-format on
}();

// Whether any role may send this message to the broker.
constexpr bool is_for_broker(MessageType type) { return std::ranges::count(role_rules, type, &RoleRule::type) > 0; }

// Whether a peer in this role may send this message to the broker. What the table does not name is denied.
[[nodiscard]] bool may_send(Role role, MessageType type);

// Whether a peer in this role may send ADMIN with this verb: a publisher may list releases, an operator may send all.
[[nodiscard]] bool may_ask(Role role, AdminVerb verb);

// What the broker publishes on the announce socket, for all nodes.
inline constexpr std::array announced_messages = {MessageType::update, MessageType::head, MessageType::orders};

// What the broker may send to a node, on either socket.
inline constexpr std::array messages_to_nodes = {
    MessageType::update,      MessageType::head,           MessageType::orders,
    MessageType::welcome,     MessageType::busy,           MessageType::refused,
    MessageType::log,         MessageType::snapshot,       MessageType::queued,
    MessageType::data,        MessageType::object_missing, MessageType::patch_offer,
    MessageType::grant,       MessageType::report_ack,     MessageType::ping,
    MessageType::pong,        MessageType::call_offer,     MessageType::call_go,
    MessageType::call_state,  MessageType::call_data,      MessageType::call_credit,
    MessageType::call_cancel,
};

[[nodiscard]] constexpr bool is_announced(MessageType type) {
    return std::ranges::find(announced_messages, type) != announced_messages.end();
}
[[nodiscard]] constexpr bool is_for_nodes(MessageType type) {
    return std::ranges::find(messages_to_nodes, type) != messages_to_nodes.end();
}

}  // namespace lull
