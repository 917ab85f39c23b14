#pragma once

#include <algorithm>
#include <cmath>
#include <compare>

#include "core/units.hpp"

namespace lull {

// Bytes a second, never negative: what would fall below zero is zero.
class ByteRate {
public:
    constexpr ByteRate() = default;
    constexpr explicit ByteRate(double per_second) : per_second_(std::max(per_second, 0.0)) {}

    [[nodiscard]] constexpr double per_second() const { return per_second_; }
    [[nodiscard]] constexpr bool zero() const { return per_second_ <= 0; }
    constexpr auto operator<=>(ByteRate const&) const = default;

    friend constexpr ByteRate operator+(ByteRate a, ByteRate b) { return ByteRate(a.per_second_ + b.per_second_); }
    friend constexpr ByteRate operator-(ByteRate a, ByteRate b) { return ByteRate(a.per_second_ - b.per_second_); }
    friend constexpr ByteRate operator*(ByteRate a, double factor) { return ByteRate(a.per_second_ * factor); }
    friend constexpr ByteRate operator*(double factor, ByteRate a) { return a * factor; }
    // How much of `b` this is.
    friend constexpr double operator/(ByteRate a, ByteRate b) { return a.per_second_ / b.per_second_; }

private:
    double per_second_ = 0;
};

// Parses "20Mbit", "1.5 Gbit/s", "500kbit": bits a second, powers of ten, as lines are sold.
[[nodiscard]] Result<ByteRate> parse_bit_rate(std::string_view text);

// "19.5 Mbit/s".
[[nodiscard]] std::string to_text(ByteRate rate);

// Network lines are named in powers of ten: 20 Mbit/s are 2,500,000 bytes a second.
constexpr ByteRate Mbit(double n) { return ByteRate(n * 125'000); }

[[nodiscard]] constexpr double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

[[nodiscard]] constexpr Duration from_seconds(double seconds) {
    return Duration(static_cast<Duration::rep>(seconds * 1e9));
}

// A duration times a factor.
[[nodiscard]] constexpr Duration scaled(Duration duration, double factor) {
    return from_seconds(to_seconds(duration) * factor);
}

// What flows in this time.
[[nodiscard]] constexpr Bytes flowing(ByteRate rate, Duration time) {
    return Bytes(static_cast<std::uint64_t>(std::max(0.0, rate.per_second() * to_seconds(time))));
}

// How long these bytes take at a rate above zero.
[[nodiscard]] constexpr Duration time_for(Bytes bytes, ByteRate rate) {
    return from_seconds(static_cast<double>(bytes.count()) / rate.per_second());
}

// Zero for no time at all.
[[nodiscard]] constexpr ByteRate rate_of(Bytes bytes, Duration time) {
    return time <= Duration::zero() ? ByteRate() : ByteRate(static_cast<double>(bytes.count()) / to_seconds(time));
}

}  // namespace lull
