#include "subscriber/notify/system_log.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber {

namespace {

constexpr int daemon_notice = 3 * 8 + 5;      // RFC 3164, 4.1.1: facility "system daemons", severity "notice"
constexpr std::size_t most_line = 1024 - 64;  // RFC 3164, 4.1: 1024 bytes for all of it

// "Jan  2 03:04:05", local time, as RFC 3164 wants it.
std::string stamp() {
    std::time_t const now = std::time(nullptr);
    std::tm parts{};
    LULL_INVARIANT(localtime_r(&now, &parts) != nullptr);
    constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const month = months.at(static_cast<std::size_t>(parts.tm_mon));
    return fmt::format("{} {:2} {:02}:{:02}:{:02}", month, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

Status SystemLog::notice(std::string const& line) const {
    FileDescriptor const sender(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto const path = socket_.string();
    if (path.size() >= sizeof address.sun_path) {
        return fail(Fault::usage, "cannot write to {}: the path of a socket is at most 107 bytes long", path);
    }
    path.copy(address.sun_path, path.size());
    auto const text = fmt::format("<{}>{} lull-node[{}]: {}", daemon_notice, stamp(), getpid(),
                                  printable(line.substr(0, most_line)));
    auto const* const to = reinterpret_cast<sockaddr const*>(&address);
    auto const sent = sendto(sender.get(), text.data(), text.size(), MSG_NOSIGNAL, to, sizeof address);
    if (sent != static_cast<ssize_t>(text.size())) return fail_errno("write to the system's log at", socket_);
    return {};
}

}  // namespace lull::subscriber
