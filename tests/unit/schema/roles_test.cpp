#include "schema/roles.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace lull;

namespace {

// DESIGN.md section 4, column "way", read from the right: who speaks to the broker. Written down apart from roles.cpp.
std::map<Role, std::set<std::string_view>> const allowed = {
    {Role::node, {"HELLO", "SYNC", "WITNESS", "FETCH", "PLAN", "ACK", "CREDIT", "REPORT", "PING", "PONG"}},
    {Role::publisher, {"UPDATE", "OFFER", "PUT", "PING", "PONG", "FOLLOW"}},
    {Role::operator_, {"UPDATE", "OFFER", "PUT", "PING", "PONG", "ADMIN", "FOLLOW"}},
};

}  // namespace

TEST_CASE("a role may send what the table says, and no other of the 256 types") {
    for (auto const& [role, names] : allowed) {
        std::size_t granted = 0;
        for (unsigned number = 0; number < 256; ++number) {
            auto const type = static_cast<MessageType>(number);
            CAPTURE(to_text(role), number, to_text(type));
            CHECK(may_send(role, type) == names.contains(to_text(type)));
            granted += may_send(role, type) ? 1 : 0;
        }
        CHECK(granted == names.size());
    }
}

TEST_CASE("a role that does not exist may send nothing") {
    for (unsigned number = 0; number < 256; ++number) {
        CHECK_FALSE(may_send(static_cast<Role>(3), static_cast<MessageType>(number)));
    }
}
