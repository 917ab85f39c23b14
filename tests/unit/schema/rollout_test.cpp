#include "schema/rollout.hpp"

#include <catch2/catch.hpp>

#include "schema/limits.hpp"
#include "tests/unit/schema/samples.hpp"

namespace rollout_test {

using namespace lull;
using namespace lull::test;

namespace {

void check_refused(Rollout const& rollout, std::string const& reason) {
    auto const status = validate(rollout);
    REQUIRE_FALSE(status.has_value());
    CHECK(status.error().fault == Fault::refused);
    CHECK(status.error().message.find(reason) != std::string::npos);

    auto info = update_info();
    info.rollout = rollout;
    auto const decoded = decode_update_info(encode(info));
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().message == "kiosk-browser 1.4.2~rc1+b7: " + status.error().message);
}

std::uint64_t place(std::string_view software, std::string_view version, std::string_view node) {
    return place_in_rollout(named<SoftwareName>(software), named<VersionName>(version), named<NodeName>(node));
}

}  // namespace

TEST_CASE("the stages of a rollout rise to all nodes") {
    CHECK(validate(Rollout{{all_nodes}}));
    CHECK(validate(Rollout{{1, 100, all_nodes}, limits::deadline_seconds, all_nodes}));
    check_refused({{}}, "0 stages");
    check_refused({{0, all_nodes}}, "have to rise; 0 % does not");
    check_refused({{100, 100, all_nodes}}, "have to rise; 1 % does not");
    check_refused({{1000, 50, all_nodes}}, "have to rise; 0.5 % does not");
    check_refused({{100, 9999}}, "last stage of a rollout is 99.99 %");
    check_refused({{100, all_nodes + 1}}, "has to be 100 %");
    check_refused({{all_nodes, std::numeric_limits<std::uint64_t>::max()}}, "has to be 100 %");
}

TEST_CASE("a rollout has a bound on its stages, their time and the share that may fail") {
    Rollout rollout;
    for (std::uint64_t i = 1; i < limits::rollout_stages; ++i) rollout.stages.push_back(i);
    rollout.stages.push_back(all_nodes);
    CHECK(validate(rollout));
    rollout.stages.insert(rollout.stages.end() - 1, limits::rollout_stages);
    check_refused(rollout, "33 stages instead of 1 to 32");
    check_refused({{all_nodes}, limits::deadline_seconds + 1}, "may last");
    check_refused({{all_nodes}, 0, all_nodes + 1}, "no more than 100 %");
}

// The value is what `printf 'kiosk 1.4.2 till-17' | sha256sum | cut -c 1-16` says: nodes and brokers of all versions
// must agree on it.
TEST_CASE("the place of a node is the beginning of a digest that anybody can compute") {
    CHECK(place("kiosk", "1.4.2", "till-17") == 0x9c82f390bdae932a);
    CHECK(place("kiosk", "1.4.3", "till-17") == 0xe03ab5d7107ec257);
    CHECK(place("kiosk", "1.4.2", "till-18") == 0x3a5b6ae7b73cc360);
}

TEST_CASE("a share is said in percent with two decimals at most") {
    CHECK(parse_share("1%") == 100);
    CHECK(parse_share(" 0.5 % ") == 50);
    CHECK(parse_share("0.05%") == 5);
    CHECK(parse_share("99.99%") == 9999);
    CHECK(parse_share("100%") == all_nodes);
    for (std::string const bad : {"", "%", "1", "0%", "0.00%", "100.01%", "101%", "1000%", "-1%", "+1%", "1.234%",
                                  "1.%", ".5%", "1,5%", "1%%", "one%", "0x1%", "1e1%", "18446744073709551617%"}) {
        CAPTURE(bad);
        auto const share = parse_share(bad);
        REQUIRE_FALSE(share.has_value());
        CHECK(share.error().fault == Fault::usage);
    }
}

TEST_CASE("stages are a list of shares whose last one may be left out") {
    CHECK(parse_stages("1%,10%,100%") == std::vector<std::uint64_t>{100, 1000, all_nodes});
    CHECK(parse_stages("1 %, 10 %") == std::vector<std::uint64_t>{100, 1000, all_nodes});
    CHECK(parse_stages("100%") == std::vector<std::uint64_t>{all_nodes});
    for (std::string const bad :
         {"", ",", "1%,", ",1%", "1%,,2%", "10%,1%", "1%,1%", "100%,100%", "1%;2%", "1%,many"}) {
        CAPTURE(bad);
        auto const stages = parse_stages(bad);
        REQUIRE_FALSE(stages.has_value());
        CHECK(stages.error().fault == Fault::usage);
    }
    std::string many = "0.01%";
    for (int i = 2; i <= 33; ++i) many += fmt::format(",0.{:02}%", i);
    CHECK(parse_stages(many).error().message.find("34 stages") != std::string::npos);
}

TEST_CASE("a rollout halts on more failures than a share, which may be none") {
    CHECK(parse_halt("failed>2%") == 200);
    CHECK(parse_halt(" failed > 0.5 % ") == 50);
    CHECK(parse_halt("failed>0%") == 0);
    CHECK(parse_halt("failed>100%") == all_nodes);
    for (std::string const bad : {"", "2%", "failed", "failed>", "failed>2", "failed<2%", "failed>=2%", "failed>101%",
                                  "fail>2%", "failed>-1%"}) {
        CAPTURE(bad);
        auto const halt = parse_halt(bad);
        REQUIRE_FALSE(halt.has_value());
        CHECK(halt.error().message.find("failed>2%") != std::string::npos);
    }
}

TEST_CASE("a share is shown with the decimals that it has") {
    CHECK(share_text(0) == "0 %");
    CHECK(share_text(1) == "0.01 %");
    CHECK(share_text(50) == "0.5 %");
    CHECK(share_text(105) == "1.05 %");
    CHECK(share_text(all_nodes) == "100 %");
}

}  // namespace rollout_test
