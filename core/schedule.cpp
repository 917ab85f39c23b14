#include "core/schedule.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <charconv>
#include <exception>
#include <optional>

namespace lull {

namespace {

constexpr std::size_t most_windows = 64;
constexpr std::string_view example = "22:00-05:00 Europe/Berlin 100%, else 10%";

std::string_view trimmed(std::string_view text) {
    auto const begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (;;) {
        auto const end = text.find(at);
        if (auto part = trimmed(text.substr(0, end)); !part.empty()) parts.push_back(part);
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<int> number(std::string_view text, int most) {
    int value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > most) return std::nullopt;
    return value;
}

// "05:30" in minutes; 24:00 is the end of a day.
std::optional<int> time_of_day(std::string_view text) {
    auto const colon = text.find(':');
    if (colon == std::string_view::npos || text.size() - colon != 3) return std::nullopt;
    auto const hours = number(text.substr(0, colon), 24);
    auto const minutes = number(text.substr(colon + 1), 59);
    if (!hours || !minutes || *hours * 60 + *minutes > 24 * 60) return std::nullopt;
    return *hours * 60 + *minutes;
}

std::optional<double> percent(std::string_view text) {
    if (!text.ends_with('%')) return std::nullopt;
    auto const value = number(text.substr(0, text.size() - 1), 100);
    if (!value) return std::nullopt;
    return *value / 100.0;
}

// Null if the tz database has no such zone. The library says so by throwing.
date::time_zone const* find_zone(std::string const& name) {
    try {
        return date::locate_zone(name);
    } catch (std::exception const&) {
        return nullptr;
    }
}

}  // namespace

Result<Schedule::Window> Schedule::parse_window(std::string_view text) {
    auto const words = split(text, ' ');
    auto const times = words.empty() ? std::vector<std::string_view>() : split(words[0], '-');
    auto const begin = times.size() == 2 ? time_of_day(times[0]) : std::nullopt;
    auto const end = times.size() == 2 ? time_of_day(times[1]) : std::nullopt;
    auto const share = words.size() == 3 ? percent(words[2]) : std::nullopt;
    if (!begin || !end || !share) {
        return fail(Fault::usage, "'{}' is no time window; a window has times, a time zone and a percentage, like: {}",
                    text, example);
    }
    std::string zone(words[1]);
    if (find_zone(zone) == nullptr) {
        return fail(
            Fault::usage,
            "'{}' is no time zone that this machine knows (package tzdata); one is written like Europe/Berlin or UTC",
            zone);
    }
    return Window{*begin, *end, std::move(zone), *share};
}

Result<Schedule> Schedule::parse(std::string_view text) {
    Schedule schedule;
    bool ended = false;
    for (auto const part : split(text, ',')) {
        if (ended)
            return fail(Fault::usage, "in '{}' something follows 'else', which has to be the last, like: {}", text,
                        example);
        constexpr std::string_view otherwise = "else ";
        if (part.starts_with(otherwise)) {
            auto const share = percent(trimmed(part.substr(otherwise.size())));
            if (!share)
                return fail(Fault::usage, "'{}' has to end with a percentage up to 100, like: {}", part, example);
            schedule.otherwise_ = *share;
            ended = true;
            continue;
        }
        auto window = parse_window(part);
        if (!window) return pass(window.error());
        schedule.windows_.push_back(std::move(*window));
    }
    if (schedule.windows_.empty() || schedule.windows_.size() > most_windows) {
        return fail(Fault::usage, "'{}' has {} time windows, and has to have 1 to {}, like: {}", text,
                    schedule.windows_.size(), most_windows, example);
    }
    return schedule;
}

Result<Schedule> Schedule::parse_times(std::string_view text) {
    std::string with_shares;
    for (auto const part : split(text, ',')) {
        if (split(part, ' ').size() != 2) {
            return fail(Fault::usage,
                        "'{}' is no time window; one has times and a time zone, like: 22:00-05:00 Europe/Berlin", part);
        }
        with_shares += fmt::format("{} 100%, ", part);
    }
    return parse(with_shares + "else 0%");
}

bool Schedule::holds(Window const& window, WallTime now) {
    auto const* const zone = find_zone(window.zone);
    if (zone == nullptr) return false;  // it was there when this was parsed
    auto const local = zone->to_local(date::sys_time<std::chrono::microseconds>(std::chrono::microseconds(now.micros)));
    auto const since_midnight = local - date::floor<date::days>(local);
    auto const minute = static_cast<int>(std::chrono::floor<std::chrono::minutes>(since_midnight).count());
    if (window.begin < window.end) return window.begin <= minute && minute < window.end;
    return minute >= window.begin || minute < window.end;
}

double Schedule::share_at(WallTime now) const {
    for (auto const& window : windows_) {
        if (holds(window, now)) return window.share;
    }
    return windows_.empty() ? 1 : otherwise_;
}

WallTime Schedule::next_change(WallTime now) const {
    constexpr std::int64_t minute = 60'000'000;
    constexpr int longest = 25 * 60;  // a day on which clocks go back
    auto const share = share_at(now);
    WallTime when{now.micros - now.micros % minute};
    for (int i = 0; i < longest; ++i) {
        when.micros += minute;
        if (share_at(when) != share) return when;
    }
    return when;
}

}  // namespace lull
