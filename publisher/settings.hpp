#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/command_line.hpp"
#include "core/json.hpp"
#include "publisher/client.hpp"
#include "schema/identity.hpp"

namespace lull::publisher {

// --broker, --keys and --config, which every command has.
[[nodiscard]] std::vector<Option> common_options();

// Where caches of trees lie unless --cache says otherwise.
[[nodiscard]] std::string default_cache_directory();

// From LULL_PASSPHRASE only: an option would show in the list of processes.
[[nodiscard]] std::string passphrase();

// The keys that --keys names.
[[nodiscard]] Result<Identity> load_identity(Arguments const& arguments);

// The broker that --broker names.
[[nodiscard]] Result<BrokerAddress> broker_of(Arguments const& arguments);

// Broker and keys, to ask or to publish with.
[[nodiscard]] ClientOptions client_options(BrokerAddress const& broker, Identity const& identity);

// The same, from the options.
[[nodiscard]] Result<ClientOptions> connection_of(Arguments const& arguments);

// A positional argument that is optional; empty if it is not given.
[[nodiscard]] std::string positional_or_empty(Arguments const& arguments, std::size_t index);

// Writes to standard output. Fault::failed if it cannot be written, for example to a full disk.
[[nodiscard]] Status print(std::string_view text);
[[nodiscard]] Status print_json(Json const& json);

}  // namespace lull::publisher
