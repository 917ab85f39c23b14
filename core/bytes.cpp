#include "core/bytes.hpp"

#include <cstring>
#include <optional>

namespace lull {

namespace {

std::optional<unsigned> digit_value(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A') + 10;
    return std::nullopt;
}

}  // namespace

bool is_zero(View bytes) {
    // Equal to itself from its second byte on: each byte is the one before.
    return bytes.empty() ||
           (bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::string to_hex(View bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (std::byte const byte : bytes) {
        auto const value = std::to_integer<unsigned>(byte);
        text.push_back(digits[value >> 4]);
        text.push_back(digits[value & 15]);
    }
    return text;
}

Result<Buffer> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return fail(Fault::damaged, "cannot read hexadecimal text: {} digits, and two make a byte", text.size());
    }
    Buffer bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        auto const high = digit_value(text[i]);
        auto const low = digit_value(text[i + 1]);
        if (!high || !low) {
            return fail(Fault::damaged, "cannot read hexadecimal text: position {} is not 0-9, a-f or A-F",
                        high ? i + 1 : i);
        }
        bytes.push_back(static_cast<std::byte>(*high << 4 | *low));
    }
    return bytes;
}

}  // namespace lull
