#include "broker/calls/call_flow.hpp"

namespace lull::broker {

void CallFlow::permit(CallStream stream, Bytes permitted) {
    auto& one = of(stream);
    one.permitted = std::max(one.permitted, std::min(permitted, one.passed + limits::call_window));
}

Bytes CallFlow::wish(CallStream stream, Bytes window) const {
    auto const& one = of(stream);
    auto const most = std::min(one.permitted, one.passed + window);
    if (one.ended || most < one.granted + least_grant) return {};
    return most - one.granted;
}

Bytes CallFlow::grant(CallStream stream, Bytes credit) { return of(stream).granted += credit; }

bool CallFlow::pass(CallStream stream, Bytes offset, Bytes payload, bool last) {
    auto& one = of(stream);
    auto const credit = credit_for(payload);
    bool const fits = !one.ended && offset == one.payload && payload <= limits::call_frame && (last || !payload.zero());
    if (!fits || one.granted - one.passed < credit) return false;
    one.passed += credit;
    one.payload += payload;
    one.ended = last;
    return true;
}

}  // namespace lull::broker
