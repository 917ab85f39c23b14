#include "subscriber/proc/proc_files.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>

namespace lull::subscriber {

FileDescriptor open_at(int directory, char const* name, int flags) {
    return FileDescriptor(openat(directory, name, flags | O_CLOEXEC));
}

std::string read_some(int directory, char const* name, std::size_t limit) {
    auto const file = open_at(directory, name, O_RDONLY);
    std::string text(file.valid() ? limit : 0, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        auto const got = read(file.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

std::optional<std::uint64_t> take_number(std::string_view& text, int base) {
    std::uint64_t value = 0;
    auto const [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (problem != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return value;
}

bool each_name(FileDescriptor directory, std::function<void(char const*)> const& visit) {
    std::unique_ptr<DIR, int (*)(DIR*)> const stream(fdopendir(directory.get()), closedir);
    if (!stream) return false;
    static_cast<void>(directory.release());
    errno = 0;
    while (dirent const* const entry = readdir(stream.get())) {
        visit(entry->d_name);
        errno = 0;
    }
    return errno == 0;
}

}  // namespace lull::subscriber
