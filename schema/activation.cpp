#include "schema/activation.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"
#include "schema/limits.hpp"
#include "schema/manifest.hpp"

namespace lull {

namespace {

Status check_range(std::string_view what, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value >= least && value <= most) return {};
    return fail(Fault::refused, "{} is {}, and has to be {} to {}", what, value, least, most);
}

Status validate_program(std::string_view what, std::string const& program, std::vector<std::string> const& arguments) {
    if (auto status = validate_path(program); !status) return status;
    if (arguments.size() >= limits::start_words) {
        return fail(Fault::refused, "the {} has {} arguments, and may have {}", what, arguments.size(),
                    limits::start_words - 1);
    }
    for (auto const& argument : arguments) {
        if (argument.size() > limits::text || argument.find('\0') != std::string::npos) {
            return fail(Fault::refused, "an argument of the {} is longer than {} bytes, or holds a zero byte", what,
                        limits::text);
        }
    }
    return {};
}

Status validate(Hook const& hook) {
    if (auto status = validate_program("hook", hook.program, hook.arguments); !status) return status;
    return check_range("the hook's time limit in seconds", hook.time_limit, 1, limits::health_seconds);
}

Status validate(HealthCheck const& health) {
    if (auto status = validate_program("health check", health.program, health.arguments); !status) return status;
    if (auto status = check_range("the health check's time limit in seconds", health.time_limit, 1,
                                  limits::health_seconds);
        !status)
        return status;
    if (auto status = check_range("the number of its tries", health.tries, 1, limits::health_tries); !status)
        return status;
    return check_range("the pause between them in seconds", health.pause, 0, limits::health_seconds);
}

constexpr std::string_view letters_of_units = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@-";

// The other types of units that systemd knows (systemd.unit(5)); a name that ends in none of them is that of a service.
constexpr std::array<std::string_view, 10> other_types = {".socket", ".device", ".mount", ".automount", ".swap",
                                                          ".target", ".path",   ".timer", ".slice",     ".scope"};

tl::unexpected<Error> bad_unit(std::string_view unit, std::string_view why) {
    return fail(Fault::refused, "{} is not the name of a systemd service: {}", lull::quoted(unit), why);
}

}  // namespace

std::string_view to_text(HookTime time) { return time == HookTime::before ? "before" : "after"; }

Status validate_unit(std::string_view unit) {
    if (unit.empty() || unit == ".service") return bad_unit(unit, "it is empty");
    if (unit.size() > limits::unit_bytes)
        return bad_unit(unit, fmt::format("it is longer than {} bytes", limits::unit_bytes));
    if (unit.front() == '-') return bad_unit(unit, "it begins with '-'");
    if (unit.find_first_not_of(letters_of_units) != std::string_view::npos)
        return bad_unit(unit, "it holds more than letters, digits and :_.@-");
    for (auto const type : other_types) {
        if (unit.ends_with(type))
            return bad_unit(unit, fmt::format("it ends in {}; only services can be stopped for an update", type));
    }
    return {};
}

Status validate(Activation const& activation) {
    if (auto status = check_range("the grace in seconds", activation.grace, 0, limits::grace_seconds); !status)
        return status;
    if (activation.deadline) {
        if (auto status = check_range("the deadline in seconds", *activation.deadline, 0, limits::deadline_seconds);
            !status)
            return status;
    }
    if (activation.windows.size() > limits::text)
        return fail(Fault::refused, "the time windows take more than {} bytes", limits::text);
    if (activation.units.size() > limits::units_per_release) {
        return fail(Fault::refused, "{} services are more than {}", activation.units.size(), limits::units_per_release);
    }
    for (auto const& unit : activation.units) {
        if (auto status = validate_unit(unit); !status) return status;
    }
    auto const hooks = activation.hooks.value_or(std::vector<Hook>());
    if (hooks.size() > limits::hooks_per_release) {
        return fail(Fault::refused, "{} hooks are more than {}", hooks.size(), limits::hooks_per_release);
    }
    for (auto const& hook : hooks) {
        if (auto status = validate(hook); !status) return status;
    }
    return activation.health ? validate(*activation.health) : Status();
}

}  // namespace lull
