#pragma once

#include <string>

#include "core/files.hpp"

namespace lull::subscriber {

// The system's log: what syslog(3) writes at LOG_DAEMON and LOG_NOTICE, but without ever waiting for the one who reads
// it.
class SystemLog {
public:
    explicit SystemLog(fs::path socket = "/dev/log") : socket_(std::move(socket)) {}

    // One line of printable text. Where nobody reads the log, or not fast enough, the error says so and nothing was
    // written.
    [[nodiscard]] Status notice(std::string const& line) const;

private:
    fs::path socket_;
};

}  // namespace lull::subscriber
