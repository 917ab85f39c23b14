#include "subscriber/disk/restart_marks.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

namespace lull::subscriber {

namespace {

constexpr std::size_t most_pids = 4096;
constexpr Bytes most_mark = KiB(64);  // 4096 pids of up to 10 digits

// Takes "4711\n" off the front.
std::optional<std::uint64_t> take_pid(std::string_view& text) {
    std::uint64_t pid = 0;
    auto const end = text.data() + text.size();
    auto const [stop, problem] = std::from_chars(text.data(), end, pid);
    bool const good = problem == std::errc() && stop != end && *stop == '\n' && pid > 0 &&
                      pid <= static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max());
    if (!good) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
    return pid;
}

// Takes "over\n" off the front.
bool take_line(std::string_view& text, std::string_view line) {
    if (!text.starts_with(line)) return false;
    text.remove_prefix(line.size());
    return true;
}

constexpr std::string_view ending_line = "ending\n";
constexpr std::string_view over_line = "over\n";

std::optional<RestartMark> parse(std::string_view text) {
    RestartMark mark;
    mark.state = take_line(text, over_line) ? RestartMark::State::over : RestartMark::State::ending;
    if (mark.state == RestartMark::State::ending && !take_line(text, ending_line)) return std::nullopt;
    while (!text.empty()) {
        auto const pid = take_pid(text);
        if (!pid || mark.pids.size() == most_pids) return std::nullopt;
        mark.pids.push_back(*pid);
    }
    return mark;
}

}  // namespace

bool RestartMark::names(std::uint64_t pid) const { return std::find(pids.begin(), pids.end(), pid) != pids.end(); }

Status RestartMarks::write(SoftwareName const& software, RestartMark const& mark) const {
    auto text = std::string(mark.state == RestartMark::State::over ? over_line : ending_line);
    for (auto const pid : mark.pids) text += fmt::format("{}\n", pid);
    return write_file_durably(layout_.restarting(software), as_view(text), 0644);
}

Status RestartMarks::remove(SoftwareName const& software) const {
    auto const path = layout_.restarting(software);
    if (unlink(path.c_str()) != 0) {
        if (errno == ENOENT) return {};
        return fail_errno("remove", path);
    }
    sync_directory_or_die(layout_.software(software));
    return {};
}

Status RestartMarks::set(SoftwareName const& software, std::vector<std::uint64_t> const& pids) const {
    if (pids.size() <= most_pids) return write(software, {RestartMark::State::ending, pids});
    return fail(Fault::refused, "cannot write {}: {} processes are more than {}", layout_.restarting(software).string(),
                pids.size(), most_pids);
}

// Where there is no room for the mark that it is over, none at all has to do.
Status RestartMarks::clear(SoftwareName const& software) const {
    auto mark = read(software);
    if (mark && !*mark) return {};
    if (!mark) return remove(software);
    (*mark)->state = RestartMark::State::over;
    return write(software, **mark) ? Status() : remove(software);
}

Status RestartMarks::clear_all() const {
    auto const known = layout_.known_software();
    if (!known) return pass(known.error());
    for (auto const& software : *known) {
        if (auto status = remove(software); !status) return status;
    }
    return {};
}

Result<std::optional<RestartMark>> RestartMarks::read(SoftwareName const& software) const {
    auto const path = layout_.restarting(software);
    auto const bytes = read_file(path, most_mark);
    if (!bytes && bytes.error().fault == Fault::not_found) return std::nullopt;
    if (!bytes) return pass(bytes.error());
    if (auto mark = parse(as_text(*bytes))) return mark;
    return fail(Fault::damaged, "{} is not what lull-node writes there; remove it", path.string());
}

}  // namespace lull::subscriber
