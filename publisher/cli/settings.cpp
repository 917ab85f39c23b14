#include "publisher/cli/settings.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace lull::publisher {

namespace {

std::string environment(char const* name) {
    char const* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

fs::path home() {
    if (auto const told = environment("HOME"); !told.empty()) return told;
    passwd const* const user = getpwuid(getuid());
    return user != nullptr ? user->pw_dir : ".";
}

// A directory of ours by the XDG base directory rules.
fs::path xdg_directory(char const* variable, char const* usual) {
    auto const told = environment(variable);
    return (told.starts_with('/') ? fs::path(told) : home() / usual) / "lull";
}

}  // namespace

std::vector<Option> common_options() {
    auto const directory = xdg_directory("XDG_CONFIG_HOME", ".config");
    return {
        {.name = "broker",
         .help = "address of the broker, as 'lull-broker init' printed it",
         .placeholder = "tcp://HOST:PORT/KEY",
         .environment = "LULL_BROKER"},
        {.name = "keys",
         .help = "directory of your keys",
         .placeholder = "DIR",
         .fallback = directory.string(),
         .environment = "LULL_KEYS"},
        {.name = "config",
         .help = "file with options, one 'name = value' a line",
         .placeholder = "FILE",
         .fallback = (directory / "lull.conf").string()},
    };
}

Connection connection_of(Arguments const& arguments) {
    return {arguments.text("broker"), arguments.text("keys"), arguments.text("config")};
}

Option json_option() { return {.name = "json", .help = "print JSON"}; }

Output output_of(Arguments const& arguments) { return arguments.flag("json") ? Output::json : Output::text; }

std::string default_cache_directory() { return xdg_directory("XDG_CACHE_HOME", ".cache").string(); }

std::string default_state_directory() { return xdg_directory("XDG_STATE_HOME", ".local/state").string(); }

std::string passphrase() { return environment("LULL_PASSPHRASE"); }

Result<Identity> load_identity(Connection const& connection) {
    auto identity = SecretIdentity::load(connection.keys, passphrase());
    if (!identity && identity.error().message.find("passphrase") != std::string::npos) {
        identity.error().message += "; set the environment variable LULL_PASSPHRASE";
    }
    return identity;
}

Result<BrokerAddress> broker_of(Connection const& connection) {
    if (!connection.broker.empty()) return BrokerAddress::parse(connection.broker);
    return fail(Fault::usage,
                "no broker is named; add --broker tcp://HOST:PORT/KEY as 'lull-broker init' printed it, or set "
                "LULL_BROKER, or put 'broker = tcp://HOST:PORT/KEY' into {}",
                connection.config.string());
}

ClientOptions client_options(BrokerAddress const& broker, Identity const& identity) {
    return {broker, CurveKeyPair{identity.open.curve.bytes(), identity.secret.curve_secret}};
}

Result<ClientOptions> client_options(Connection const& connection) {
    auto const broker = broker_of(connection);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(connection);
    if (!identity) return pass(identity.error());
    return client_options(*broker, *identity);
}

std::string positional_or_empty(Arguments const& arguments, std::size_t index) {
    return index < arguments.positional().size() ? arguments.positional()[index] : "";
}

Result<std::optional<SoftwareName>> optional_software(Arguments const& arguments, std::size_t index) {
    auto const text = positional_or_empty(arguments, index);
    if (text.empty()) return std::optional<SoftwareName>();
    auto software = SoftwareName::parse(text);
    if (!software) return pass(software.error());
    return std::optional(std::move(*software));
}

Status print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return {};
    return fail_errno("write to", "standard output");
}

Status print_json(Json const& json) { return print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); }

}  // namespace lull::publisher
