#include "schema/roles.hpp"

#include <algorithm>
#include <array>

namespace lull {

namespace {

struct Rule {
    MessageType type;
    bool node;
    bool publisher;
    bool operator_;
};

constexpr bool yes = true;
constexpr bool no = false;

// clang-format off
constexpr std::array rules = {
    //   message               node  publisher  operator
    Rule{MessageType::update,  no,   yes,       yes},
    Rule{MessageType::offer,   no,   yes,       yes},
    Rule{MessageType::put,     no,   yes,       yes},
    Rule{MessageType::hello,   yes,  no,        no},
    Rule{MessageType::sync,    yes,  no,        no},
    Rule{MessageType::witness, yes,  no,        no},
    Rule{MessageType::fetch,   yes,  no,        no},
    Rule{MessageType::plan,    yes,  no,        no},
    Rule{MessageType::ack,     yes,  no,        no},
    Rule{MessageType::credit,  yes,  no,        no},
    Rule{MessageType::report,  yes,  no,        no},
    Rule{MessageType::ping,    yes,  yes,       yes},
    Rule{MessageType::pong,    yes,  yes,       yes},
    Rule{MessageType::admin,   no,   no,        yes},
    Rule{MessageType::follow,  no,   yes,       yes},
};
// clang-format on

}  // namespace

bool may_send(Role role, MessageType type) {
    auto const rule = std::find_if(rules.begin(), rules.end(), [type](Rule const& r) { return r.type == type; });
    if (rule == rules.end()) return false;
    switch (role) {
        case Role::node: return rule->node;
        case Role::publisher: return rule->publisher;
        case Role::operator_: return rule->operator_;
    }
    return false;
}

}  // namespace lull
