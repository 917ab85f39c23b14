#include "publisher/tree/name_encoding.hpp"

#include "core/text.hpp"

namespace lull::publisher {

namespace {

// Code page 437 from 0x80 on.
constexpr std::string_view upper_half =
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ"
    "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀"
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

std::string_view character(std::size_t number) {
    std::size_t begin = 0;
    for (std::size_t left = number + 1; begin < upper_half.size(); ++begin)
        if (begins_character(upper_half[begin]) && --left == 0) break;
    auto end = begin + 1;
    while (end < upper_half.size() && !begins_character(upper_half[end])) ++end;
    return upper_half.substr(begin, end - begin);
}

}  // namespace

std::string utf8_name_of_zip(std::string_view name) {
    if (is_utf8(name)) return std::string(name);
    std::string text;
    for (char const byte : name) {
        auto const code = static_cast<unsigned char>(byte);
        if (code < 0x80) {
            text += byte;
        } else {
            text += character(code - 0x80U);
        }
    }
    return text;
}

}  // namespace lull::publisher
