#include "subscriber/disk/start_count.hpp"

#include <unistd.h>

#include <charconv>

namespace lull::subscriber {

unsigned StartCount::of(ReleaseId const& release) const {
    auto const bytes = read_file(file(), KiB(4));
    if (!bytes) return 0;
    auto text = as_text(*bytes);
    auto const name = release.directory_name() + ' ';
    if (!text.starts_with(name)) return 0;
    text.remove_prefix(name.size());
    unsigned count = 0;
    static_cast<void>(std::from_chars(text.data(), text.data() + text.size(), count));
    return count;
}

Status StartCount::add(ReleaseId const& release) const {
    auto const text = fmt::format("{} {}\n", release.directory_name(), of(release) + 1);
    return write_file_durably(file(), as_view(text), 0600);
}

void StartCount::clear() const { static_cast<void>(unlink(file().c_str())); }

}  // namespace lull::subscriber
