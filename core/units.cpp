#include "core/units.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <ctime>
#include <limits>
#include <optional>

namespace lull {

namespace {

constexpr std::size_t most_fraction_digits = 6;  // 10^6 * 2^40 still fits into 64 bits

struct ByteQuantity {
    std::string_view whole;
    std::string_view fraction;
    std::string_view unit;
};

std::string_view take_digits(std::string_view& text) {
    auto const end = std::min(text.find_first_not_of("0123456789"), text.size());
    auto const digits = text.substr(0, end);
    text.remove_prefix(end);
    return digits;
}

std::string_view without_spaces(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// "1.5 GiB" -> "1", "5", "GiB".
std::optional<ByteQuantity> split(std::string_view text) {
    text = without_spaces(text);
    ByteQuantity quantity;
    quantity.whole = take_digits(text);
    if (quantity.whole.empty()) return std::nullopt;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        quantity.fraction = take_digits(text);
        if (quantity.fraction.empty()) return std::nullopt;
    }
    quantity.unit = without_spaces(text);
    return quantity;
}

// The power of two that a unit stands for: "K", "KB" and "KiB" are 10.
std::optional<unsigned> shift_of(std::string_view unit) {
    std::string lower(unit);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    if (lower.empty() || lower == "b") return 0;
    auto const power = std::string_view("kmgt").find(lower.front());
    auto const tail = std::string_view(lower).substr(1);
    if (power == std::string_view::npos || !(tail.empty() || tail == "b" || tail == "ib")) return std::nullopt;
    return static_cast<unsigned>(power + 1) * 10;
}

std::optional<std::uint64_t> to_number(std::string_view digits) {
    std::uint64_t number = 0;
    auto const end = digits.data() + digits.size();
    auto const [stop, problem] = std::from_chars(digits.data(), end, number);
    if (problem != std::errc() || stop != end) return std::nullopt;
    return number;
}

// "25" of a unit of 2^10 bytes is 0.25 KiB = 256.
std::uint64_t fraction_bytes(std::string_view digits, unsigned shift) {
    std::uint64_t numerator = 0;
    std::uint64_t denominator = 1;
    for (char const digit : digits) {
        numerator = numerator * 10 + static_cast<std::uint64_t>(digit - '0');
        denominator *= 10;
    }
    return (numerator << shift) / denominator;
}

// Three significant digits without trailing zeros, for values from 1 up to 1024.
std::string three_digits(double value) {
    auto text = fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
    if (text.find('.') == std::string::npos) return text;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

std::tm local_time(WallTime time) {
    std::time_t const seconds = time.micros / 1'000'000;
    std::tm parts{};
    LULL_INVARIANT(localtime_r(&seconds, &parts) != nullptr);
    return parts;
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
    auto const quantity = split(text);
    auto const shift = quantity ? shift_of(quantity->unit) : std::nullopt;
    bool const fraction_makes_sense = shift && (quantity->fraction.empty() ||
                                                (*shift > 0 && quantity->fraction.size() <= most_fraction_digits));
    if (!fraction_makes_sense) {
        return fail(Fault::usage, "'{}' is not a number of bytes; write it like 1500, 64 KiB or 1.5 GiB", text);
    }
    auto const whole = to_number(quantity->whole);
    auto const most = std::numeric_limits<std::uint64_t>::max();
    if (!whole || *whole > most >> *shift) {
        return fail(Fault::usage, "'{}' is more bytes than 64 bits can count", text);
    }
    // The sum cannot wrap: the shifted part ends in `shift` zero bits and the fraction is smaller than one unit.
    return Bytes((*whole << *shift) + fraction_bytes(quantity->fraction, *shift));
}

std::string to_text(Bytes bytes) {
    constexpr std::array<std::string_view, 7> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes.count() < 1024) return fmt::format("{} B", bytes.count());
    auto value = static_cast<double>(bytes.count());
    std::size_t unit = 0;
    // 1023.5 of one unit would be printed as 1024: it is 1 of the next.
    for (; value >= 1023.5 && unit + 1 < units.size(); ++unit) value /= 1024;
    return fmt::format("{} {}", three_digits(value), units[unit]);
}

std::string to_text(WallTime time) {
    constexpr std::int64_t second = 1'000'000;
    std::time_t const seconds = time.micros / second - (time.micros % second < 0 ? 1 : 0);
    std::tm utc{};
    LULL_INVARIANT(gmtime_r(&seconds, &utc) != nullptr);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string precise_text(WallTime time) {
    constexpr std::int64_t second = 1'000'000;
    auto text = to_text(time);
    text.insert(text.size() - 1, fmt::format(".{:06}", (time.micros % second + second) % second));
    return text;
}

std::string to_text(Duration duration) {
    auto const seconds = std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(duration).count());
    auto const minutes = seconds / 60;
    auto const hours = minutes / 60;
    if (minutes == 0) return fmt::format("{} s", seconds);
    if (hours == 0) return fmt::format("{} min", minutes);
    if (hours >= 24) return fmt::format("{} d", hours / 24);
    if (minutes % 60 == 0) return fmt::format("{} h", hours);
    return fmt::format("{} h {} min", hours, minutes % 60);
}

std::string clock_text(WallTime time, WallTime now) {
    auto const then = local_time(time);
    auto const today = local_time(now);
    auto const clock = fmt::format("{:02}:{:02}", then.tm_hour, then.tm_min);
    if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday) return clock;
    return fmt::format("{:04}-{:02}-{:02} {}", then.tm_year + 1900, then.tm_mon + 1, then.tm_mday, clock);
}

}  // namespace lull
