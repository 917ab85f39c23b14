#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace lull {

using Buffer = std::vector<std::byte>;    // owned bytes
using View = std::span<std::byte const>;  // somebody else's bytes; for parameters, never stored

[[nodiscard]] inline View as_view(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
[[nodiscard]] inline Buffer to_buffer(View bytes) { return Buffer(bytes.begin(), bytes.end()); }
[[nodiscard]] inline std::string_view as_text(View bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

// Whether every byte is zero; true of no bytes.
[[nodiscard]] bool is_zero(View bytes);

// Lower-case hexadecimal, two digits a byte.
[[nodiscard]] std::string to_hex(View bytes);

// The reverse; refuses odd lengths and anything but 0-9a-fA-F.
[[nodiscard]] Result<Buffer> from_hex(std::string_view text);

}  // namespace lull
