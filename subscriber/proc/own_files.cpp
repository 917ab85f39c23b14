#include "subscriber/proc/own_files.hpp"

#include <fcntl.h>

#include <string>

#include "core/files.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes most_maps = MiB(16);
constexpr char const* own_program_link = "/proc/self/exe";

}  // namespace

bool executes_or_maps(FileIdentity const& file) {
    if (identify(AT_FDCWD, own_program_link, 0) == file) return true;
    auto const maps = read_file("/proc/self/maps", most_maps);
    if (!maps) return false;
    auto text = as_text(*maps);
    std::string last;
    while (!text.empty()) {
        auto const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        auto const at = line.find('/');
        if (at == std::string_view::npos || line.substr(at) == last) continue;
        last = line.substr(at);
        if (identify(AT_FDCWD, last.c_str(), 0) == file) return true;
    }
    return false;
}

bool runs_own_program(int process) {
    auto const own = identify(AT_FDCWD, own_program_link, 0);
    return own && identify(process, "exe", 0) == own;
}

}  // namespace lull::subscriber
