#include "subscriber/programs/service_units.hpp"

#include "schema/activation.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_units = 32;
constexpr Bytes most_unit_output = KiB(4);

Status status_of(Result<ProgramResult> const& result, std::string const& call) {
    if (!result) return pass(result.error());
    if (result->succeeded()) return {};
    return fail(Fault::failed, "'{}' {}", call, to_text(*result));
}

}  // namespace

Result<ProgramStart> ServiceUnits::prepare(std::string const& verb, std::vector<std::string> const& units) const {
    if (units.empty() || units.size() > most_units) {
        return fail(Fault::usage, "cannot {} {} services at once: give 1 to {}", verb, units.size(), most_units);
    }
    for (auto const& unit : units) {
        if (auto status = validate_unit(unit); !status) return pass(status.error());
    }
    std::error_code ignored;
    if (!fs::is_directory(places_.running, ignored)) {
        return fail(Fault::unreachable,
                    "cannot {} {}: systemd does not run this machine (there is no {}); take away the units, or use "
                    "'lull-node run --supervise'",
                    verb, fmt::join(units, ", "), places_.running.string());
    }
    std::vector<std::string> arguments = {"--no-ask-password", "--no-pager", verb, "--"};
    arguments.insert(arguments.end(), units.begin(), units.end());
    return ProgramStart{
        places_.systemctl, "/", std::move(arguments), {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, std::nullopt};
}

ServiceUnits::RunId ServiceUnits::order(std::string const& verb, std::vector<std::string> const& units,
                                        Duration time_limit, Done done) {
    auto const call = fmt::format("systemctl {} {}", verb, fmt::join(units, " "));
    return runs_.run(
        prepare(verb, units), {time_limit, most_unit_output},
        [call, done = std::move(done)](Result<ProgramResult> const& result) { done(status_of(result, call)); });
}

ServiceUnits::RunId ServiceUnits::stop(std::vector<std::string> const& units, Duration time_limit, Done done) {
    return order("stop", units, time_limit, std::move(done));
}

ServiceUnits::RunId ServiceUnits::start(std::vector<std::string> const& units, Duration time_limit, Done done) {
    return order("start", units, time_limit, std::move(done));
}

}  // namespace lull::subscriber
