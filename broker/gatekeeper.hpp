#pragma once

#include <optional>

#include "broker/peers.hpp"
#include "core/log.hpp"
#include "core/messaging.hpp"

namespace lull::broker {

// Decides who may connect: keys that are enrolled. Whoever else knocks is told to try again later, and shows up in the log, in few
// lines however often it happens. Nodes come in at no higher rate than handshakes can be done, so that thousands that come back at
// once (after a restart) don't keep each other out; publishers and operators don't wait for that.
class Gatekeeper {
public:
    static constexpr double nodes_a_second = 800;  // less than half of what a core manages with CURVE and ZAP

    // `peers` and `log` outlive it.
    Gatekeeper(Peers const& peers, Log& log) : peers_(peers), log_(log) {}

    [[nodiscard]] Admission decide(CurveKey const& key, std::string_view address, TimePoint now);

    // A key that nobody knows, by which we find out whether strangers are kept out; it does not show up in the log.
    void expect_stranger(CurveKey const& key) { stranger_ = key; }
    // Whether it came here and was turned away.
    [[nodiscard]] bool stranger_came() const { return stranger_came_; }

private:
    [[nodiscard]] Admission let_in(Role role, TimePoint now);

    Peers const& peers_;
    Log& log_;
    std::optional<CurveKey> stranger_;
    bool stranger_came_ = false;
    std::uint64_t turned_away_ = 0;  // since the last line
    std::optional<TimePoint> told_;
    double places_ = nodes_a_second;  // a bucket of tokens: at most those of a second
    std::optional<TimePoint> filled_;
};

}  // namespace lull::broker
