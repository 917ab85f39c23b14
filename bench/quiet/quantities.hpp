#pragma once

#include <cstdint>
#include <string_view>

#include "core/units.hpp"

// How rates, sizes and times are written for `lull-bench`.

namespace lull::quiet {

// "10s", "250ms", "5us", "1.5s"; a number alone is seconds. Fault::usage otherwise.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

// "30kB" (1000), "30KiB" (1024), "1.5MB", "512": bytes. Fault::usage otherwise.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// "10Mbit/s", "500kbit/s", "1Gbit/s": bits a second. Fault::usage otherwise.
[[nodiscard]] Result<double> parse_bit_rate(std::string_view text);

// "20/s": events a second. Fault::usage otherwise.
[[nodiscard]] Result<double> parse_event_rate(std::string_view text);

// A part of the run: from `begin` until `end`, both counted from its start.
struct Span {
    Duration begin{};
    Duration end{};

    [[nodiscard]] bool contains(Duration when) const { return when >= begin && when < end; }
};

// "10s-18s". Fault::usage otherwise, also if it ends before it begins.
[[nodiscard]] Result<Span> parse_span(std::string_view text);

}  // namespace lull::quiet
