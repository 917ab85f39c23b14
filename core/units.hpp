#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace lull {

// A number of bytes. Subtraction below zero aborts instead of wrapping.
class Bytes {
public:
    constexpr Bytes() = default;
    constexpr explicit Bytes(std::uint64_t count) : count_(count) {}

    [[nodiscard]] constexpr std::uint64_t count() const { return count_; }
    [[nodiscard]] constexpr bool zero() const { return count_ == 0; }
    constexpr auto operator<=>(Bytes const&) const = default;

    constexpr Bytes& operator+=(Bytes other) {
        count_ += other.count_;
        return *this;
    }
    constexpr Bytes& operator-=(Bytes other) {
        LULL_INVARIANT(other.count_ <= count_);
        count_ -= other.count_;
        return *this;
    }
    friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
    friend constexpr Bytes operator-(Bytes a, Bytes b) { return a -= b; }

private:
    std::uint64_t count_ = 0;
};

constexpr Bytes KiB(std::uint64_t n) { return Bytes(n << 10); }
constexpr Bytes MiB(std::uint64_t n) { return Bytes(n << 20); }
constexpr Bytes GiB(std::uint64_t n) { return Bytes(n << 30); }

// Parses "1500", "64 KiB", "2M", "1.5 GiB" (powers of 1024).
[[nodiscard]] Result<Bytes> parse_bytes(std::string_view text);

// "1.5 GiB", "312 B": three significant digits, powers of 1024.
[[nodiscard]] std::string to_text(Bytes bytes);

using Duration = std::chrono::nanoseconds;

// A point on the monotonic clock; only differences mean something.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Microseconds since 1970-01-01 UTC; what records and messages carry.
struct WallTime {
    std::int64_t micros = 0;
    auto operator<=>(WallTime const&) const = default;
};

// RFC 3339 in UTC with seconds: "2026-01-31T09:12:00Z".
[[nodiscard]] std::string to_text(WallTime time);
// The same with microseconds: "2026-01-31T09:12:00.000250Z".
[[nodiscard]] std::string precise_text(WallTime time);

// "09:12" today, "2026-01-30 09:12" on other days, by local time.
[[nodiscard]] std::string clock_text(WallTime time, WallTime now);

// "4 s", "12 min", "3 h 20 min", "5 d": how long ago, for people.
[[nodiscard]] std::string to_text(Duration duration);

}  // namespace lull
