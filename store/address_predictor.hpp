#pragma once

#include "store/copy_block.hpp"

namespace lull::store {

// Where the target of an old operand has gone: as it went the last two times; else by the blocks; else as the last
// time; else as far as targets nearby. Both ends of a delta have to learn the same, in the same order.
class AddressPredictor {
public:
    // All of them have to outlive this.
    AddressPredictor(AddressSpace const& old_space, AddressSpace const& new_space, BlockMap const& map)
        : old_space_(old_space),
          new_space_(new_space),
          map_(map),
          known_(1 << known_bits),
          nearby_(1 << nearby_bits) {}

    [[nodiscard]] std::uint64_t predict(std::uint64_t target) const {
        auto const& known = known_[known_slot(target)];
        bool const is_known = known.target == target;
        if (is_known && known.confirmed) return known.translated;
        if (auto const mapped = map(target)) return *mapped;
        if (is_known) return known.translated;
        auto const& nearby = nearby_[nearby_slot(target)];
        return target + (nearby.page == page_of(target) ? nearby.shift : last_shift_);
    }
    void learn(std::uint64_t target, std::uint64_t translated) {
        auto& known = known_[known_slot(target)];
        known = {target, translated, known.target == target && known.translated == translated};
        last_shift_ = translated - target;
        nearby_[nearby_slot(target)] = {page_of(target), last_shift_};
    }

private:
    static constexpr unsigned known_bits = 16;
    static constexpr unsigned nearby_bits = 12;
    static constexpr unsigned page_shift = 12;
    static constexpr std::uint64_t multiplier = 0x9e3779b97f4a7c15;  // Fibonacci hashing (Knuth, vol. 3, 6.4)

    struct Known {
        std::uint64_t target = 0;
        std::uint64_t translated = 0;
        bool confirmed = false;  // seen twice in a row
    };
    struct Nearby {
        std::uint64_t page = 0;
        std::uint64_t shift = 0;
    };
    static std::uint64_t page_of(std::uint64_t target) { return target >> page_shift; }
    static std::size_t known_slot(std::uint64_t target) { return target * multiplier >> (64 - known_bits); }
    static std::size_t nearby_slot(std::uint64_t target) { return page_of(target) * multiplier >> (64 - nearby_bits); }

    [[nodiscard]] std::optional<std::uint64_t> map(std::uint64_t target) const {
        auto const* const old_place = old_space_.place_of(target);
        if (old_place == nullptr) return std::nullopt;
        auto const to = map_.find(old_place->offset + static_cast<std::uint32_t>(target - old_place->address));
        auto const* const new_place = to ? new_space_.place_at(*to) : nullptr;
        if (new_place == nullptr) return std::nullopt;
        return new_place->address_of(*to);
    }

    AddressSpace const& old_space_;
    AddressSpace const& new_space_;
    BlockMap const& map_;
    std::vector<Known> known_;
    std::vector<Nearby> nearby_;
    std::uint64_t last_shift_ = 0;
};

}  // namespace lull::store
