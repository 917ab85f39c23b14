#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.hpp"

// How /proc is read: from an open directory, so that a later process of the same pid is never taken for it.

namespace lull::subscriber {

// openat(2) with O_CLOEXEC added; not valid: see errno.
[[nodiscard]] FileDescriptor open_at(int directory, char const* name, int flags);

// The beginning of a file, at most `limit` bytes; empty if it cannot be read.
[[nodiscard]] std::string read_some(int directory, char const* name, std::size_t limit = 4096);

// Takes digits of `base` off the front of a text.
[[nodiscard]] std::optional<std::uint64_t> take_number(std::string_view& text, int base);

// Calls `visit` for each name in a directory; false: errno says why it could not be read to its end.
[[nodiscard]] bool each_name(FileDescriptor directory, std::function<void(char const*)> const& visit);

}  // namespace lull::subscriber
