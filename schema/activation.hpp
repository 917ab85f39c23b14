#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace lull {

// A program of the release that says, by exit status 0, that the release works on this node.
struct HealthCheck {
    std::string program;  // path in the release's tree
    std::vector<std::string> arguments;
    std::uint64_t time_limit = 10;  // seconds, of one try
    std::uint64_t tries = 3;
    std::uint64_t pause = 1;  // seconds between two tries
    static void describe(auto& self, auto& visit) {
        visit("g", self.program);
        visit("a", self.arguments);
        visit("l", self.time_limit);
        visit("t", self.tries);
        visit("p", self.pause);
    }
    bool operator==(HealthCheck const&) const = default;
};

// Before: the one before it is live, and nobody uses it. After: it is live itself, and its services run.
enum class HookTime : std::uint8_t { before, after };
constexpr HookTime enum_last(HookTime) { return HookTime::after; }
[[nodiscard]] std::string_view to_text(HookTime time);

// A program of the release that a node runs for the switch, if the node's owner allows it. One that does not end with 0
// before the switch keeps the release from becoming live; after it, it counts as a health check that fails.
struct Hook {
    HookTime time = HookTime::before;
    std::string program;  // path in the release's tree
    std::vector<std::string> arguments;
    std::uint64_t time_limit = 30;  // seconds
    static void describe(auto& self, auto& visit) {
        visit("w", self.time);
        visit("g", self.program);
        visit("a", self.arguments);
        visit("l", self.time_limit);
    }
    bool operator==(Hook const&) const = default;
};

// How a release becomes live on a node, as far as its publisher says.
struct Activation {
    std::uint64_t grace = 30;  // seconds between asking users to end and ending them
    std::optional<std::uint64_t>
        deadline{};       // seconds in which a staged release waits for users; then they are asked to end
    std::string windows;  // times of day at which it may become live (Schedule::parse_times); empty: any
    std::optional<HealthCheck> health{};
    std::vector<std::string> units;            // systemd services that end before the switch and start after it
    std::optional<std::vector<Hook>> hooks{};  // run in this order
    static void describe(auto& self, auto& visit) {
        visit("g", self.grace);
        visit("d", self.deadline);
        visit("w", self.windows);
        visit("h", self.health);
        visit("u", self.units);
        visit("k", self.hooks);
    }
    bool operator==(Activation const&) const = default;
};

// The bounds of limits.hpp, a program that lies in the tree, and units that systemctl(1) takes for nothing else.
// Whether windows can be understood is for whoever goes by them: it depends on the time zones that a machine knows.
[[nodiscard]] Status validate(Activation const& activation);

// The name of a systemd service as systemctl(1) takes it: "kiosk.service", "getty@tty1", letters, digits and ":_.@-",
// no other type of unit.
[[nodiscard]] Status validate_unit(std::string_view unit);

}  // namespace lull
