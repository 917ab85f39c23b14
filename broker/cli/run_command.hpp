#pragma once

#include "broker/daemon.hpp"
#include "core/command_line.hpp"
#include "core/log.hpp"

namespace lull::broker {

// `lull-broker run`: serves publishers and nodes until SIGTERM. `config` is the usual config file, where known.
[[nodiscard]] Command run_command(std::optional<std::string> config);

// What the arguments of `run` ask for. The addresses have no key yet: it lies in the data directory.
struct RunSettings {
    DaemonSettings daemon;
    BrokerAddress advertised;  // by which others reach the broker
    LogLevel log_level = LogLevel::info;
    std::vector<std::string> allowed{};  // software whose calls a child of the broker may run; empty: there is none
    bool operator==(RunSettings const&) const = default;
};

// Reads nothing but the arguments. Fault::usage names the option that is wrong.
[[nodiscard]] Result<RunSettings> run_settings(Arguments const& arguments);

}  // namespace lull::broker
