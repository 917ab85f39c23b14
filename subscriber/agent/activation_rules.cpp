#include "subscriber/agent/activation_rules.hpp"

#include "core/text.hpp"

namespace lull::subscriber {

namespace {

ActivationGate gate_of(Hold const& hold) {
    auto text = fmt::format("held by {} since {}", hold.by, to_text(hold.since));
    if (hold.until) text += fmt::format(", until {}", to_text(*hold.until));
    if (!hold.why.empty()) text += ": " + hold.why;
    return {std::move(text), hold.until};
}

// An order with the operator that gave it, and the reason: "paused by anna: looks wrong".
std::string said(std::string_view what, Order const& order) {
    return fmt::format("{} by {}{}", what, order.by, order.why.empty() ? "" : ": " + order.why);
}

std::optional<ActivationGate> gate_of(OrderSet const& orders, SoftwareName const& software, WallTime now) {
    for (auto const& scope : {OrderScope(software), OrderScope()}) {
        auto const* order = orders.find(OrderKind::hold, scope);
        if (order == nullptr || (order->until && *order->until <= now)) continue;
        return gate_of(Hold{order->since, order->until, "operator " + order->by, order->why});
    }
    return std::nullopt;
}

std::optional<ActivationGate> gate_of(Schedule const& windows, std::string_view whose, WallTime now) {
    if (windows.share_at(now) > 0) return std::nullopt;
    auto const opens = windows.next_change(now);
    return ActivationGate{fmt::format("outside of {} time windows, until {}", whose, to_text(opens)), opens};
}

}  // namespace

Activation const& activation_of(UpdateInfo const& info) {
    static Activation const unstated;
    return info.activation ? *info.activation : unstated;
}

std::optional<ActivationGate> ActivationRules::gate(UpdateInfo const& info, Seq seq, Installs what,
                                                    WallTime now) const {
    if (auto gate = withdrawn(info, seq)) return gate;
    if (forced(info, seq) != nullptr) return std::nullopt;
    if (auto gate = hold(info.software, now)) return gate;
    if (auto gate = line(info, seq)) return gate;
    return what == Installs::first ? std::nullopt : window(info, now);
}

std::optional<ActivationGate> ActivationRules::withdrawn(UpdateInfo const& info, Seq seq) const {
    auto const* order = orders_.all.find(OrderKind::withdraw, info.software, seq);
    return order == nullptr ? std::nullopt : std::optional(ActivationGate{said("withdrawn", *order)});
}

Order const* ActivationRules::forced(UpdateInfo const& info, Seq seq) const {
    auto const* own = orders_.own.find(OrderKind::force, info.software, seq);
    return own != nullptr ? own : orders_.all.find(OrderKind::force, info.software, seq);
}

Order const* ActivationRules::retried(UpdateInfo const& info, Seq seq) const {
    Order const* latest = nullptr;
    for (auto const* set : {&orders_.own, &orders_.all}) {
        for (auto const kind : {OrderKind::retry, OrderKind::force}) {
            auto const* order = set->find(kind, info.software, seq);
            if (order != nullptr && (latest == nullptr || latest->since < order->since)) latest = order;
        }
    }
    return latest;
}

std::optional<ActivationGate> ActivationRules::hold(SoftwareName const& software, WallTime now) const {
    if (auto const* hold = holds_.find(software, now)) return gate_of(*hold);
    if (auto gate = gate_of(orders_.own, software, now)) return gate;
    return gate_of(orders_.all, software, now);
}

std::optional<ActivationRules::HoldText> ActivationRules::hold_given_here(SoftwareName const& software,
                                                                          WallTime now) const {
    auto const* hold = holds_.find(software, now);
    if (hold == nullptr) return std::nullopt;
    return HoldText{gate_of(*hold).why, hold->until};
}

std::optional<ActivationRules::HoldText> ActivationRules::any_hold(SoftwareName const& software, WallTime now) const {
    auto const gate = hold(software, now);
    if (!gate) return std::nullopt;
    return HoldText{gate->why, gate->until};
}

// A node that has received no order about its turn waits: the order may be on its way.
std::optional<ActivationGate> ActivationRules::line(UpdateInfo const& info, Seq seq) const {
    if (auto const* order = orders_.all.find(OrderKind::pause, info.software, seq))
        return ActivationGate{said("paused", *order), std::nullopt, ActivationGate::Kind::awaiting_rollout};
    if (!info.rollout) return std::nullopt;
    auto const* share = orders_.all.find(OrderKind::share, info.software, seq);
    if (share != nullptr && place_in_rollout(info.software, info.version, name_) <= share->upto.value_or(0))
        return std::nullopt;
    return ActivationGate{"its turn in the rollout has not come", std::nullopt, ActivationGate::Kind::awaiting_rollout};
}

std::optional<ActivationGate> ActivationRules::window(UpdateInfo const& info, WallTime now) const {
    if (node_.windows) {
        if (auto gate = gate_of(*node_.windows, "this node's", now)) return gate;
    }
    auto const& text = activation_of(info).windows;
    if (text.empty()) return std::nullopt;
    // The publisher knows time zones that this machine may not know. The release must not become live at a wrong
    // time.
    auto const windows = Schedule::parse_times(text);
    if (!windows)
        return ActivationGate{fmt::format("its time windows cannot be understood here: {}", windows.error().message),
                              std::nullopt};
    return gate_of(*windows, "its", now);
}

Policy ActivationRules::policy(UpdateInfo const& info, Seq seq, Duration waited) const {
    if (auto const* order = forced(info, seq)) return order->restart.value_or(false) ? Policy::restart : Policy::now;
    auto const end = deadline(info);
    return end && waited >= *end ? Policy::restart : stated_policy(info);
}

std::optional<Duration> ActivationRules::deadline(UpdateInfo const& info) const {
    auto const seconds = activation_of(info).deadline;
    if (!seconds || stated_policy(info) != Policy::wait) return std::nullopt;
    return std::chrono::seconds(*seconds);
}

}  // namespace lull::subscriber
