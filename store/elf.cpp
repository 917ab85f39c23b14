#include "store/elf.hpp"

#include <cstring>

namespace lull::store {

namespace {

template <class T>
T read(View bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

constexpr std::size_t header_size = 64;
constexpr std::size_t entry_size = 56;
constexpr std::uint16_t x86_64 = 62;
constexpr std::uint32_t loaded = 1;
constexpr std::uint32_t executable = 1;

}  // namespace

std::vector<LoadedPart> read_elf(View beginning) {
    constexpr std::string_view magic(
        "\x7f"
        "ELF\x02\x01",
        6);
    if (beginning.size() < header_size || as_text(beginning.first(magic.size())) != magic) return {};
    if (read<std::uint16_t>(beginning, 18) != x86_64 || read<std::uint16_t>(beginning, 54) != entry_size) return {};
    auto const table = read<std::uint64_t>(beginning, 32);
    auto const count = read<std::uint16_t>(beginning, 56);
    if (table > beginning.size() || count > (beginning.size() - table) / entry_size) return {};
    std::vector<LoadedPart> parts;
    for (std::size_t i = 0; i < count; ++i) {
        auto const entry = beginning.subspan(table + i * entry_size, entry_size);
        if (read<std::uint32_t>(entry, 0) != loaded) continue;
        parts.push_back({read<std::uint64_t>(entry, 8), read<std::uint64_t>(entry, 16), read<std::uint64_t>(entry, 32),
                         read<std::uint64_t>(entry, 40), (read<std::uint32_t>(entry, 4) & executable) != 0});
    }
    return parts;
}

}  // namespace lull::store
