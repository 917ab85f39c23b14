#include "tests/fault/shim/plan.hpp"

#include <fcntl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "tests/fault/shim/kernel.hpp"

namespace lull::fault {

namespace {

// linux/ext4 does not export these: fs/ext4/ext4.h.
constexpr unsigned long cut_disk = _IOR('X', 125, __u32);
constexpr __u32 flushing_the_journal = 1;
constexpr __u32 without_flushing_the_journal = 2;
constexpr int least_descriptor = 900;  // above those that the program counts on

constexpr std::array<std::string_view, 12> kind_names{"write",  "sync",      "create",   "open",     "rename", "link",
                                                      "remove", "directory", "truncate", "allocate", "copy",   "mode"};

std::string_view setting(char const* name) {
    char const* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::uint64_t number(std::string_view text, std::uint64_t otherwise) {
    return text.empty() ? otherwise : std::strtoull(std::string(text).c_str(), nullptr, 10);
}

Deed deed_called(std::string_view name) {
    if (name == "kill-before") return Deed::kill_before;
    if (name == "kill-after") return Deed::kill_after;
    if (name == "fail") return Deed::fail;
    if (name == "shorten") return Deed::shorten;
    if (name == "cut") return Deed::cut;
    if (name == "cut-late") return Deed::cut_late;
    return Deed::none;
}

std::uint32_t kinds_called(std::string_view names) {
    std::uint32_t kinds = 0;
    while (!names.empty()) {
        auto const name = names.substr(0, names.find(','));
        for (std::size_t i = 0; i < kind_names.size(); ++i) {
            if (kind_names[i] == name) kinds |= 1U << i;
        }
        names.remove_prefix(std::min(names.size(), name.size() + 1));
    }
    return kinds;
}

int open_high(std::string_view path, int flags) {
    if (path.empty()) return -1;
    auto const low = kernel(SYS_open, as_word(std::string(path).c_str()), flags | O_CLOEXEC, 0644);
    if (low < 0) return -1;
    auto const high = kernel(SYS_fcntl, low, F_DUPFD_CLOEXEC, least_descriptor);
    kernel(SYS_close, low);
    return static_cast<int>(high);
}

}  // namespace

Plan& Plan::of_process() {
    static Plan plan;
    return plan;
}

Plan::Plan()
    : deed_(deed_called(setting("LULL_FAULT_DO"))),
      first_(number(setting("LULL_FAULT_AT"), 0)),
      times_(number(setting("LULL_FAULT_TIMES"), 1)),
      at_byte_(number(setting("LULL_FAULT_AT_BYTE"), 0)),
      kinds_(kinds_called(setting("LULL_FAULT_KINDS"))),
      under_(setting("LULL_FAULT_UNDER")),
      until_(setting("LULL_FAULT_UNTIL")),
      error_(static_cast<int>(number(setting("LULL_FAULT_ERRNO"), EIO))),
      forgets_sync_(setting("LULL_FAULT_LIE") == "sync"),
      splits_rename_(setting("LULL_FAULT_LIE") == "rename"),
      swallows_errors_(setting("LULL_FAULT_LIE") == "errors"),
      disk_(open_high(setting("LULL_FAULT_DISK"), O_RDONLY | O_DIRECTORY)),
      trace_(open_high(setting("LULL_FAULT_TRACE"), O_WRONLY | O_CREAT | O_APPEND)) {
    unsetenv("LD_PRELOAD");  // programs that this one starts are not meant
}

bool Plan::counts(Kind kind) const {
    auto const bit = 1U << static_cast<unsigned>(kind);
    return kinds_ == 0 ? kind != Kind::open : (kinds_ & bit) != 0;
}

bool Plan::is_over() const { return !until_.empty() && kernel(SYS_access, as_word(until_.c_str()), F_OK) == 0; }

bool Plan::is_full() const {
    if (deed_ != Deed::fail || error_ != ENOSPC || times_ != 0 || is_over()) return false;
    return at_byte_ != 0 ? bytes_ >= at_byte_ : first_ != 0 && calls_ >= first_;
}

// The write in which the chosen byte lies takes the bytes up to it; if all fail from it on, so do the calls after that.
Verdict Plan::judge_bytes(Call const& call) {
    auto const before = bytes_.fetch_add(call.bytes);
    if (before >= at_byte_) return times_ == 0 ? Verdict{deed_, error_, {}} : Verdict{};
    if (before + call.bytes < at_byte_) return {};
    return {deed_, error_, at_byte_ - before};
}

Verdict Plan::judge(Call const& call) {
    if (!counts(call.kind)) return {};
    if (!under_.empty() && call.path.find(under_) == std::string::npos) {
        trace(0, call);
        return {};
    }
    auto const count = ++calls_;
    trace(count, call);
    if (is_over()) return {};
    if (at_byte_ != 0) return judge_bytes(call);
    bool const chosen = first_ != 0 && count >= first_ && (times_ == 0 || count < first_ + times_);
    if (!chosen) return {};
    if (deed_ == Deed::shorten) return {deed_, 0, (call.bytes + 1) / 2};
    return {deed_, error_, {}};
}

void Plan::trace(std::uint64_t number, Call const& call) const {
    if (trace_ < 0) return;
    auto path = std::string(call.path);
    std::replace(path.begin(), path.end(), '\n', '?');  // an argument of another process may be any text
    auto const line = std::to_string(number) + " " + std::string(kind_names[static_cast<std::size_t>(call.kind)]) +
                      " " + call.name + " " + std::to_string(call.bytes) + " " + path + "\n";
    kernel(SYS_write, trace_, as_word(line.data()), as_word(line.size()));
}

void Plan::end(Deed deed) const {
    auto const* const how = deed == Deed::cut ? &without_flushing_the_journal : &flushing_the_journal;
    if (deed == Deed::cut || deed == Deed::cut_late) kernel(SYS_ioctl, disk_, as_word(cut_disk), as_word(how));
    kernel(SYS_kill, kernel(SYS_getpid), SIGKILL);
    while (true) kernel(SYS_pause);
}

}  // namespace lull::fault
