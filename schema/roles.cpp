#include "schema/roles.hpp"

namespace lull {

bool may_send(Role role, MessageType type) {
    auto const rule = std::ranges::find(role_rules, type, &RoleRule::type);
    if (rule == role_rules.end()) return false;
    switch (role) {
        case Role::node: return rule->node;
        case Role::publisher: return rule->publisher;
        case Role::operator_: return rule->operator_;
    }
    return false;
}

bool may_ask(Role role, AdminVerb verb) {
    switch (role) {
        case Role::node: return false;
        case Role::publisher: return verb == AdminVerb::list;
        case Role::operator_: return true;
    }
    return false;
}

}  // namespace lull
