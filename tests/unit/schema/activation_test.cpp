#include "schema/activation.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/schema/samples.hpp"

namespace activation_test {

using namespace lull;
using namespace lull::test;

namespace {

Activation sample() {
    Activation activation;
    activation.deadline = 86'400;
    activation.windows = "22:00-05:00 Europe/Berlin";
    activation.health = HealthCheck{"bin/check", {"--quick"}};
    activation.units = {"kiosk.service", "getty@tty1"};
    return activation;
}

void check_refused(Activation const& activation, std::string const& reason) {
    auto info = update_info();
    info.activation = activation;
    auto const decoded = decode_update_info(encode(info));
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().fault == Fault::refused);
    CHECK(decoded.error().message.find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("how a release becomes live is announced with it, and may be left out") {
    auto info = update_info();
    CHECK(decode_update_info(encode(info)) == info);
    info.activation = sample();
    CHECK(decode_update_info(encode(info)) == info);
}

TEST_CASE("a health check is a program of the tree, within bounds") {
    auto activation = sample();
    activation.health->program = "../check";
    check_refused(activation, "..");
    activation.health->program = "/bin/true";
    check_refused(activation, "/bin/true");
    activation = sample();
    activation.health->time_limit = 0;
    check_refused(activation, "time limit");
    activation = sample();
    activation.health->tries = limits::health_tries + 1;
    check_refused(activation, "tries");
    activation = sample();
    activation.health->pause = limits::health_seconds + 1;
    check_refused(activation, "pause");
    activation = sample();
    activation.health->arguments.assign(limits::start_words, "x");
    check_refused(activation, "arguments");
    activation.health->arguments = {std::string("a\0b", 3)};
    check_refused(activation, "zero byte");
}

TEST_CASE("a unit is the name of a service and nothing that systemctl takes for something else") {
    auto const unit = GENERATE("", "--force.service", ".service", "a b.service", "a/b.service", "kiosk.target",
                               "k;id.service", "*.service", "a.socket");
    auto activation = sample();
    activation.units = {unit};
    check_refused(activation, "service");
}

TEST_CASE("times of grace and deadline, and the number of units, have bounds") {
    auto activation = sample();
    activation.grace = limits::grace_seconds + 1;
    check_refused(activation, "grace");
    activation = sample();
    activation.deadline = limits::deadline_seconds + 1;
    check_refused(activation, "deadline");
    activation = sample();
    activation.units.assign(limits::units_per_release + 1, "kiosk.service");
    check_refused(activation, "17 services");
    activation = sample();
    activation.windows = std::string(limits::text + 1, 'x');
    CHECK(validate(activation).error().fault == Fault::refused);
}

TEST_CASE("hooks are programs of the tree, within bounds, and may be left out") {
    auto activation = sample();
    activation.hooks = {{HookTime::before, "bin/prepare", {"--all"}, 1},
                        {HookTime::after, "bin/warm", {}, limits::health_seconds}};
    auto info = update_info();
    info.activation = activation;
    CHECK(decode_update_info(encode(info)) == info);

    auto const good = *activation.hooks;
    activation.hooks->at(1).program = "/bin/sh";
    check_refused(activation, "/bin/sh");
    activation.hooks = good;
    activation.hooks->at(0).program = "../bin/prepare";
    check_refused(activation, "..");
    activation.hooks = good;
    activation.hooks->at(0).time_limit = 0;
    check_refused(activation, "time limit");
    activation.hooks->at(0).time_limit = limits::health_seconds + 1;
    check_refused(activation, "time limit");
    activation.hooks = good;
    activation.hooks->at(1).arguments.assign(limits::start_words, "x");
    check_refused(activation, "the hook has 64 arguments");
    activation.hooks->at(1).arguments = {std::string("a\0b", 3)};
    check_refused(activation, "zero byte");
    activation.hooks->assign(limits::hooks_per_release, good[0]);
    CHECK(validate(activation));
    activation.hooks->push_back(good[0]);
    check_refused(activation, "9 hooks are more than 8");
    CHECK(to_text(HookTime::before) == "before");
    CHECK(to_text(HookTime::after) == "after");
}

}  // namespace activation_test
