#include "subscriber/agent/session.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace session_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

struct Exchange : Around {
    void open() {
        session.keep_going({.wanted = true}, now);
        REQUIRE(any<OpenExchange>(effects.take()));
        session.ready({}, now);
        REQUIRE(sent<Hello>(effects.take()).size() == 1);
        REQUIRE(session.welcomed(now));
    }
};

}  // namespace

TEST_CASE("a WELCOME that was not asked for opens nothing") {
    Exchange exchange;
    CHECK_FALSE(exchange.session.welcomed(exchange.now));
    CHECK_FALSE(exchange.session.open());
}

TEST_CASE("an answer is overdue once for each question") {
    Exchange exchange;
    exchange.open();
    exchange.session.ask(Sync{}, exchange.now);
    CHECK_FALSE(exchange.session.answer_overdue(exchange.now));
    CHECK(exchange.session.wake({.wanted = true}, Session::Answer::asked) == exchange.now.point + 15s);
    exchange.now.point += 15s;
    CHECK(exchange.session.answer_overdue(exchange.now));
    CHECK_FALSE(exchange.session.answer_overdue(exchange.now));
}

TEST_CASE("a session that is lost, refused or broken is closed; one that is closed already is left alone") {
    auto const how = GENERATE(0, 1, 2, 3);
    Exchange exchange;
    exchange.session.lost(ExchangeLost{"late"}, exchange.now);
    CHECK(exchange.effects.take().empty());
    exchange.open();
    if (how == 0) exchange.session.lost(ExchangeLost{"broken"}, exchange.now);
    if (how == 1) exchange.session.on(Refused{}, exchange.now);
    if (how == 2) exchange.session.on(Busy{1000}, exchange.now);
    if (how == 3) exchange.session.give_up(exchange.now);
    CHECK(any<CloseExchange>(exchange.effects.take()));
    CHECK_FALSE(exchange.session.open());
}

TEST_CASE("a PING is answered with its number and the time at which it came") {
    Exchange exchange;
    exchange.session.on(Ping{7}, TimePoint(3s));
    auto const pong = sent<Pong>(exchange.effects.take());
    REQUIRE(pong.size() == 1);
    CHECK(pong[0].nonce == 7);
}

}  // namespace session_test
