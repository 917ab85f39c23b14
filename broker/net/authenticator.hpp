#pragma once

#include <optional>

#include "broker/fleet/peers.hpp"
#include "core/log.hpp"
#include "core/messaging.hpp"

namespace lull::broker {

// Admits connections by their key: those of enrolled peers. A peer with another key is asked to try again later; the
// log names it, in few lines however often it tries. Nodes are admitted at a rate below that of handshakes, so that
// thousands that reconnect at once (after a restart) do not keep each other out. Publishers and operators do not wait.
class Authenticator {
public:
    static constexpr double nodes_a_second = 800;  // less than half of what a core manages with CURVE and ZAP

    // `peers` and `log` outlive it.
    Authenticator(Peers const& peers, Log& log) : peers_(peers), log_(log) {}

    [[nodiscard]] Admission decide(CurveKey const& key, std::string_view address, TimePoint now);

    // The key of AuthenticatorSelfTest: of no peer. The log does not name it.
    void expect_stranger(CurveKey const& key) { stranger_ = key; }
    // Whether this key was presented, and not admitted.
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
