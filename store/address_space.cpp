#include "store/address_space.hpp"

#include <algorithm>
#include <numeric>

namespace lull::store {

namespace {

constexpr unsigned executable_bit = 1;
constexpr unsigned at_hand_bit = 2;

bool makes_sense(AddressRange const& range) {
    return range.size > 0 && range.address <= AddressSpace::address_mask &&
           range.size <= AddressSpace::address_mask - range.address;
}

struct Extent {
    std::uint64_t low = ~std::uint64_t{0};
    std::uint64_t high = 0;

    void include(AddressRange const& range) {
        low = std::min(low, range.address);
        high = std::max(high, range.address + range.size);
    }
    [[nodiscard]] std::uint64_t length() const { return high > low ? high - low : 0; }
};

}  // namespace

AddressSpace::AddressSpace(std::vector<Module> modules, std::size_t size) : modules_(std::move(modules)) {
    for (std::size_t i = 0; i < modules_.size(); ++i) {
        auto const bias = std::uint64_t{i} << module_shift;
        auto& ranges = modules_[i].ranges;
        std::erase_if(ranges, [&](AddressRange const& range) {
            return !makes_sense(range) || (range.offset && (*range.offset > size || range.size > size - *range.offset));
        });
        Extent all;
        Extent code;
        for (auto const& range : ranges) {
            all.include(range);
            if (range.executable) code.include(range);
        }
        for (auto const& range : ranges) {
            if (!range.offset) continue;
            auto const end = *range.offset + static_cast<std::uint32_t>(range.size);
            places_.push_back({bias + range.address, *range.offset, end, bias + all.low, all.length(),
                               code.length() == 0 ? 0 : bias + code.low, code.length()});
        }
    }
    std::ranges::stable_sort(places_, {}, &Place::offset);
    std::uint32_t covered = 0;
    std::erase_if(places_, [&](Place const& place) {
        if (place.offset < covered) return true;
        covered = place.end;
        return false;
    });
    by_address_.resize(places_.size());
    std::iota(by_address_.begin(), by_address_.end(), 0U);
    std::ranges::stable_sort(by_address_, {}, [&](std::uint32_t index) { return places_[index].address; });
}

Place const* AddressSpace::place_at(std::uint32_t offset) const {
    auto const next = std::ranges::upper_bound(places_, offset, {}, &Place::offset);
    if (next == places_.begin()) return nullptr;
    auto const& place = *(next - 1);
    return place.holds(offset) ? &place : nullptr;
}

Place const* AddressSpace::place_of(std::uint64_t address) const {
    auto const next = std::ranges::upper_bound(by_address_, address, {},
                                               [&](std::uint32_t index) { return places_[index].address; });
    if (next == by_address_.begin()) return nullptr;
    auto const& place = places_[*(next - 1)];
    return address - place.address < place.end - place.offset ? &place : nullptr;
}

void AddressSpace::encode(Buffer& bytes) const {
    put_varint(bytes, modules_.size());
    for (auto const& module : modules_) {
        put_varint(bytes, module.ranges.size());
        for (auto const& range : module.ranges) {
            put_varint(bytes, (range.executable ? executable_bit : 0) | (range.offset ? at_hand_bit : 0));
            put_varint(bytes, range.address);
            put_varint(bytes, range.size);
            if (range.offset) put_varint(bytes, *range.offset);
        }
    }
}

AddressSpace AddressSpace::decode(VarintReader& reader, std::size_t size) {
    std::vector<Module> modules(reader.next(most_modules));
    std::size_t total = 0;
    for (auto& module : modules) {
        auto const count = reader.next(most_ranges - total);
        total += count;
        for (std::size_t i = 0; i < count && reader.good(); ++i) {
            auto const bits = reader.next(executable_bit | at_hand_bit);
            AddressRange range{reader.next(address_mask), reader.next(address_mask), {}, (bits & executable_bit) != 0};
            if ((bits & at_hand_bit) != 0) range.offset = static_cast<std::uint32_t>(reader.next(size));
            module.ranges.push_back(range);
        }
    }
    return {std::move(modules), size};
}

}  // namespace lull::store
