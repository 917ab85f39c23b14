#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lull::test {

// A zip archive with one stored member, byte by byte (APPNOTE.TXT 4.3), so that each field can be wrong.
struct ZipBytes {
    std::string name;
    std::string contents;
    std::uint16_t flags = 0;
    std::uint32_t crc = 0;
    std::uint32_t size = 0;

    [[nodiscard]] std::string bytes() const {
        std::string const entry = number(20, 2) + number(flags, 2) + number(0, 2) + number(0, 4) + number(crc, 4) +
                                  number(size, 4) + number(size, 4) + number(name.size(), 2) + number(0, 2);
        std::string const local = "PK\x03\x04" + entry + name + contents;
        std::string const central = "PK\x01\x02" + number(20, 2) + entry + number(0, 2) + number(0, 2) + number(0, 2) +
                                    number(0, 4) + number(0, 4) + name;
        return local + central + "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2) + number(central.size(), 4) +
               number(local.size(), 4) + number(0, 2);
    }

private:
    static std::string number(std::uint64_t value, int width) {
        std::string text;
        for (int i = 0; i < width; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
        return text;
    }
};

}  // namespace lull::test
