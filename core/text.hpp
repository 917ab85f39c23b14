#pragma once

#include <string>
#include <string_view>

// Text from outside: whether it is text, and how to show it.

namespace lull {

// Whether these bytes are UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text);

// Whether there is a control character in it: U+0000 to U+001F, U+007F to U+009F.
[[nodiscard]] bool has_controls(std::string_view text);

// 'text' in quotes for an error message: control characters and bytes that are no UTF-8 as \xNN, and cut after about
// `most` bytes, so that it cannot disturb a terminal or a log.
[[nodiscard]] std::string quoted(std::string_view text, std::size_t most = 100);

}  // namespace lull
