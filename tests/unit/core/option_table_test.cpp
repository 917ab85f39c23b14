#include "tests/support/option_table.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/core/captured_output.hpp"

namespace option_table_test {

using namespace lull;
using test::OptionTable;
using test::wrong_options;

namespace {

struct Settings {
    std::string name;
    std::uint64_t seconds = 60;
    std::uint64_t most = 5;
    bool quiet = false;
    bool operator==(Settings const&) const = default;
};

// What is planted into the function that makes settings of arguments.
enum class Bug { none, dropped, unit, other_setting, also_other_setting, dropped_switch };

Result<Settings> settings_of(Arguments const& arguments, Bug bug) {
    Settings settings;
    settings.name = arguments.text("name");
    auto const interval = arguments.number("interval");
    auto const most = arguments.number("most");
    if (!interval) return pass(interval.error());
    if (!most) return pass(most.error());
    auto& reached = bug == Bug::other_setting ? settings.most : settings.seconds;
    reached = bug == Bug::unit ? *interval : *interval * 60;
    if (bug != Bug::dropped && bug != Bug::other_setting) settings.most = *most;
    if (bug == Bug::also_other_setting && *interval != 1) ++settings.most;
    settings.quiet = bug != Bug::dropped_switch && arguments.flag("quiet");
    return settings;
}

OptionTable<Settings> table_with(Bug bug) {
    Command const command{
        .name = "run",
        .summary = "",
        .positional = {"[PLACE]"},
        .options = {{.name = "name", .help = "", .placeholder = "NAME", .required = true},
                    {.name = "interval", .help = "in minutes", .placeholder = "MINUTES", .fallback = "1"},
                    {.name = "most", .help = "", .placeholder = "N", .fallback = "5"}},
        .example = "",
        .run = {}};
    return {.command = command,
            .settings = [bug](Arguments const& arguments) { return settings_of(arguments, bug); },
            .base = {"place", "--name", "usual"},
            .rows = {{"name", {"--name", "other"}, [](Settings& settings) { settings.name = "other"; }},
                     {"interval", {"--interval", "7"}, [](Settings& settings) { settings.seconds = 420; }},
                     {"most", {"--most", "9"}, [](Settings& settings) { settings.most = 9; }},
                     {"quiet", {"--quiet"}, [](Settings& settings) { settings.quiet = true; }}},
            .common = {{.name = "quiet", .help = ""}}};
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("options that all reach their settings give no complaint") {
    CHECK(wrong_options(table_with(Bug::none)) == Lines());
}

TEST_CASE("an option that is dropped, in another unit, or applied to another setting is found") {
    std::string const wrong = "it does not reach its setting with this value, or changes another one";
    CHECK(wrong_options(table_with(Bug::dropped)) == Lines{"--most: " + wrong});
    CHECK_FALSE(wrong_options(table_with(Bug::unit)).empty());
    CHECK_FALSE(wrong_options(table_with(Bug::other_setting)).empty());
    CHECK(wrong_options(table_with(Bug::also_other_setting)) == Lines{"--interval: " + wrong});
    CHECK(wrong_options(table_with(Bug::dropped_switch)) == Lines{"--quiet: " + wrong});
}

TEST_CASE("an option without a row, and a row that tests nothing, are found") {
    auto table = table_with(Bug::none);
    table.command.options.push_back({.name = "fresh", .help = "", .placeholder = "N"});
    table.common.push_back({.name = "color", .help = ""});
    CHECK(wrong_options(table) == Lines{"--fresh: no row tests it", "--color: no row tests it"});

    table = table_with(Bug::none);
    table.rows[1].words = {"--interval", "1"};
    table.rows[1].change = [](Settings&) {};
    table.rows[2].words = {"--interval", "2"};
    CHECK(wrong_options(table) == Lines{"--interval: its row changes nothing", "--most: its row does not give it"});
}

TEST_CASE("a row for an option that does not exist, or a value that is refused, is found") {
    test::CapturedOutput const errors(STDERR_FILENO);
    auto table = table_with(Bug::none);
    table.rows.push_back({"fresh", {"--fresh", "1"}, [](Settings& settings) { settings.most = 1; }});
    table.rows[1].words = {"--interval", "often"};
    auto const wrong = wrong_options(table);
    REQUIRE(wrong.size() == 2);
    CHECK_THAT(wrong[0], Catch::StartsWith("--interval: --interval is 'often'"));
    CHECK_THAT(wrong[1], Catch::StartsWith("--fresh: the command line is refused"));
}

}  // namespace option_table_test
