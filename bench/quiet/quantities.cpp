#include "bench/quiet/quantities.hpp"

#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>

#include "core/text.hpp"

namespace lull::quiet {

namespace {

struct Unit {
    std::string_view name;
    double factor;
};

// A number that is not negative, and one of the units.
std::optional<double> number_with(std::string_view text, std::initializer_list<Unit> units) {
    double value = 0;
    auto const [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value,
                                                 std::chars_format::fixed);
    if (problem != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
    std::string_view rest(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    for (auto const& unit : units) {
        if (rest == unit.name) return value * unit.factor;
    }
    return std::nullopt;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    auto const value = number_with(text, {{"s", 1e9}, {"", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"min", 60e9}});
    if (!value || *value > 1e15)
        return fail(Fault::usage, "{} is no time; write it like 10s or 250ms", lull::quoted(text));
    return Duration(static_cast<std::int64_t>(*value));
}

Result<std::uint64_t> parse_size(std::string_view text) {
    auto const value = number_with(
        text, {{"", 1}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"KiB", 1024}, {"MiB", 1048576}});
    if (!value || *value > 1e15)
        return fail(Fault::usage, "{} is no size; write it like 30kB or 64KiB", lull::quoted(text));
    return static_cast<std::uint64_t>(*value);
}

Result<double> parse_bit_rate(std::string_view text) {
    auto const value = number_with(text, {{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}});
    if (!value || *value <= 0)
        return fail(Fault::usage, "{} is no bit rate; write it like 10Mbit/s", lull::quoted(text));
    return *value;
}

Result<double> parse_event_rate(std::string_view text) {
    auto const value = number_with(text, {{"/s", 1}});
    if (!value || *value <= 0) return fail(Fault::usage, "{} is no rate; write it like 20/s", lull::quoted(text));
    return *value;
}

Result<Span> parse_span(std::string_view text) {
    auto const dash = text.find('-');
    if (dash == std::string_view::npos)
        return fail(Fault::usage, "{} is no part of the run; write it like 10s-18s", lull::quoted(text));
    auto const begin = parse_duration(text.substr(0, dash));
    if (!begin) return pass(begin.error());
    auto const end = parse_duration(text.substr(dash + 1));
    if (!end) return pass(end.error());
    if (*end <= *begin) return fail(Fault::usage, "{} ends before it begins", lull::quoted(text));
    return Span{*begin, *end};
}

}  // namespace lull::quiet
