#include "subscriber/activation_rules.hpp"

#include "core/text.hpp"

namespace lull::subscriber {

namespace {

Gate gate_of(Hold const& hold) {
    auto text = fmt::format("held by {} since {}", hold.by, to_text(hold.since));
    if (hold.until) text += fmt::format(", until {}", to_text(*hold.until));
    if (!hold.why.empty()) text += ": " + hold.why;
    return {std::move(text), hold.until};
}

std::optional<Gate> gate_of(Schedule const& windows, std::string_view whose, WallTime now) {
    if (windows.share_at(now) > 0) return std::nullopt;
    auto const opens = windows.next_change(now);
    return Gate{fmt::format("outside of {} time windows, until {}", whose, to_text(opens)), opens};
}

}  // namespace

Activation activation_of(UpdateInfo const& info) { return info.activation.value_or(Activation{}); }

std::optional<Gate> ActivationRules::gate(UpdateInfo const& info, Installs what, WallTime now) const {
    if (auto const* hold = holds_.find(info.software, now)) return gate_of(*hold);
    if (what == Installs::first) return std::nullopt;
    if (node_.windows) {
        if (auto gate = gate_of(*node_.windows, "this node's", now)) return gate;
    }
    auto const text = activation_of(info).windows;
    if (text.empty()) return std::nullopt;
    // Whoever published it knows time zones that this machine may not know: then it must not become live at a wrong time.
    auto const windows = Schedule::parse_times(text);
    if (!windows) return Gate{fmt::format("its time windows cannot be understood here: {}", windows.error().message), std::nullopt};
    return gate_of(*windows, "its", now);
}

Policy ActivationRules::policy(UpdateInfo const& info, WallTime staged, WallTime now) const {
    auto const stated = stated_policy(info);
    auto const end = deadline(info, staged);
    return end && now >= *end ? Policy::restart : stated;
}

std::optional<WallTime> ActivationRules::deadline(UpdateInfo const& info, WallTime staged) const {
    auto const seconds = activation_of(info).deadline;
    if (!seconds || stated_policy(info) != Policy::wait) return std::nullopt;
    return WallTime{staged.micros + static_cast<std::int64_t>(*seconds) * 1'000'000};
}

}  // namespace lull::subscriber
