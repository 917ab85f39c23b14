#include "publisher/watch/daemon/version_rule.hpp"

#include <ctime>

#include "core/json.hpp"
#include "publisher/tree/excludes.hpp"
#include "publisher/tree/publisher_files.hpp"
#include "publisher/watch/daemon/git_describe.hpp"

namespace lull::publisher::watch {

namespace {

constexpr Bytes most_version_file = KiB(4);
constexpr Bytes most_package_file = MiB(1);

using Text = Result<std::optional<std::string>>;

// The first line, without spaces around it.
std::string first_line(std::string const& text) {
    auto line = text.substr(0, text.find('\n'));
    auto const begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos) return "";
    return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

Text of_file(fs::path const& file) {
    auto const text = read_publisher_file(file, most_version_file);
    if (!text || !*text) return text;
    return std::optional(first_line(**text));
}

Text of_package(fs::path const& file) {
    auto const text = read_publisher_file(file, most_package_file);
    if (!text || !*text) return text;
    auto const json = Json::parse(**text, nullptr, false);
    if (json.is_discarded()) return fail(Fault::usage, "{} is no JSON; correct it", file.string());
    auto const version = json.is_object() ? json.find("version") : json.end();
    if (!json.is_object() || version == json.end()) return std::optional<std::string>();
    if (!version->is_string()) return fail(Fault::usage, "the version in {} is no text; correct it", file.string());
    return std::optional(version->get<std::string>());
}

Text of_git(fs::path const& tree, std::stop_token const& stop) {
    std::error_code ignored;
    if (!fs::exists(tree / ".git", ignored)) return std::optional<std::string>();
    return git_describe(tree, stop);
}

}  // namespace

VersionName time_stamp(WallTime now) {
    auto const seconds = static_cast<std::time_t>(now.micros / 1'000'000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    auto version = VersionName::parse(fmt::format("{:04}.{:02}.{:02}-{:02}{:02}{:02}", utc.tm_year + 1900,
                                                  utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec));
    LULL_INVARIANT(version.has_value());
    return std::move(*version);
}

Result<ChosenVersion> choose_version(fs::path const& tree, WallTime now, std::stop_token const& stop) {
    struct Rule {
        std::string source;
        std::function<Text()> text;
    };
    std::vector<Rule> const rules = {
        {std::string(version_file), [&] { return of_file(tree / version_file); }},
        {"VERSION", [&] { return of_file(tree / "VERSION"); }},
        {"package.json", [&] { return of_package(tree / "package.json"); }},
        {"git describe", [&] { return of_git(tree, stop); }},
    };
    for (auto const& rule : rules) {
        auto const text = rule.text();
        if (!text) return pass(text.error());
        if (!*text) continue;
        auto version = VersionName::parse(**text);
        if (!version) {
            return fail(Fault::usage, "{} of {}: {}; correct it, or write a version into its file {}", rule.source,
                        tree.string(), version.error().message, version_file);
        }
        return ChosenVersion{std::move(*version), ChosenVersion::Kind::named, rule.source};
    }
    return ChosenVersion{time_stamp(now), ChosenVersion::Kind::time_stamp, "time stamp"};
}

}  // namespace lull::publisher::watch
