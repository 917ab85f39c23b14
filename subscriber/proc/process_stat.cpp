#include "subscriber/proc/process_stat.hpp"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

namespace lull::subscriber {

namespace {

constexpr std::size_t most_stat_bytes = 4096;  // 52 numbers and a name of 64 bytes at most
constexpr Bytes most_system_stat = MiB(4);     // grows with processors and interrupts
constexpr std::int64_t micros_per_second = 1'000'000;

// Fields of /proc/PID/stat as proc(5) counts them; those before the third are not in our list.
constexpr std::size_t first_field = 3;
constexpr std::size_t parent_field = 4;
constexpr std::size_t terminal_field = 7;
constexpr std::size_t flags_field = 9;
constexpr std::size_t start_field = 22;
constexpr std::int64_t kernel_thread_flag = 0x00200000;  // PF_KTHREAD of the kernel's sched.h

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    auto const [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

// The fields behind the name, which stands in parentheses and may itself hold spaces and parentheses.
std::vector<std::string_view> fields_behind_name(std::string_view text) {
    std::vector<std::string_view> fields;
    auto const name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return fields;
    text.remove_prefix(name_end + 1);
    while (!text.empty()) {
        auto const begin = text.find_first_not_of(" \n");
        if (begin == std::string_view::npos) break;
        text.remove_prefix(begin);
        auto const end = std::min(text.find_first_of(" \n"), text.size());
        fields.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return fields;
}

// Seconds since 1970 at which the machine was started: the line "btime" of /proc/stat.
Result<std::int64_t> boot_time(fs::path const& proc) {
    auto const bytes = read_file(proc / "stat", most_system_stat);
    if (!bytes) return pass(bytes.error());
    auto const text = as_text(*bytes);
    constexpr std::string_view label = "\nbtime ";
    if (auto const at = text.find(label); at != std::string_view::npos) {
        auto const rest = text.substr(at + label.size());
        if (auto const seconds = number(rest.substr(0, rest.find('\n')))) return *seconds;
    }
    return fail(Fault::failed, "cannot find btime in {}", (proc / "stat").string());
}

// The kernel's packing of a device number (new_encode_dev).
dev_t device_of(std::int64_t packed) {
    auto const bits = static_cast<std::uint32_t>(packed);
    return makedev((bits >> 8) & 0xfff, (bits & 0xff) | ((bits >> 12) & 0xfff00));
}

}  // namespace

Result<std::optional<ProcessStat>> read_process_stat(fs::path const& proc, std::uint64_t pid) {
    auto const path = proc / std::to_string(pid) / "stat";
    FileDescriptor const file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, most_stat_bytes> block{};
    auto const got = file.valid() ? read(file.get(), block.data(), block.size()) : -1;
    if (got < 0 && (errno == ENOENT || errno == ESRCH)) return std::nullopt;
    if (got < 0) return fail_errno("read", path);

    auto const fields = fields_behind_name({block.data(), static_cast<std::size_t>(got)});
    if (fields.size() <= start_field - first_field) return fail(Fault::failed, "cannot understand {}", path.string());
    auto const parent = number(fields[parent_field - first_field]);
    auto const terminal = number(fields[terminal_field - first_field]);
    auto const flags = number(fields[flags_field - first_field]);
    auto const ticks = number(fields[start_field - first_field]);
    if (!parent || !terminal || !flags || !ticks) return fail(Fault::failed, "cannot understand {}", path.string());
    auto const boot = boot_time(proc);
    if (!boot) return pass(boot.error());
    auto const tick = micros_per_second / sysconf(_SC_CLK_TCK);
    return ProcessStat{*terminal == 0 ? 0 : device_of(*terminal), WallTime{*boot * micros_per_second + *ticks * tick},
                       (*flags & kernel_thread_flag) != 0, static_cast<std::uint64_t>(*parent)};
}

std::string printable(std::string_view text) {
    std::string clean(text);
    for (char& letter : clean) {
        if (letter < ' ' || letter > '~') letter = '?';
    }
    return clean;
}

}  // namespace lull::subscriber
