#pragma once

#include <string>
#include <vector>

#include "broker/data_directory.hpp"
#include "schema/identity.hpp"

namespace lull::broker {

struct InitRequest {
    DataDirectory directory;
    std::vector<PublicIdentity> operators;  // at least one
    std::string listen;                     // HOST:PORT, or empty: as it was, or the usual one
    std::string advertise;                  // HOST, or empty: that of `listen`
};

struct InitOutcome {
    BrokerAddress address;           // what nodes and publishers are given
    bool before = false;             // the broker had been initialised already
    std::vector<std::string> added;  // names of the operators that were enrolled now
};

// Makes a broker: keys, configuration, database with the identity of its log and the operators. What a crash left half done is
// completed. An initialised broker only gets further operators; Fault::refused if it is running, or if one of them is enrolled with
// another role or name, or if the directory holds something else; Fault::usage if it shall listen elsewhere than before.
[[nodiscard]] Result<InitOutcome> initialise(InitRequest const& request, WallTime now);

}  // namespace lull::broker
