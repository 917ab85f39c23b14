#include "subscriber/programs/service_units.hpp"

#include "fixture.hpp"
#include "running.hpp"

namespace lull::subscriber::test::service_units_test {

namespace {

using namespace std::chrono_literals;

// A stand-in for systemctl that does what its script says.
struct Systemd {
    explicit Systemd(std::string const& script = "echo \"$@\" >> calls") {
        write_text(places.systemctl, "#!/bin/sh\ncd " + directory.path().string() + "\n" + script + "\n");
        fs::permissions(places.systemctl, fs::perms(0755));
        fs::create_directory(places.running);
    }

    enum class Verb { stop, start };
    Status order(Verb verb, std::vector<std::string> const& units, Duration time_limit = 60s) {
        ServiceUnits services(loop, places);
        std::optional<Status> result;
        auto const done = [&](Status status) {
            result = std::move(status);
            loop.stop();
        };
        verb == Verb::stop ? services.stop(units, time_limit, done) : services.start(units, time_limit, done);
        CHECK_FALSE(result);
        run_bounded(loop);
        return *result;
    }

    lull::test::TemporaryDirectory directory;
    SystemdPlaces places{directory / "systemctl", directory / "running"};
    EventLoop loop;
};

}  // namespace

TEST_CASE("services are stopped and started by systemctl, word by word") {
    Systemd systemd;
    CHECK(systemd.order(Systemd::Verb::stop, {"kiosk.service", "getty@tty1", "a:b_c.d-e"}));
    CHECK(systemd.order(Systemd::Verb::start, {"kiosk.service"}));
    CHECK(contents_of(systemd.directory / "calls") ==
          "--no-ask-password --no-pager stop -- kiosk.service getty@tty1 a:b_c.d-e\n"
          "--no-ask-password --no-pager start -- kiosk.service\n");
}

TEST_CASE("what systemctl says about a failure is in the error") {
    Systemd systemd("echo 'Failed to stop kiosk.service: Unit kiosk.service not loaded.' >&2; exit 5");
    auto const status = systemd.order(Systemd::Verb::stop, {"kiosk.service"});
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find("'systemctl stop kiosk.service' ended with status 5") != std::string::npos);
    CHECK(status.error().message.find("not loaded") != std::string::npos);
}

TEST_CASE("a service that does not stop in time is an error") {
    Systemd systemd("sleep 1000");
    auto const status = systemd.order(Systemd::Verb::stop, {"kiosk.service"}, 100ms);
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find("took longer") != std::string::npos);
}

TEST_CASE("where systemd does not run, or systemctl is missing, the error says so and nothing is called") {
    Systemd systemd;
    SECTION("no systemd") {
        fs::remove(systemd.places.running);
        auto const status = systemd.order(Systemd::Verb::stop, {"kiosk.service"});
        REQUIRE_FALSE(status);
        CHECK(status.error().fault == Fault::unreachable);
        CHECK(status.error().message.find("systemd does not run this machine") != std::string::npos);
        CHECK(status.error().message.find("--supervise") != std::string::npos);
    }
    SECTION("no systemctl") {
        fs::remove(systemd.places.systemctl);
        auto const status = systemd.order(Systemd::Verb::stop, {"kiosk.service"});
        REQUIRE_FALSE(status);
        CHECK(status.error().fault == Fault::not_found);
    }
    CHECK_FALSE(fs::exists(systemd.directory / "calls"));
}

TEST_CASE("what is not the name of a service is refused, and nothing is called") {
    Systemd systemd;
    std::vector<std::string> const wrong = {"",
                                            "-",
                                            "--now",
                                            "a b",
                                            "a;b",
                                            "a/b",
                                            "../a",
                                            "a$(b)",
                                            "a\nb",
                                            "a*",
                                            "k\xc3\xa4",
                                            "a.socket",
                                            "reboot.target",
                                            "tmp.mount",
                                            ".service",
                                            "user.slice",
                                            std::string("a\0b", 3),
                                            std::string(129, 'a')};
    for (auto const& name : wrong) {
        CAPTURE(name);
        CHECK(validate_unit(name).error().fault == Fault::refused);
        CHECK(systemd.order(Systemd::Verb::stop, {"good.service", name}).error().fault == Fault::refused);
    }
    CHECK_FALSE(systemd.order(Systemd::Verb::stop, {}));
    CHECK_FALSE(systemd.order(Systemd::Verb::stop, std::vector<std::string>(33, "a")));
    CHECK_FALSE(fs::exists(systemd.directory / "calls"));
    CHECK(validate_unit(std::string(128, 'a')));
    CHECK(validate_unit("lull.1.2"));
}

}  // namespace lull::subscriber::test::service_units_test
