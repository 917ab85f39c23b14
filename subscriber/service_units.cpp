#include "subscriber/service_units.hpp"

#include <array>

#include "core/text.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_units = 32;
constexpr std::size_t most_name = 128;
constexpr Bytes most_output = KiB(4);

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@-";

// The other types of units that systemd knows (systemd.unit(5)); a name that ends in none of them is that of a service.
constexpr std::array<std::string_view, 10> other_types = {".socket", ".device", ".mount",  ".automount", ".swap",
                                                          ".target", ".path",   ".timer", ".slice",     ".scope"};

tl::unexpected<Error> bad_name(std::string_view name, std::string_view why) {
    return fail(Fault::usage, "{} is not the name of a service: {}", quoted(name), why);
}

Status status_of(Result<ProgramResult> const& result, std::string const& call) {
    if (!result) return pass(result.error());
    if (result->succeeded()) return {};
    return fail(Fault::failed, "'{}' {}", call, to_text(*result));
}

}  // namespace

Status validate_unit(std::string_view name) {
    if (name.empty() || name == ".service") return bad_name(name, "it is empty");
    if (name.size() > most_name) return bad_name(name, fmt::format("it is longer than {} bytes", most_name));
    if (name.front() == '-') return bad_name(name, "it begins with '-'");
    if (name.find_first_not_of(letters) != std::string_view::npos) return bad_name(name, "it holds more than letters, digits and :_.@-");
    for (auto const type : other_types) {
        if (name.ends_with(type)) return bad_name(name, fmt::format("it ends in {}; only services can be stopped for an update", type));
    }
    return {};
}

Result<ProgramStart> ServiceUnits::prepare(std::string const& verb, std::vector<std::string> const& units) const {
    if (units.empty() || units.size() > most_units) {
        return fail(Fault::usage, "cannot {} {} services at once: give 1 to {}", verb, units.size(), most_units);
    }
    for (auto const& unit : units) {
        if (auto status = validate_unit(unit); !status) return pass(status.error());
    }
    std::error_code ignored;
    if (!fs::is_directory(places_.running, ignored)) {
        return fail(Fault::unreachable, "cannot {} {}: systemd does not run this machine (there is no {}); take away the units, or use "
                                        "'lull-node run --supervise'",
                    verb, fmt::join(units, ", "), places_.running.string());
    }
    std::vector<std::string> arguments = {"--no-ask-password", "--no-pager", verb, "--"};
    arguments.insert(arguments.end(), units.begin(), units.end());
    return ProgramStart{places_.systemctl, "/", std::move(arguments), {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, std::nullopt};
}

void ServiceUnits::order(std::string const& verb, std::vector<std::string> const& units, Duration time_limit, Done done) {
    auto const call = fmt::format("systemctl {} {}", verb, fmt::join(units, " "));
    runs_.run(prepare(verb, units), {time_limit, most_output}, [call, done = std::move(done)](Result<ProgramResult> const& result) {
        done(status_of(result, call));
    });
}

void ServiceUnits::stop(std::vector<std::string> const& units, Duration time_limit, Done done) {
    order("stop", units, time_limit, std::move(done));
}

void ServiceUnits::start(std::vector<std::string> const& units, Duration time_limit, Done done) {
    order("start", units, time_limit, std::move(done));
}

}  // namespace lull::subscriber
