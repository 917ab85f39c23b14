#pragma once

#include <optional>
#include <string>

#include "core/byte_rate.hpp"
#include "core/log.hpp"
#include "core/workers.hpp"

namespace lull::broker {

// The operator's own measurement of cross traffic on the broker's line, for example from a router: a file, or the
// answer of an http:// URL, that begins with a number of bits a second. A thread of its own reads it, so that a file
// server or a router that hangs delays nothing. Belongs to the loop's thread.
class CrossTrafficReading {
public:
    CrossTrafficReading(EventLoop& loop, std::string source, Log& log)
        : source_(std::move(source)),
          log_(log),
          loop_(loop),
          worker_(loop, 1) {}

    // Reads it once more, unless that is going on; to be called every second.
    void refresh();
    // The last one; zero if it cannot be had, is no number or is older than five seconds, which the log hears of once:
    // then the interface's own counters decide alone.
    [[nodiscard]] ByteRate latest() const;

private:
    void take(std::optional<ByteRate> rate);

    std::string source_;
    Log& log_;
    EventLoop& loop_;
    bool reading_ = false;
    bool complained_ = false;  // since it could be read
    std::optional<ByteRate> rate_;
    TimePoint read_at_{};
    Workers worker_;
};

}  // namespace lull::broker
