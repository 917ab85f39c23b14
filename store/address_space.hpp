#pragma once

#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "store/varint.hpp"

namespace lull::store {

// Bytes of a program that lie one behind the other in its address space, and those among them that are at hand.
struct AddressRange {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::optional<std::uint32_t> offset{};  // of the first of them in the bytes at hand; nothing: none of them is there
    bool executable = false;
    bool operator==(AddressRange const&) const = default;
};

// One program or library.
struct Module {
    std::vector<AddressRange> ranges;
    bool operator==(Module const&) const = default;
};

// A range that is at hand, with what is worth knowing about its module. Addresses bear the number of the module above
// their 40 bits.
struct Place {
    std::uint64_t address = 0;
    std::uint32_t offset = 0;
    std::uint32_t end = 0;  // offset of the first byte behind it
    std::uint64_t low = 0;  // of all addresses of the module
    std::uint64_t extent = 0;
    std::uint64_t code_low = 0;  // of its executable ones
    std::uint64_t code_extent = 0;

    [[nodiscard]] std::uint64_t address_of(std::uint32_t at) const { return address + (at - offset); }
    [[nodiscard]] bool holds(std::uint32_t at) const { return at >= offset && at < end; }
    [[nodiscard]] bool is_address(std::uint64_t target) const { return target - low < extent; }
    [[nodiscard]] bool is_code(std::uint64_t target) const { return target - code_low < code_extent; }
};

// Where the programs that make up some bytes lie when they run.
class AddressSpace {
public:
    static constexpr unsigned module_shift = 40;
    static constexpr std::uint64_t address_mask = (std::uint64_t{1} << module_shift) - 1;
    static constexpr std::size_t most_modules = 256;
    static constexpr std::size_t most_ranges = 1024;  // of all modules

    AddressSpace() = default;
    // Ranges that overlap others in the bytes at hand, or lie beyond `size` of them, are left out.
    AddressSpace(std::vector<Module> modules, std::size_t size);

    [[nodiscard]] bool empty() const { return places_.empty(); }
    // By offset, ascending.
    [[nodiscard]] std::vector<Place> const& places() const { return places_; }
    [[nodiscard]] Place const* place_at(std::uint32_t offset) const;
    [[nodiscard]] Place const* place_of(std::uint64_t address) const;

    void encode(Buffer& bytes) const;
    // Spoils the reader where that makes no sense.
    [[nodiscard]] static AddressSpace decode(VarintReader& reader, std::size_t size);

private:
    std::vector<Module> modules_;
    std::vector<Place> places_;
    std::vector<std::uint32_t> by_address_;  // indices into places_
};

}  // namespace lull::store
