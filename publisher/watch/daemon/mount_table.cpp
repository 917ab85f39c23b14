#include "publisher/watch/daemon/mount_table.hpp"

#include <sstream>

namespace lull::publisher::watch {

namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// Space, tab, newline and backslash are written as "\040" and so on.
std::string unescaped(std::string const& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const escape = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
                            is_octal(text[i + 3]);
        if (!escape) {
            plain += text[i];
            continue;
        }
        plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
        i += 3;
    }
    return plain;
}

bool is_at_or_below(std::string const& path, std::string const& directory) {
    return path == directory || directory == "/" || path.starts_with(directory + "/");
}

}  // namespace

Mounts mounts_below(std::string_view mountinfo, fs::path const& directory) {
    Mounts mounts;
    auto const top = directory.string();
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string id, parent, device, root, point;
        if (!(words >> id >> parent >> device >> root >> point)) continue;
        point = unescaped(point);
        auto const mount = id + " " + device;
        if (is_at_or_below(top, point)) {
            mounts[""].insert(mount);
        } else if (is_at_or_below(point, top)) {
            auto const below = point.substr(top == "/" ? 1 : top.size() + 1);
            mounts[below.substr(0, below.find('/'))].insert(mount);
        }
    }
    return mounts;
}

std::set<std::string> changed_mounts(Mounts const& before, Mounts const& after) {
    std::set<std::string> changed;
    auto const note = [&changed](Mounts const& one, Mounts const& other) {
        for (auto const& [entry, mounts] : one) {
            auto const found = other.find(entry);
            if (found == other.end() || found->second != mounts) changed.insert(entry);
        }
    };
    note(before, after);
    note(after, before);
    return changed;
}

}  // namespace lull::publisher::watch
