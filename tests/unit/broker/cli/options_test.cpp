#include <catch2/catch.hpp>

#include "broker/cli/backup_command.hpp"
#include "broker/cli/commands.hpp"
#include "broker/cli/init_command.hpp"
#include "broker/cli/run_command.hpp"
#include "tests/support/option_table.hpp"
#include "tests/support/temporary_directory.hpp"

namespace options_test {

using namespace lull;
using namespace lull::broker;
using lull::test::OptionRow;
using lull::test::OptionTable;
using lull::test::wrong_options;

namespace {

using Lines = std::vector<std::string>;

void save(std::string const& path, std::string_view text) {
    if (auto const status = write_file_durably(path, as_view(text), 0600); !status) FAIL(status.error().message);
}

Bytes cap_of(RunSettings const& settings) { return settings.daemon.broker.sender.cap; }

// Each value is unlike the usual one, and no two options have the same.
std::vector<OptionRow<RunSettings>> run_rows(std::string const& config) {
    return {
        {"data", {"--data", "/other"}, [](auto& all) { all.daemon.directory = DataDirectory("/other"); }},
        {"listen",
         {"--listen", "127.0.0.2:7811"},
         [](auto& all) {
             all.daemon.listen.host = all.advertised.host = "127.0.0.2";
             all.daemon.listen.port = all.advertised.port = 7811;
         }},
        {"advertise", {"--advertise", "broker.example"}, [](auto& all) { all.advertised.host = "broker.example"; }},
        {"beacon", {"--beacon", "7"}, [](auto& all) { all.daemon.broker.beacon = std::chrono::seconds(7); }},
        {"transfers",
         {"--transfers", "11"},
         [](auto& all) { all.daemon.broker.sender.transfers = all.daemon.broker.governor.line.transfers = 11; }},
        {"patch-space", {"--patch-space", "13 MiB"}, [](auto& all) { all.daemon.broker.patch_space = MiB(13); }},
        {"patch-wait",
         {"--patch-wait", "17"},
         [](auto& all) { all.daemon.broker.patch_wait = std::chrono::seconds(17); }},
        {"scrub", {"--scrub", "19"}, [](auto& all) { all.daemon.broker.scrub = std::chrono::hours(19 * 24); }},
        {"cap", {"--cap", "23 MiB"}, [](auto& all) { all.daemon.broker.sender.cap = MiB(23); }},
        {"governor", {"--governor", "off"}, [](auto& all) { all.daemon.broker.governor.on = false; }},
        {"line", {"--line", "29Mbit"}, [](auto& all) { all.daemon.broker.governor.line.configured = Mbit(29); }},
        {"site",
         {"--site", "10.31.0.0/16", "--site", "10.37.0.0/16=41Mbit"},
         [](auto& all) {
             all.daemon.sites = {*IpNetwork::parse("10.31.0.0/16"), *IpNetwork::parse("10.37.0.0/16")};
             all.daemon.broker.governor.caps = {{"10.37.0.0/16", Mbit(41)}};
         }},
        {"window",
         {"--window", "22:00-05:00 Europe/Berlin 43%, else 10%"},
         [](auto& all) {
             all.daemon.broker.governor.schedule = *Schedule::parse("22:00-05:00 Europe/Berlin 43%, else 10%");
         }},
        {"cross-traffic", {"--cross-traffic", "/run/rate"}, [](auto& all) { all.daemon.cross_traffic = "/run/rate"; }},
        {"only-quiet",
         {"--only-quiet"},
         [](auto& all) { all.daemon.broker.governor.line.progress = all.daemon.broker.governor.path.progress = 0; }},
        {"keep", {"--keep", "47"}, [](auto& all) { all.daemon.broker.keep = 47; }},
        {"calls", {"--calls", "--allow-calls", "tool"}, [](auto& all) { all.allowed = {"tool"}; }},
        {"allow-calls",
         {"--calls", "--allow-calls", "app", "--allow-calls", "other"},
         [](auto& all) {
             all.allowed = {"app", "other"};
         }},
        {"call-rate", {"--call-rate", "59Mbit"}, [](auto& all) { all.daemon.broker.calls.rate = Mbit(59); }},
        {"call-time",
         {"--call-time", "61s"},
         [](auto& all) { all.daemon.broker.calls.time = std::chrono::seconds(61); }},
        {"calls-per-node", {"--calls-per-node", "67"}, [](auto& all) { all.daemon.broker.calls.per_node = 67; }},
        {"calls-per-minute", {"--calls-per-minute", "71"}, [](auto& all) { all.daemon.broker.calls.per_minute = 71; }},
        {"log-level", {"--log-level", "debug"}, [](auto& all) { all.log_level = LogLevel::debug; }},
        {"config", {"--config", config}, [](auto& all) { all.daemon.broker.beacon = std::chrono::seconds(53); }},
    };
}

}  // namespace

TEST_CASE("each option of 'lull-broker run' reaches the setting that it names and no other one") {
    lull::test::TemporaryDirectory const directory;
    auto const config = (directory / "broker.conf").string();
    save(config, "beacon = 53\n");
    OptionTable<RunSettings> const table{.command = run_command(std::nullopt),
                                         .settings = run_settings,
                                         .base = {"--data", "/usual"},
                                         .rows = run_rows(config)};
    CHECK(wrong_options(table) == Lines());
}

TEST_CASE("the settings of 'lull-broker run' without options are those that the program documents") {
    auto const arguments = lull::test::arguments_of(run_command(std::nullopt), {}, {"--data", "/usual"});
    REQUIRE(arguments);
    auto const settings = run_settings(*arguments);
    REQUIRE(settings);
    RunSettings expected{{DataDirectory("/usual"), {"127.0.0.1", 7700, PeerKey()}, BrokerSettings()},
                         {"127.0.0.1", 7700, PeerKey()}};
    CHECK(*settings == expected);
    expected.daemon.broker.sender.cap += Bytes(1);
    CHECK_FALSE(*settings == expected);  // the comparison sees a single byte
}

TEST_CASE("each option of 'lull-broker init' reaches the request, several operators included") {
    lull::test::TemporaryDirectory const directory;
    std::vector<PublicIdentity> people;
    std::vector<std::string> files;
    for (auto const* name : {"anna", "bert", "carl"}) {
        people.push_back({name, PeerKey(CurveKeyPair::generate().public_key), SigningKey::generate().public_key()});
        files.push_back((directory / name).string());
        REQUIRE(people.back().save(files.back()));
    }
    OptionTable<InitRequest> const table{
        .command = init_command(),
        .settings = init_request,
        .base = {"--data", "/usual", "--operator", files[0]},
        .rows = {{"data", {"--data", "/other"}, [](auto& all) { all.directory = DataDirectory("/other"); }},
                 {"operator",
                  {"--operator", files[1], "--operator", files[2]},
                  [&](auto& all) {
                      all.operators = {people[1], people[2]};
                  }},
                 {"publisher",
                  {"--publisher", files[1], "--publisher", files[2]},
                  [&](auto& all) {
                      all.publishers = {people[1], people[2]};
                  }},
                 {"listen", {"--listen", "127.0.0.2:7811"}, [](auto& all) { all.listen = "127.0.0.2:7811"; }},
                 {"advertise", {"--advertise", "example"}, [](auto& all) { all.advertise = "example"; }}}};
    CHECK(wrong_options(table) == Lines());
}

TEST_CASE("each option of 'lull-broker backup' reaches the request") {
    OptionTable<BackupRequest> const table{
        .command = backup_command(),
        .settings = [](Arguments const& arguments) -> Result<BackupRequest> { return backup_request(arguments); },
        .base = {"/to", "--data", "/usual"},
        .rows = {{"data", {"--data", "/other"}, [](auto& all) { all.from = DataDirectory("/other"); }}}};
    CHECK(wrong_options(table) == Lines());
    CHECK(backup_request(*lull::test::arguments_of(table.command, {}, table.base)).to == "/to");
}

TEST_CASE("each command of lull-broker has a table of its options here") {
    Lines names;
    for (auto const& command : commands(std::nullopt)) names.push_back(command.name);
    CHECK(names == Lines{"init", "run", "backup"});
}

TEST_CASE("a number, a size or a word that an option does not take is refused with the option's name") {
    auto const refused = [](std::vector<std::string> words) {
        words.insert(words.begin(), {"--data", "/usual"});
        auto const settings = run_settings(*lull::test::arguments_of(run_command(std::nullopt), {}, words));
        return settings ? "accepted with a cap of " + to_text(cap_of(*settings)) : settings.error().message;
    };
    CHECK(refused({"--beacon", "0"}) == "--beacon is '0', and has to be a whole number from 1 to 3600");
    CHECK(refused({"--keep", "0"}) == "--keep is '0', and has to be a whole number from 1 to 1000000");
    CHECK_THAT(refused({"--cap", "1 MiB"}), Catch::StartsWith("--cap is 1 MiB, and has to be at least 4 MiB"));
    CHECK_THAT(refused({"--cap", "much"}), Catch::StartsWith("--cap: "));
    CHECK_THAT(refused({"--scrub", "0", "--transfers", "0"}), Catch::StartsWith("--transfers is '0'"));
    CHECK_THAT(refused({"--governor", "off", "--line", "1Mbit"}), Catch::StartsWith("--line has no effect"));
    CHECK_THAT(refused({"--calls"}), Catch::StartsWith("--calls needs --allow-calls NAME"));
    CHECK_THAT(refused({"--allow-calls", "app"}), Catch::StartsWith("--allow-calls has no effect without --calls"));
    CHECK_THAT(refused({"--calls", "--allow-calls", "a b"}), Catch::StartsWith("--allow-calls: "));
    CHECK_THAT(refused({"--call-rate", "0Mbit"}), Catch::StartsWith("--call-rate: "));
    CHECK_THAT(refused({"--call-time", "0s"}), Catch::StartsWith("--call-time is '0s', and has to be a time"));
    CHECK_THAT(refused({"--call-time", "8d"}), Catch::StartsWith("--call-time is '8d', and has to be a time"));
    CHECK_THAT(refused({"--listen", "0.0.0.0:7700"}), Catch::StartsWith("--advertise is missing"));
}

}  // namespace options_test
