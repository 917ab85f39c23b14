#include "broker/net/authenticator.hpp"

#include <algorithm>
#include <chrono>

namespace lull::broker {

namespace {

constexpr Duration between_lines = std::chrono::seconds(10);

}  // namespace

Admission Authenticator::let_in(Role role, TimePoint now) {
    if (role != Role::node) return Admission::admit;
    auto const since = std::chrono::duration<double>(now - filled_.value_or(now)).count();
    places_ = std::min(nodes_a_second, places_ + since * nodes_a_second);
    filled_ = now;
    if (places_ < 1) return Admission::not_now;
    places_ -= 1;
    return Admission::admit;
}

Admission Authenticator::decide(CurveKey const& key, std::string_view address, TimePoint now) {
    if (auto const* peer = peers_.find(PeerKey(key))) return let_in(peer->role, now);
    if (stranger_ == key) {
        stranger_came_ = true;
        return Admission::not_now;
    }
    ++turned_away_;
    if (told_ && now - *told_ < between_lines) return Admission::not_now;
    log_.warn(
        "turned away {} connection(s) with keys that are not enrolled, the last from {} with key {}; to let a node in, "
        "run: lull nodes new NAME",
        turned_away_, address, to_hex(key));
    told_ = now;
    turned_away_ = 0;
    return Admission::not_now;
}

}  // namespace lull::broker
