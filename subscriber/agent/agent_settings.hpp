#pragma once

#include <string>

#include "schema/envelope.hpp"
#include "subscriber/agent/activation_rules.hpp"
#include "subscriber/agent/fetcher.hpp"
#include "subscriber/agent/link.hpp"
#include "subscriber/executor/executor.hpp"
#include "subscriber/model/own_program.hpp"

namespace lull::subscriber {

struct AgentSettings {
    NodeName node;
    ArchitectureName architecture;
    std::string program;                   // "lull-node 0.1.0"
    std::string boot;                      // boot id of the machine
    std::optional<std::string> machine{};  // and which one it is (HELLO)
    TrustedKeys trusted;
    std::uint64_t seed = 1;  // for jitter
    FetchLimits fetch;
    LinkTimes link;
    Duration first_retry = std::chrono::seconds(30);  // after a failure; doubles with each further one
    Duration longest_retry = std::chrono::hours(1);
    Duration longest_without_room = std::chrono::minutes(5);  // the same where the disk is full: it may be freed soon
    Duration scan = std::chrono::minutes(10);                 // between scans of what is installed (jittered)
    Duration read_all = std::chrono::hours(24);               // between scans that read every byte
    NodeRules rules{};
    Duration remind = std::chrono::hours(24);            // between two notices to a user of the running version
    Duration end_again = std::chrono::minutes(5);        // between two attempts to end users that do not end
    Duration between_holders = std::chrono::seconds(1);  // between two reports of other users of the running version
    std::uint64_t most_trials = 3;                       // of a health check or hooks that end the daemon
    std::optional<ExecutorSettings> executor{};          // this node runs programs for others
    std::optional<OwnProgram> own_program{};             // the daemon is itself a release that this node installs
};

}  // namespace lull::subscriber
