#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "store/address_space.hpp"

// Where programs name addresses. Both ends of a delta have to find the same operands in the same old bytes: whatever
// changes here changes the format (schema/PROTOCOL.md, section 4).

namespace lull::store {

// What the bytes of a block are taken for.
enum class OperandMode : std::uint8_t {
    none,      // anything
    x86_64,    // instructions: displacements of 32 bits in calls, jumps, and operands relative to the instruction
    relative,  // distances of 32 bits from themselves to code: .eh_frame, and, roughly, tables of jumps
    absolute,  // addresses below 4 GiB in 64 bits: .rela.dyn, .data.rel.ro
    offsets,   // numbers of 32 bits that count from some beginning: the tables of Go's linker
    rows4,     // numbers of 32 bits, each of which changes by as much as the one so many bytes before it
    rows8,
    rows12,
    rows16,
    rows24,
};
inline constexpr std::size_t operand_modes = 10;

// The number of bytes between two numbers of one column; 0: the mode has no columns.
[[nodiscard]] constexpr std::uint32_t row_of(OperandMode mode) {
    constexpr std::array<std::uint8_t, operand_modes> rows{0, 0, 0, 0, 0, 4, 8, 12, 16, 24};
    return rows[static_cast<std::size_t>(mode)];
}

[[nodiscard]] inline std::uint32_t read_word(View bytes, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
    return value;
}

inline void write_word(std::span<std::byte> bytes, std::size_t at, std::uint32_t value) {
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

// What an operand of 32 bits at this address points to, and back. Addresses of other modules than that of the operand
// are not meant.
[[nodiscard]] constexpr std::uint64_t target_of(OperandMode mode, std::uint64_t address, std::uint32_t value) {
    constexpr std::uint64_t offsets_at = std::uint64_t{1} << (AddressSpace::module_shift - 1);
    auto const distance = static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(value)));
    switch (mode) {
        case OperandMode::x86_64: return address + 4 + distance;
        case OperandMode::relative: return address + distance;
        case OperandMode::absolute: return (address & ~AddressSpace::address_mask) + value;
        default: return (address & ~AddressSpace::address_mask) + offsets_at + value;
    }
}

[[nodiscard]] constexpr std::uint32_t value_for(OperandMode mode, std::uint64_t address, std::uint64_t target) {
    switch (mode) {
        case OperandMode::x86_64: return static_cast<std::uint32_t>(target - address - 4);
        case OperandMode::relative: return static_cast<std::uint32_t>(target - address);
        default: return static_cast<std::uint32_t>(target);
    }
}

namespace x86_64 {

enum class Opcode : std::uint8_t { other, branch, two_bytes, vex2, vex3, modrm };

// By the first byte: whether a displacement may follow, and where.
inline constexpr std::array<Opcode, 256> opcodes = [] {
    std::array<Opcode, 256> all{};
    for (unsigned const byte :
         {0x01, 0x03, 0x09, 0x0b, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33, 0x38, 0x39, 0x3a,
          0x3b, 0x63, 0x69, 0x6b, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8d, 0xc6,
          0xc7, 0xd1, 0xd3, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xf6, 0xf7, 0xfe, 0xff}) {
        all[byte] = Opcode::modrm;
    }
    all[0xe8] = Opcode::branch;
    all[0xe9] = Opcode::branch;
    all[0x0f] = Opcode::two_bytes;
    all[0xc5] = Opcode::vex2;
    all[0xc4] = Opcode::vex3;
    return all;
}();

[[nodiscard]] constexpr bool is_relative_to_instruction(std::byte modrm) {
    return (modrm & std::byte{0xc7}) == std::byte{0x05};
}

// Where behind `at` an operand may begin, by the bytes from there on, of which ten are read; 0: nowhere. And whether it
// leads to code.
struct Shape {
    std::uint8_t operand = 0;
    bool branch = false;
};
[[nodiscard]] inline Shape shape_of(std::byte const* at) {
    auto const byte = [&](std::size_t i) { return std::to_integer<unsigned>(at[i]); };
    switch (opcodes[byte(0)]) {
        case Opcode::other: return {};
        case Opcode::branch: return {1, true};
        case Opcode::modrm: return is_relative_to_instruction(at[1]) ? Shape{2, false} : Shape{};
        case Opcode::two_bytes:
            if ((byte(1) & 0xf0) == 0x80) return {2, true};
            if (byte(1) == 0x38 || byte(1) == 0x3a)
                return is_relative_to_instruction(at[3]) ? Shape{4, false} : Shape{};
            return is_relative_to_instruction(at[2]) ? Shape{3, false} : Shape{};
        case Opcode::vex2: return is_relative_to_instruction(at[3]) ? Shape{4, false} : Shape{};
        case Opcode::vex3: return is_relative_to_instruction(at[4]) ? Shape{5, false} : Shape{};
    }
    return {};
}

}  // namespace x86_64

// An operand of 32 bits in old bytes.
struct Operand {
    std::uint32_t at = 0;
    std::uint64_t target = 0;  // as target_of() says; 0 in a column
};

// Calls take(Operand) for each in [begin, end), ascending, none overlapping another, all of them in one place.
template <class Take>
void scan_code(View bytes, std::uint32_t begin, std::uint32_t end, Place const& place, Take const& take) {
    constexpr std::uint32_t longest = 10;  // bytes that shape_of() may look at, with the operand
    if (end - begin < longest) return;
    for (auto at = begin; at <= end - longest;) {
        auto const shape = x86_64::shape_of(bytes.data() + at);
        if (shape.operand != 0) {
            auto const field = at + shape.operand;
            auto const target = target_of(OperandMode::x86_64, place.address_of(field), read_word(bytes, field));
            if (shape.branch ? place.is_code(target) : place.is_address(target)) {
                take(Operand{field, target});
                at = field + 4;
                continue;
            }
        }
        ++at;
    }
}

template <class Take>
void scan_words(View bytes, std::uint32_t begin, std::uint32_t end, Place const& place, OperandMode mode,
                Take const& take) {
    constexpr std::uint32_t least = 0x1000;  // smaller numbers are hardly ever addresses
    std::uint32_t const step = mode == OperandMode::absolute ? 8 : 4;
    auto const misaligned = static_cast<std::uint32_t>(place.address_of(begin) % step);
    for (std::uint64_t at = begin + (step - misaligned) % step; at + step <= end; at += step) {
        auto const field = static_cast<std::uint32_t>(at);
        auto const value = read_word(bytes, field);
        auto const target = target_of(mode, place.address_of(field), value);
        bool good = true;
        if (mode == OperandMode::relative) good = place.is_code(target);
        if (mode == OperandMode::absolute)
            good = value >= least && read_word(bytes, field + 4) == 0 && place.is_address(target);
        if (mode == OperandMode::offsets) good = value >= 16 && value < (1U << 28);
        if (good) take(Operand{field, row_of(mode) == 0 ? target : 0});
    }
}

// The same for [begin, end) of any old bytes: take(Place, Operand).
template <class Take>
void for_each_operand(View bytes, std::uint32_t begin, std::uint32_t end, OperandMode mode, AddressSpace const& space,
                      Take const& take) {
    if (mode == OperandMode::none) return;
    auto const& places = space.places();
    auto place = std::ranges::upper_bound(places, begin, {}, &Place::offset);
    if (place != places.begin() && (place - 1)->holds(begin)) --place;
    for (; place != places.end() && place->offset < end; ++place) {
        auto const from = std::max(begin, place->offset);
        auto const until = std::min(end, place->end);
        auto const with_place = [&](Operand const& operand) { take(*place, operand); };
        if (mode == OperandMode::x86_64) {
            scan_code(bytes, from, until, *place, with_place);
        } else {
            scan_words(bytes, from, until, *place, mode, with_place);
        }
    }
}

}  // namespace lull::store
