#pragma once

#include <optional>

#include "broker/peers.hpp"
#include "core/log.hpp"
#include "core/messaging.hpp"

namespace lull::broker {

// Decides who may connect: keys that are enrolled. Whoever else knocks is told to try again later, and shows up in the log, in few
// lines however often it happens.
class Gatekeeper {
public:
    // `peers` and `log` outlive it.
    Gatekeeper(Peers const& peers, Log& log) : peers_(peers), log_(log) {}

    [[nodiscard]] Admission decide(CurveKey const& key, std::string_view address, TimePoint now);

    // A key that nobody knows, by which we find out whether strangers are kept out; it does not show up in the log.
    void expect_stranger(CurveKey const& key) { stranger_ = key; }
    // Whether it came here and was turned away.
    [[nodiscard]] bool stranger_came() const { return stranger_came_; }

private:
    Peers const& peers_;
    Log& log_;
    std::optional<CurveKey> stranger_;
    bool stranger_came_ = false;
    std::uint64_t turned_away_ = 0;  // since the last line
    std::optional<TimePoint> told_;
};

}  // namespace lull::broker
