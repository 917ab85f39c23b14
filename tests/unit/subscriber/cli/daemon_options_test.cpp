#include "subscriber/cli/daemon_options.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "fixture.hpp"

// Every option of `lull-node daemon` reaches what it sets, in its unit, and nothing else.

namespace lull::subscriber::test::daemon_options_test {

namespace {

// The settings that a command line gives; an exit status other than 0 is a failure of it.
struct Parsed {
    int status = 0;
    std::optional<DaemonSettings> settings;
};

Parsed parse(std::vector<std::string> words) {
    Parsed parsed;
    Layout const layout("/nonexistent/root");
    auto const run = [&](Arguments const& arguments) -> Status {
        auto settings = daemon_settings(arguments, layout);
        if (!settings) return pass(settings.error());
        parsed.settings = std::move(*settings);
        return {};
    };
    CommandLine line(
        "lull-node", "",
        {{.name = "daemon", .summary = "", .positional = {}, .options = daemon_options(), .example = "", .run = run}});
    words.insert(words.begin(), {"lull-node", "daemon"});
    std::vector<char const*> pointers;
    for (auto const& word : words) pointers.push_back(word.c_str());
    parsed.status = line.run(static_cast<int>(pointers.size()), pointers.data());
    return parsed;
}

std::string joined(std::set<SoftwareName> const& names) {
    std::string text;
    for (auto const& name : names) text += name.text() + " ";
    return text;
}

void describe_calls(DaemonSettings const& settings, std::map<std::string, std::string>& words) {
    words["call group"] = settings.call_group.value_or("");
    words["serves"] = settings.executor ? "yes" : "";
    words["call network"] = joined(settings.calls.network);
    words["call user"] = settings.calls.sandbox.user.value_or("");
    words["call memory"] = std::to_string(settings.calls.limits.memory.count());
    words["call scratch"] = std::to_string(settings.calls.limits.scratch.count());
    words["call processes"] = std::to_string(settings.calls.limits.processes);
    if (!settings.executor) return;
    words["allowed calls"] = joined(settings.executor->allowed);
    words["call cache"] = std::to_string(settings.executor->cache.count());
    words["call slots"] = std::to_string(settings.executor->slots);
    words["call time"] = std::to_string(settings.executor->most_time.count());
    words["call output"] = std::to_string(settings.executor->most_output.count());
}

// Each setting in words: what differs between two of these was changed.
std::map<std::string, std::string> described(DaemonSettings const& settings) {
    std::map<std::string, std::string> words;
    words["architecture"] = settings.architecture.text();
    words["strays"] = settings.strays == Strays::remove ? "remove" : "move";
    words["reserve"] = std::to_string(settings.reserve.count());
    words["memory"] = std::to_string(settings.memory.count());
    words["scan"] = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(settings.scan).count());
    words["policy"] = settings.rules.policy ? std::to_string(static_cast<int>(*settings.rules.policy)) : "";
    words["windows"] = settings.rules.windows ? "set" : "";
    words["all hooks"] = settings.rules.hooks.all ? "yes" : "";
    for (auto const& name : settings.rules.hooks.software) words["hooks"] += name.text() + " ";
    Holder holder;
    holder.command = "cmd";
    words["notice text"] = settings.notices.text.for_log(
        {software("app"), VersionName::parse("1").value(), VersionName::parse("2").value()}, holder);
    words["notice program"] = settings.notices.program.string();
    words["syslog"] = settings.notices.system_log ? "yes" : "";
    words["check user"] = settings.check_user;
    describe_calls(settings, words);
    return words;
}

struct Row {
    std::vector<std::string> words;
    std::string setting;
    std::string value;
    std::vector<std::string> with{};  // what the option needs beside it
};

std::vector<Row> const call_rows = {
    {{"--call-group", "players"}, "call group", "players"},
    {{"--allow-calls", "app", "--allow-calls", "kiosk"}, "allowed calls", "app kiosk ", {"--serve-calls"}},
    {{"--call-cache", "3 GiB"}, "call cache", std::to_string(std::uint64_t{3} << 30), {"--serve-calls"}},
    {{"--call-slots", "7"}, "call slots", "7", {"--serve-calls"}},
    {{"--call-network", "app"}, "call network", "app ", {"--serve-calls"}},
    {{"--call-user", "solver"}, "call user", "solver", {"--serve-calls"}},
    {{"--call-memory", "3 MiB"}, "call memory", std::to_string(3U << 20), {"--serve-calls"}},
    {{"--call-scratch", "3 MiB"}, "call scratch", std::to_string(3U << 20), {"--serve-calls"}},
    {{"--call-processes", "7"}, "call processes", "7", {"--serve-calls"}},
    {{"--call-time", "7"}, "call time", "7", {"--serve-calls"}},
    {{"--call-output", "3 MiB"}, "call output", std::to_string(3U << 20), {"--serve-calls"}},
};

}  // namespace

TEST_CASE("each option of the daemon sets what it is for, in its unit, and nothing else") {
    lull::test::TemporaryDirectory directory;
    auto const text = directory / "notice";
    write_text(text, "words of {software}");
    auto const program = directory / "tell";
    write_text(program, "#!/bin/sh\n");
    fs::permissions(program, fs::perms(0755));
    std::vector<Row> rows = {
        {{"--arch", "riscv64"}, "architecture", "riscv64"},
        {{"--strict-tree"}, "strays", "remove"},
        {{"--reserve", "3 MiB"}, "reserve", std::to_string(3U << 20)},
        {{"--memory", "96 MiB"}, "memory", std::to_string(96U << 20)},
        {{"--scan", "7"}, "scan", "7000"},
        {{"--policy", "restart"}, "policy", std::to_string(static_cast<int>(Policy::restart))},
        {{"--activate-at", "22:00-05:00 UTC"}, "windows", "set"},
        {{"--notice-text", text.string()}, "notice text", "words of app"},
        {{"--notice-program", program.string()}, "notice program", program.string()},
        {{"--notice-syslog"}, "syslog", "yes"},
        {{"--allow-hooks", "app", "--allow-hooks", "kiosk"}, "hooks", "app kiosk "},
        {{"--allow-all-hooks"}, "all hooks", "yes"},
        {{"--check-user", "checker"}, "check user", "checker"},
    };
    rows.insert(rows.end(), call_rows.begin(), call_rows.end());
    auto const usual = parse({});
    REQUIRE(usual.settings);
    auto const before = described(*usual.settings);
    CHECK(before.at("reserve") == std::to_string(16U << 20));
    CHECK(before.at("memory") == std::to_string(64U << 20));
    CHECK(before.at("scan") == "600000");
    CHECK(before.at("check user") == "nobody");

    std::set<std::string> tried;
    for (auto const& row : rows) {
        INFO(row.words.front());
        tried.insert(row.words.front().substr(2));
        auto const usual_with = parse(row.with);
        auto words = row.with;
        words.insert(words.end(), row.words.begin(), row.words.end());
        auto const parsed = parse(words);
        REQUIRE(parsed.settings);
        REQUIRE(usual_with.settings);
        auto expected = described(*usual_with.settings);
        auto const unchanged = expected;
        expected[row.setting] = row.value;
        CHECK(described(*parsed.settings) == expected);
        CHECK(expected != unchanged);
    }
    // The rest is not of the settings: where the root is, how much is logged, where options stand, whether it serves.
    for (auto const& option : daemon_options()) {
        bool const elsewhere = std::set<std::string>{"root", "log-level", "config", "check"}.contains(option.name);
        INFO(option.name);
        CHECK((tried.contains(option.name) || option.name == "serve-calls") != elsewhere);
    }
}

TEST_CASE("an executor allows nothing that its owner does not name, and a node is none by itself") {
    auto const usual = parse({});
    REQUIRE(usual.settings);
    CHECK_FALSE(usual.settings->executor);
    CHECK_FALSE(parse({"--allow-calls", "app"}).settings);  // it would have no effect
    auto const executor = parse({"--serve-calls"});
    REQUIRE(executor.settings);
    REQUIRE(executor.settings->executor);
    CHECK(executor.settings->executor->allowed.empty());
    CHECK(executor.settings->calls.network.empty());
    CHECK(executor.settings->executor->cache == GiB(2));
}

TEST_CASE("a value that makes no sense is refused with exit status 2, and nothing is set") {
    std::vector<std::vector<std::string>> const wrong = {
        {"--reserve", "much"}, {"--memory", "64 parsecs"}, {"--scan", "0"},           {"--scan", "86401"},
        {"--scan", "soon"},    {"--policy", "never"},      {"--activate-at", "noon"}, {"--allow-hooks", "../app"}};
    std::vector<std::vector<std::string>> const wrong_calls = {{"--allow-calls", "../app"}, {"--call-cache", "much"},
                                                               {"--call-slots", "0"},       {"--call-network", "../x"},
                                                               {"--call-memory", "much"},   {"--call-time", "0"}};
    for (auto words : wrong_calls) {
        words.insert(words.begin(), "--serve-calls");
        CHECK(parse(words).status == 2);
    }
    for (auto const& words : wrong) {
        INFO(words.front() << ' ' << words.back());
        auto const parsed = parse(words);
        CHECK(parsed.status == 2);
        CHECK_FALSE(parsed.settings);
    }
}

}  // namespace lull::subscriber::test::daemon_options_test
