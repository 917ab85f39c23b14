#include "broker/gatekeeper.hpp"

namespace lull::broker {

namespace {

constexpr Duration between_lines = std::chrono::seconds(10);

}  // namespace

Admission Gatekeeper::decide(CurveKey const& key, std::string_view address, TimePoint now) {
    if (peers_.find(PeerKey(key)) != nullptr) return Admission::admit;
    if (stranger_ == key) {
        stranger_came_ = true;
        return Admission::not_now;
    }
    ++turned_away_;
    if (told_ && now - *told_ < between_lines) return Admission::not_now;
    log_.warn("turned away {} connection(s) with keys that are not enrolled, the last from {} with key {}; to let a node in, "
              "run: lull nodes new NAME",
              turned_away_, address, to_hex(key));
    told_ = now;
    turned_away_ = 0;
    return Admission::not_now;
}

}  // namespace lull::broker
