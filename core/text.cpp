#include "core/text.hpp"

#include <fmt/format.h>

namespace lull {

namespace {

// The length of the UTF-8 sequence at the front, or 0.
std::size_t sequence_length(std::string_view text) {
    auto const at = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    auto const tail = [&](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
    unsigned const first = at(0);
    if (first < 0x80) return text.empty() ? 0 : 1;
    if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        bool const shortest = first != 0xE0 || at(1) >= 0xA0;
        bool const no_surrogate = first != 0xED || at(1) < 0xA0;
        return tail(1) && tail(2) && shortest && no_surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        bool const shortest = first != 0xF0 || at(1) >= 0x90;
        bool const in_range = first != 0xF4 || at(1) < 0x90;
        return tail(1) && tail(2) && tail(3) && shortest && in_range ? 4 : 0;
    }
    return 0;
}

// Whether the sequence at the front is a control character; those from U+0080 on begin with C2.
bool is_control(std::string_view sequence) {
    auto const first = static_cast<unsigned char>(sequence[0]);
    if (first < 0x20 || first == 0x7F) return true;
    return first == 0xC2 && sequence.size() > 1 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        auto const length = sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

bool has_controls(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_control(text.substr(i))) return true;
    }
    return false;
}

std::string quoted(std::string_view text, std::size_t most) {
    std::string out = "'";
    while (!text.empty() && out.size() <= most) {
        auto const length = sequence_length(text);
        auto const sequence = text.substr(0, length == 0 ? 1 : length);
        bool const plain = length != 0 && !is_control(sequence) && sequence != "'" && sequence != "\\";
        for (char const c : sequence) {
            out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
        text.remove_prefix(sequence.size());
    }
    return out + (text.empty() ? "'" : "...'");
}

}  // namespace lull
