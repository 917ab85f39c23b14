#include <catch2/catch.hpp>

#include "publisher/cli/commands.hpp"
#include "publisher/cli/key_settings.hpp"
#include "publisher/cli/order_settings.hpp"
#include "publisher/cli/publish_settings.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/cli/watch_settings.hpp"
#include "schema/update_info.hpp"
#include "tests/support/option_table.hpp"
#include "tests/unit/publisher/given_arguments.hpp"

namespace options_test {

// Every option of every command reaches the field that it is for, and no other. The tables name each option: an option
// without a row fails its test.

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::CleanEnvironment;
using lull::publisher::test::given;
using lull::test::OptionRow;
using lull::test::OptionTable;
using lull::test::wrong_options;
using namespace std::chrono_literals;

namespace {

using Words = std::vector<std::string>;
using Problems = std::vector<std::string>;

constexpr WallTime now{1'000'000'000'000};

SoftwareName software(std::string_view text) { return SoftwareName::parse(text).value(); }
NodeName node(std::string_view text) { return NodeName::parse(text).value(); }

template <class Settings>
std::vector<OptionRow<Settings>> rows_of_common_options(std::string const& config) {
    return {{"broker", {"--broker", "tcp://host:1/key"}, [](Settings& s) { s.connection.broker = "tcp://host:1/key"; }},
            {"keys", {"--keys", "/some/keys"}, [](Settings& s) { s.connection.keys = "/some/keys"; }},
            {"config", {"--config", config}, [config](Settings& s) { s.connection.config = config; }}};
}

// The problems of a table, to which the options of every command are added.
template <class Settings>
Problems problems_of(OptionTable<Settings> table) {
    CleanEnvironment const environment;
    table.common = common_options();
    for (auto& row : rows_of_common_options<Settings>(environment.make_file("other.conf")))
        table.rows.push_back(std::move(row));
    return wrong_options(table);
}

template <class Settings>
OptionRow<Settings> json_row() {
    return {"json", {"--json"}, [](Settings& s) { s.output = Output::json; }};
}

template <class Settings>
std::vector<OptionRow<Settings>> operator+(std::vector<OptionRow<Settings>> rows,
                                           std::vector<OptionRow<Settings>> const& more) {
    rows.insert(rows.end(), more.begin(), more.end());
    return rows;
}

template <class Settings>
std::vector<OptionRow<Settings>> wait_rows() {
    return {{"wait", {"--wait", "active:93%"}, [](Settings& s) { s.waiting.goal = Goal{9300}; }},
            {"within", {"--within", "7min"}, [](Settings& s) { s.waiting.within = 7min; }, {"--wait", "active"}}};
}

Activation& activation(Distribution& distribution) {
    if (!distribution.activation) distribution.activation.emplace();
    return *distribution.activation;
}

HealthCheck health() { return {"bin/check", {"--quick"}, 10, 3}; }
Words with_health() { return {"--health", "bin/check --quick"}; }

template <class Settings>
std::vector<OptionRow<Settings>> activation_rows() {
    using S = Settings;
    return {{"policy", {"--policy", "now"}, [](S& s) { s.distribution.policy = Policy::now; }},
            {"grace", {"--grace", "77s"}, [](S& s) { activation(s.distribution).grace = 77; }},
            {"deadline", {"--deadline", "3h"}, [](S& s) { activation(s.distribution).deadline = 3 * 3600; }},
            {"activate-at",
             {"--activate-at", "22:00-05:00 UTC"},
             [](S& s) { activation(s.distribution).windows = "22:00-05:00 UTC"; }},
            {"unit",
             {"--unit", "a", "--unit", "b.service"},
             [](S& s) {
                 activation(s.distribution).units = {"a", "b.service"};
             }},
            {"health", with_health(), [](S& s) { activation(s.distribution).health = health(); }},
            {"health-time",
             {"--health-time", "17s"},
             [](S& s) { s.distribution.activation->health->time_limit = 17; },
             with_health()},
            {"health-tries",
             {"--health-tries", "7"},
             [](S& s) { s.distribution.activation->health->tries = 7; },
             with_health()},
            {"before-switch",
             {"--before-switch", "bin/a x"},
             [](S& s) {
                 activation(s.distribution).hooks = {{HookTime::before, "bin/a", {"x"}, 30}};
             }},
            {"after-switch",
             {"--after-switch", "bin/b y"},
             [](S& s) {
                 activation(s.distribution).hooks = {{HookTime::after, "bin/b", {"y"}, 30}};
             }},
            {"hook-time",
             {"--hook-time", "2min"},
             [](S& s) { s.distribution.activation->hooks->front().time_limit = 120; },
             {"--after-switch", "bin/b"}}};
}

template <class Settings>
std::vector<OptionRow<Settings>> distribution_rows() {
    using S = Settings;
    std::vector<OptionRow<S>> const rows = {
        {"urgency", {"--urgency", "urgent"}, [](S& s) { s.distribution.urgency = Urgency::urgent; }},
        {"rollout",
         {"--rollout", "3%"},
         [](S& s) {
             s.distribution.rollout = {{300, all_nodes}, 0, 200};
         }},
        {"halt-on",
         {"--halt-on", "failed>7%"},
         [](S& s) {
             s.distribution.rollout = {{all_nodes}, 0, 700};
         }},
        {"stage-time",
         {"--stage-time", "10min"},
         [](S& s) { s.distribution.rollout->pause = 600; },
         {"--rollout", "3%"}}};
    return rows + activation_rows<S>();
}

// The same for rollback, which also notes what was given.
std::vector<OptionRow<RollbackSettings>> change_rows() {
    std::vector<OptionRow<RollbackSettings>> rows;
    for (auto const& row : distribution_rows<PublishSettings>()) {
        rows.push_back({row.option, row.words,
                        [row](RollbackSettings& settings) {
                            PublishSettings plain;
                            plain.distribution = settings.changes.asked;
                            row.change(plain);
                            settings.changes.asked = plain.distribution;
                            settings.changes.given.insert(row.option);
                            if (row.option == "health-time") settings.changes.health_time = 17;
                            if (row.option == "health-tries") settings.changes.health_tries = 7;
                            if (row.option == "hook-time") settings.changes.hook_time = 120;
                        },
                        row.with});
    }
    return rows;
}

OptionRow<OrderSettings> why_row() {
    return {"why", {"--why", "a reason"}, [](OrderSettings& s) { s.order.why = "a reason"; }};
}

OptionTable<OrderSettings> pause_table() {
    return {pause_command(), pause_settings, {"kiosk"}, {why_row(), json_row<OrderSettings>()}};
}

}  // namespace

TEST_CASE("each option of publish sets its field") {
    using S = PublishSettings;
    std::vector<OptionRow<S>> const rows = {
        {"name", {"--name", "agent"}, [](S& s) { s.build.software = software("agent"); }},
        {"version", {"--version", "1.4"}, [](S& s) { s.build.version = VersionName::parse("1.4").value(); }},
        {"arch",
         {"--arch", "riscv64"},
         [](S& s) { s.build.architecture = ArchitectureName::parse("riscv64").value(); }},
        {"start",
         {"--start", "bin/a 'b c'"},
         [](S& s) {
             s.build.start = {"bin/a", "b c"};
         }},
        {"exclude",
         {"--exclude", "*.log", "--exclude", "/tmp"},
         [](S& s) {
             s.rules.excludes = Excludes::parse({"*.log", "/tmp"}).value();
         }},
        {"allow-link",
         {"--allow-link", "/usr/bin/python3", "--allow-link", "/etc/app"},
         [](S& s) {
             s.build.allowed_links = s.rules.allowed_links = {"/etc/app", "/usr/bin/python3"};
         }},
        {"allow-stray", {"--allow-stray", "__pycache__"}, [](S& s) { s.build.strays = {"__pycache__"}; }},
        {"data-mode", {"--data-mode", "0750"}, [](S& s) { s.build.data_mode = 0750; }},
        {"callable",
         {"--callable", "bin/solve", "--callable", "bin/render"},
         [](S& s) {
             s.distribution.callable = {"bin/solve", "bin/render"};
         }},
        {"strip", {"--strip"}, [](S& s) { s.top = TopDirectory::strip; }},
        {"paranoid", {"--paranoid"}, [](S& s) { s.belief = CacheBelief::nothing; }},
        {"cache", {"--cache", "/some/cache"}, [](S& s) { s.cache = "/some/cache"; }},
        {"timeout", {"--timeout", "77"}, [](S& s) { s.patience = 77s; }},
        {"dry-run", {"--dry-run"}, [](S& s) { s.dry_run = true; }},
        {"against",
         {"--against", "a", "--against", "b"},
         [](S& s) {
             s.against = {"a", "b"};
         },
         {"--dry-run"}},
        json_row<S>()};
    Words const always = {"tree", "--name", "kiosk", "--version", "1"};
    CHECK(problems_of<S>({publish_command(), publish_settings, always,
                          rows + distribution_rows<S>() + wait_rows<S>()}) == Problems{});
    CleanEnvironment const environment;
    CHECK(publish_settings(given(publish_command(), {"tree", "--name", "kiosk", "--version", "1"}))->path == "tree");
}

TEST_CASE("each option of watch sets its field") {
    using S = WatchSettings;
    std::vector<OptionRow<S>> const rows = {
        {"name", {"--name", "agent"}, [](S& s) { s.only = software("agent"); }},
        {"settle", {"--settle", "7s"}, [](S& s) { s.times.settle = 7s; }},
        {"scan", {"--scan", "3min"}, [](S& s) { s.times.scan = 3min; }},
        {"no-inotify", {"--no-inotify"}, [](S& s) { s.kernel = watch::KernelEvents::unused; }},
        {"state", {"--state", "/some/state"}, [](S& s) { s.state = "/some/state"; }},
        {"cache", {"--cache", "/some/cache"}, [](S& s) { s.cache = "/some/cache"; }},
        {"timeout", {"--timeout", "77"}, [](S& s) { s.patience = 77s; }},
        {"dry-run", {"--dry-run"}, [](S& s) { s.mode = S::Mode::dry_run; }},
        {"status", {"--status"}, [](S& s) { s.mode = S::Mode::status; }},
        {"log-level", {"--log-level", "warn"}, [](S& s) { s.least = LogLevel::warn; }},
        {"json", {"--json"}, [](S& s) { s.output = Output::json; }, {"--status"}}};
    CHECK(problems_of<S>({watch_command(), watch_settings, {"/srv/software"}, rows}) == Problems{});
    CleanEnvironment const environment;
    CHECK(watch_settings(given(watch_command(), {"/srv/software"}))->directory == "/srv/software");
    for (auto const& words : std::vector<std::vector<char const*>>{
             {"x", "--json"}, {"x", "--status", "--dry-run"}, {"x", "--settle", "0"}, {"x", "--scan", "25h"}}) {
        auto const settings = watch_settings(given(watch_command(), words));
        REQUIRE_FALSE(settings);
        CHECK(settings.error().fault == Fault::usage);
    }
}

TEST_CASE("each option of rollback sets its field") {
    using S = RollbackSettings;
    std::vector<OptionRow<S>> const rows = {{"to", {"--to", "1.3"}, [](S& s) { s.version = "1.3"; }}, json_row<S>()};
    CHECK(problems_of<S>({rollback_command(), rollback_settings, {"kiosk"}, rows + change_rows() + wait_rows<S>()}) ==
          Problems{});
}

TEST_CASE("each option of show sets its field") {
    using S = ShowSettings;
    CHECK(problems_of<S>({show_command(), show_settings, {"kiosk"}, {json_row<S>()}}) == Problems{});
}

TEST_CASE("each option of the questions sets its field") {
    using S = QuerySettings;
    CHECK(problems_of<S>({status_command(),
                          status_settings,
                          {"kiosk"},
                          {{"node", {"--node", "till-1"}, [](S& s) { s.question.node = node("till-1"); }},
                           json_row<S>()}}) == Problems{});
    CHECK(problems_of<S>({list_command(),
                          list_settings,
                          {},
                          {{"sizes", {"--sizes"}, [](S& s) { s.sizes = Sizes::shown; }}, json_row<S>()}}) ==
          Problems{});
    CHECK(problems_of<S>({orders_command(), orders_settings, {}, {json_row<S>()}}) == Problems{});
    CHECK(problems_of<S>({nodes_command(), nodes_settings, {}, {json_row<S>()}}) == Problems{});
    CHECK(problems_of<S>({calls_command(),
                          calls_settings,
                          {"kiosk"},
                          {{"node", {"--node", "till-1"}, [](S& s) { s.question.node = node("till-1"); }},
                           json_row<S>()}}) == Problems{});
}

TEST_CASE("each option of progress sets its field") {
    using S = ProgressSettings;
    CHECK(problems_of<S>({progress_command(),
                          progress_settings,
                          {"kiosk"},
                          wait_rows<S>() + std::vector<OptionRow<S>>{json_row<S>()}}) == Problems{});
}

TEST_CASE("each option of the orders sets its field") {
    using S = OrderSettings;
    auto const hold = [](Arguments const& arguments) { return hold_settings(arguments, now); };
    std::vector<OptionRow<S>> const nodes_and_json = {{"node",
                                                       {"--node", "till-1", "--node", "till-2"},
                                                       [](S& s) {
                                                           s.nodes = {node("till-1"), node("till-2")};
                                                       }},
                                                      json_row<S>()};
    std::vector<OptionRow<S>> const hold_rows = {
        {"for", {"--for", "3min"}, [](S& s) { s.order.until = WallTime{now.micros + 180'000'000}; }}, why_row()};
    CHECK(problems_of<S>({hold_command(), hold, {"kiosk"}, hold_rows + nodes_and_json, {}, {"all"}}) == Problems{});
    CHECK(problems_of<S>({unhold_command(), unhold_settings, {"kiosk"}, nodes_and_json, {}, {"all"}}) == Problems{});
    std::vector<OptionRow<S>> const force_rows = {
        {"restart", {"--restart"}, [](S& s) { s.order.restart = true; }}, why_row(), json_row<S>()};
    CHECK(problems_of<S>({nodes_force_command(), force_settings, {"kiosk", "till-1"}, force_rows, {}, {"all"}}) ==
          Problems{});
    CHECK(problems_of<S>({retry_command(), retry_settings, {"kiosk"}, {why_row(), json_row<S>()}}) == Problems{});
    CHECK(problems_of(pause_table()) == Problems{});
    CHECK(problems_of<S>({resume_command(), resume_settings, {"kiosk"}, {json_row<S>()}}) == Problems{});
    CHECK(problems_of<S>({withdraw_command(), withdraw_settings, {"kiosk"}, {why_row(), json_row<S>()}}) == Problems{});
}

TEST_CASE("each option of what makes keys sets its field") {
    using K = KeygenSettings;
    auto const keygen = [](Arguments const& arguments) -> Result<K> { return keygen_settings(arguments); };
    CHECK(
        problems_of<K>({keygen_command(), keygen, {}, {{"name", {"--name", "anna"}, [](K& s) { s.name = "anna"; }}}}) ==
        Problems{});
    using R = RemoveNodesSettings;
    CHECK(problems_of<R>({nodes_remove_command(), remove_nodes_settings, {"till-1", "till-2"}, {json_row<R>()}}) ==
          Problems{});
    using N = NewNodeSettings;
    CHECK(problems_of<N>({nodes_new_command(),
                          new_node_settings,
                          {"till-1"},
                          {{"out", {"--out", "a.join"}, [](N& s) { s.out = "a.join"; }},
                           {"trust", {"--trust", "b", "--trust", "c"}, [](N& s) {
                                s.trust = {"b", "c"};
                            }}}}) == Problems{});
}

TEST_CASE("--all takes the place of one software, or of the nodes that are named") {
    CleanEnvironment const environment;
    auto const all = hold_settings(given(hold_command(), {"--all"}), now);
    REQUIRE(all);
    CHECK_FALSE(all->order.software);
    CHECK(all->nodes == std::vector<std::optional<NodeName>>{std::nullopt});
    CHECK_FALSE(unhold_settings(given(unhold_command(), {"--all"}))->order.software);
    auto const everywhere = force_settings(given(nodes_force_command(), {"kiosk", "--all"}));
    REQUIRE(everywhere);
    CHECK(everywhere->order.software == software("kiosk"));
    CHECK(everywhere->nodes == std::vector<std::optional<NodeName>>{std::nullopt});

    CHECK(hold_settings(given(hold_command(), {}), now).error().fault == Fault::usage);
    CHECK(hold_settings(given(hold_command(), {"kiosk", "--all"}), now).error().fault == Fault::usage);
    CHECK(force_settings(given(nodes_force_command(), {"kiosk"})).error().fault == Fault::usage);
    CHECK(force_settings(given(nodes_force_command(), {"kiosk", "till-1", "--all"})).error().fault == Fault::usage);
}

TEST_CASE("each command asks for what its name says") {
    CleanEnvironment const environment;
    auto const order = [](Result<OrderSettings> const& settings) {
        return std::pair(settings.value().verb, settings->order.kind);
    };
    CHECK(order(hold_settings(given(hold_command(), {"a"}), now)) == std::pair(AdminVerb::order, OrderKind::hold));
    CHECK(order(unhold_settings(given(unhold_command(), {"a"}))) == std::pair(AdminVerb::take_back, OrderKind::hold));
    CHECK(order(force_settings(given(nodes_force_command(), {"a", "b"}))) ==
          std::pair(AdminVerb::order, OrderKind::force));
    CHECK(order(retry_settings(given(retry_command(), {"a"}))) == std::pair(AdminVerb::order, OrderKind::retry));
    auto const some = retry_settings(given(retry_command(), {"a", "till-1", "till-2"}))->nodes;
    CHECK(some == std::vector<std::optional<NodeName>>{node("till-1"), node("till-2")});
    CHECK(order(pause_settings(given(pause_command(), {"a"}))) == std::pair(AdminVerb::order, OrderKind::pause));
    CHECK(order(resume_settings(given(resume_command(), {"a"}))) == std::pair(AdminVerb::take_back, OrderKind::pause));
    CHECK(order(withdraw_settings(given(withdraw_command(), {"a"}))) ==
          std::pair(AdminVerb::order, OrderKind::withdraw));
    CHECK(status_settings(given(status_command(), {"a"}))->question.verb == AdminVerb::status);
    CHECK(list_settings(given(list_command(), {"a"}))->question.software == software("a"));
    CHECK(list_settings(given(list_command(), {"a"}))->question.verb == AdminVerb::list);
    CHECK(orders_settings(given(orders_command(), {"a"}))->question.verb == AdminVerb::orders);
    CHECK(nodes_settings(given(nodes_command(), {}))->question.verb == AdminVerb::nodes);
    CHECK(calls_settings(given(calls_command(), {}))->question.verb == AdminVerb::calls);
    auto const shown = show_settings(given(show_command(), {"a", "1.2"}));
    CHECK(shown->software == software("a"));
    CHECK(shown->version == VersionName::parse("1.2").value());
    CHECK_FALSE(show_settings(given(show_command(), {"a"}))->version);
    auto const what = progress_settings(given(progress_command(), {"a", "1.2"}))->what;
    CHECK(what == Follow{software("a"), VersionName::parse("1.2").value()});
}

TEST_CASE("an order becomes one message for each node, with all that was set") {
    CleanEnvironment const environment;
    auto const settings = hold_settings(
        given(hold_command(), {"kiosk", "--node", "till-1", "--node", "till-2", "--for", "1h", "--why", "x"}), now);
    REQUIRE(settings);
    auto const messages = messages_of(*settings);
    REQUIRE(messages.size() == 2);
    CHECK(messages[0].node == node("till-1"));
    CHECK(messages[1].node == node("till-2"));
    for (auto const& message : messages) {
        CHECK(message.verb == AdminVerb::order);
        CHECK(message.order == settings->order);
    }
}

TEST_CASE("every field of a distribution reaches the update-info") {
    Distribution distribution;
    distribution.groups = {GroupName::parse("tills").value()};
    distribution.urgency = Urgency::urgent;
    distribution.policy = Policy::now;
    distribution.activation.emplace().grace = 77;
    distribution.rollout = Rollout{{300, all_nodes}, 60, 700};
    distribution.callable = {"bin/solve"};
    UpdateInfo info;
    distribute(distribution, info);
    CHECK(info.groups == distribution.groups);
    CHECK(info.urgency == distribution.urgency);
    CHECK(info.policy == distribution.policy);
    CHECK(info.activation == distribution.activation);
    CHECK(info.rollout == distribution.rollout);
    CHECK(info.callable == distribution.callable);
    distribute({}, info = {});
    CHECK_FALSE(info.callable);
}

TEST_CASE("the tables find an option that is dropped, in the wrong unit, on the wrong object, or without a row") {
    using S = OrderSettings;
    auto const good = pause_table();
    auto dropped = good;
    dropped.settings = [](Arguments const& arguments) {
        auto settings = pause_settings(arguments);
        settings->order.why.clear();
        return settings;
    };
    CHECK(problems_of(dropped) ==
          Problems{"--why: it does not reach its setting with this value, or changes another one"});
    auto misplaced = good;
    misplaced.settings = [](Arguments const& arguments) {
        auto settings = pause_settings(arguments);
        settings->order.by = settings->order.why;
        return settings;
    };
    CHECK(problems_of(misplaced) ==
          Problems{"--why: it does not reach its setting with this value, or changes another one"});
    auto without_row = good;
    without_row.rows.erase(without_row.rows.begin());
    CHECK(problems_of(without_row) == Problems{"--why: no row tests it"});
    auto unknown_broker = good;
    unknown_broker.settings = [](Arguments const& arguments) {
        auto settings = pause_settings(arguments);
        settings->connection.broker = "tcp://always:1/same";
        return settings;
    };
    CHECK(problems_of(unknown_broker) ==
          Problems{"--broker: it does not reach its setting with this value, or changes another one"});
    OptionTable<S> wrong_unit{
        hold_command(),
        [](Arguments const& arguments) {
            auto settings = hold_settings(arguments, now);
            if (settings->order.until)
                settings->order.until->micros = now.micros + (settings->order.until->micros - now.micros) / 60;
            return settings;
        },
        {"kiosk"},
        {{"for", {"--for", "3min"}, [](S& s) { s.order.until = WallTime{now.micros + 180'000'000}; }}}};
    CHECK_THAT(problems_of(wrong_unit).back(), Catch::StartsWith("--for: it does not reach its setting"));
}

}  // namespace options_test
