#pragma once

#include <string>
#include <vector>

#include "broker/data/data_directory.hpp"
#include "schema/identity.hpp"

namespace lull::broker {

struct InitRequest {
    DataDirectory directory;
    std::vector<PublicIdentity> operators;     // at least one
    std::string listen;                        // HOST:PORT, or empty: as it was, or the usual one
    std::string advertise;                     // HOST, or empty: that of `listen`
    std::vector<PublicIdentity> publishers{};  // may publish, but not administer
    bool operator==(InitRequest const&) const = default;
};

struct InitOutcome {
    BrokerAddress address;           // what nodes and publishers are given
    bool before = false;             // the broker had been initialised already
    std::vector<std::string> added;  // operators and publishers that were enrolled now: "operator 'anna'"
};

// Makes a broker: keys, configuration, database with the identity of its log and the operators. What a crash left half
// done is completed. An initialised broker only gets further operators and publishers; Fault::refused if it is running,
// or if one of them is enrolled with another role or name, or if the directory holds something else; Fault::usage if it
// shall listen elsewhere than before.
[[nodiscard]] Result<InitOutcome> initialise(InitRequest const& request, WallTime now);

}  // namespace lull::broker
