#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/command_line.hpp"
#include "core/json.hpp"
#include "publisher/client/broker_call.hpp"
#include "schema/identity.hpp"

namespace lull::publisher {

// What the options of every command set.
struct Connection {
    std::string broker;  // address as text; empty if no option, variable or file names it
    fs::path keys;       // directory
    fs::path config;     // file, for messages
    bool operator==(Connection const&) const = default;
};

// --broker, --keys and --config, which every command has.
[[nodiscard]] std::vector<Option> common_options();
[[nodiscard]] Connection connection_of(Arguments const& arguments);

// Text for people, or JSON for programs.
enum class Output { text, json };
[[nodiscard]] Option json_option();
[[nodiscard]] Output output_of(Arguments const& arguments);

// Where caches of trees lie unless --cache names another directory.
[[nodiscard]] std::string default_cache_directory();
// Where a watcher keeps what it knows unless --state names another directory.
[[nodiscard]] std::string default_state_directory();

// From LULL_PASSPHRASE only: an option would show in the list of processes.
[[nodiscard]] std::string passphrase();

// The keys in the directory of the connection.
[[nodiscard]] Result<Identity> load_identity(Connection const& connection);

// The broker of the connection. Fault::usage if it names none.
[[nodiscard]] Result<BrokerAddress> broker_of(Connection const& connection);

// Broker and keys, to ask or to publish with.
[[nodiscard]] ClientOptions client_options(BrokerAddress const& broker, Identity const& identity);
[[nodiscard]] Result<ClientOptions> client_options(Connection const& connection);

// A positional argument that is optional; empty if it is not given.
[[nodiscard]] std::string positional_or_empty(Arguments const& arguments, std::size_t index);

// The software of a positional argument; nothing if it is not given. Fault::usage.
[[nodiscard]] Result<std::optional<SoftwareName>> optional_software(Arguments const& arguments, std::size_t index);

// Writes to standard output. Fault::failed if it cannot be written, for example to a full disk.
[[nodiscard]] Status print(std::string_view text);
[[nodiscard]] Status print_json(Json const& json);

}  // namespace lull::publisher
