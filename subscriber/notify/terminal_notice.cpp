#include "subscriber/notify/terminal_notice.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber {

namespace {

// Major numbers of Documentation/admin-guide/devices.txt.
constexpr unsigned console_major = 4;
constexpr unsigned first_serial_minor = 64;
constexpr unsigned first_pty_major = 136;
constexpr unsigned last_pty_major = 143;
constexpr unsigned ptys_per_major = 256;

std::optional<fs::path> device_path(dev_t device) {
    auto const major_number = major(device);
    auto const minor_number = minor(device);
    if (major_number >= first_pty_major && major_number <= last_pty_major) {
        auto const number = (major_number - first_pty_major) * ptys_per_major + minor_number;
        return fs::path(fmt::format("/dev/pts/{}", number));
    }
    if (major_number != console_major) return std::nullopt;
    if (minor_number < first_serial_minor) return fs::path(fmt::format("/dev/tty{}", minor_number));
    return fs::path(fmt::format("/dev/ttyS{}", minor_number - first_serial_minor));
}

bool is_device(struct stat const& status, dev_t device) { return S_ISCHR(status.st_mode) && status.st_rdev == device; }

// Opens the terminal only if it is the device that it should be. Never becomes our own controlling terminal, never
// waits for a line.
FileDescriptor open_terminal(fs::path const& path, dev_t device) {
    FileDescriptor terminal(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (terminal.valid() && (fstat(terminal.get(), &status) != 0 || !is_device(status, device))) terminal.reset();
    return terminal;
}

}  // namespace

std::string notice_text(Notice const& notice, Holder const& holder) {
    return NoticeText().for_terminal(notice, holder);
}

std::optional<fs::path> controlling_terminal(std::uint64_t pid) {
    auto const process = read_process_stat("/proc", pid);
    if (!process || !*process || (*process)->terminal == 0) return std::nullopt;
    auto const path = device_path((*process)->terminal);
    struct stat status {};
    if (!path || lstat(path->c_str(), &status) != 0 || !is_device(status, (*process)->terminal)) return std::nullopt;
    return path;
}

bool tell(Notice const& notice, Holder const& holder, NoticeText const& text) {
    auto const process = read_process_stat("/proc", holder.pid);
    if (!process || !*process || (*process)->started != holder.since) return false;
    auto const path = device_path((*process)->terminal);
    if (!path) return false;
    auto const terminal = open_terminal(*path, (*process)->terminal);
    if (!terminal.valid()) return false;
    auto const words = text.for_terminal(notice, holder);
    return write(terminal.get(), words.data(), words.size()) == static_cast<ssize_t>(words.size());
}

}  // namespace lull::subscriber
