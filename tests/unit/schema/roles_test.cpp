#include "schema/roles.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace roles_test {

using namespace lull;

namespace {

// schema/PROTOCOL.md section 6: the messages that each role may send to the broker. Independent of roles.cpp.
std::map<Role, std::set<std::string_view>> const allowed = {
    {Role::node,
     {"HELLO", "SYNC", "WITNESS", "FETCH", "PATCH-QUERY", "ACK", "CREDIT", "REPORT", "PING", "PONG", "SERVE",
      "CALL-OPEN", "CALL", "CALL-READY", "CALL-STATE", "CALL-DATA", "CALL-CREDIT", "CALL-CANCEL"}},
    {Role::publisher, {"UPDATE", "OFFER", "PUT", "PING", "PONG", "ADMIN", "FOLLOW"}},
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

// schema/PROTOCOL.md section 6: ADMIN by verb.
TEST_CASE("an operator may ask for all verbs of ADMIN, a publisher for the list of releases, a node for none") {
    for (unsigned number = 0; number < 256; ++number) {
        auto const verb = static_cast<AdminVerb>(number);
        CAPTURE(number);
        CHECK(may_ask(Role::operator_, verb));
        CHECK(may_ask(Role::publisher, verb) == (number == 1));
        CHECK_FALSE(may_ask(Role::node, verb));
        CHECK_FALSE(may_ask(static_cast<Role>(3), verb));
    }
}

// PROTOCOL.md, column "way", read from the left: what the broker says to a node. Written down apart from roles.hpp.
TEST_CASE("a node hears what the table says, and only some of it is announced") {
    std::set<std::string_view> const heard = {
        "UPDATE",     "HEAD",    "ORDERS",     "WELCOME",     "BUSY",        "REFUSED",    "LOG",  "SNAPSHOT",
        "QUEUED",     "DATA",    "MISSING",    "PATCH-OFFER", "GRANT",       "REPORT-ACK", "PING", "PONG",
        "CALL-OFFER", "CALL-GO", "CALL-STATE", "CALL-DATA",   "CALL-CREDIT", "CALL-CANCEL"};
    std::set<std::string_view> const announced = {"UPDATE", "HEAD", "ORDERS"};
    for (unsigned number = 0; number < 256; ++number) {
        auto const type = static_cast<MessageType>(number);
        CAPTURE(number, to_text(type));
        CHECK(is_for_nodes(type) == heard.contains(to_text(type)));
        CHECK(is_announced(type) == announced.contains(to_text(type)));
    }
}

}  // namespace roles_test
