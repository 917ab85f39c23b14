#include <algorithm>
#include <functional>

#include "store/address_delta.hpp"
#include "store/address_delta_format.hpp"
#include "store/block_finder.hpp"
#include "store/block_walk.hpp"
#include "store/compression.hpp"

namespace lull::store {

namespace {

using namespace address_delta;

// What a delta is made from.
struct Sides {
    View base;
    AddressSpace const& old_space;
    View plain;
    AddressSpace const& new_space;
};

// Knows the new bytes, and only lets them be learnt.
class Learner {
public:
    explicit Learner(View plain) : plain_(plain) {}
    void copy(std::uint32_t, std::uint32_t, std::uint32_t) {}
    std::uint32_t operand(std::uint32_t, std::uint32_t to, std::uint32_t) { return read_word(plain_, to); }

private:
    View plain_;
};

// ---- which blocks ----

// The bytes with their operands replaced: `write(mode, operand)` gives what to put there.
template <class Write>
Buffer replace_operands(View bytes, AddressSpace const& space, OperandMode words, Write const& write) {
    auto changed = to_buffer(bytes);
    for (auto const& place : space.places()) {
        auto const mode = place.is_code(place.address) ? OperandMode::x86_64 : words;
        for_each_operand(bytes, place.offset, place.end, mode, space, [&](Place const&, Operand const& operand) {
            write_word(changed, operand.at, write(operand));
        });
    }
    return changed;
}

// At first code without its operands, as nothing is known of where they have gone.
std::optional<std::vector<CopyBlock>> find_first_blocks(Sides const& sides, std::stop_token const& stop) {
    auto const nothing = [](Operand const&) { return 0U; };
    auto const old_masked = replace_operands(sides.base, sides.old_space, OperandMode::none, nothing);
    auto const new_masked = replace_operands(sides.plain, sides.new_space, OperandMode::none, nothing);
    return find_blocks(old_masked, new_masked, stop);
}

// Then with what their targets have become.
std::optional<std::vector<CopyBlock>> refine_blocks(Sides const& sides, std::vector<CopyBlock> blocks,
                                                    std::stop_token const& stop) {
    BlockMap const map(blocks, sides.base.size());
    Learner learner(sides.plain);
    BlockWalk walk(sides.base, sides.old_space, sides.new_space, map, learner);
    for (auto& block : blocks) {
        auto const* const place = sides.old_space.place_at(block.from);
        if (place == nullptr) continue;
        block.mode = place->is_code(place->address) ? OperandMode::x86_64 : OperandMode::absolute;
        walk.walk(block);
    }
    auto const old_bytes = replace_operands(
        sides.base, sides.old_space, OperandMode::absolute,
        [&](Operand const& operand) { return static_cast<std::uint32_t>(walk.predictor().predict(operand.target)); });
    auto const new_bytes = replace_operands(
        sides.plain, sides.new_space, OperandMode::absolute,
        [](Operand const& operand) { return static_cast<std::uint32_t>(operand.target); });
    return find_blocks(old_bytes, new_bytes, stop);
}

// As many as any delta may have.
std::vector<CopyBlock> keep_longest(std::vector<CopyBlock> blocks) {
    if (blocks.size() <= most_blocks) return blocks;
    std::vector<std::uint32_t> lengths;
    for (auto const& block : blocks) lengths.push_back(block.length);
    auto const last = lengths.begin() + static_cast<std::ptrdiff_t>(most_blocks);
    std::ranges::nth_element(lengths, last, std::greater<>());
    std::erase_if(blocks, [least = *last](CopyBlock const& block) { return block.length <= least; });
    return blocks;
}

// ---- which modes ----

constexpr std::uint32_t chunk = 256;  // bytes of a block that have one mode

// What the differences of each chunk cost, roughly, in eighths of a byte.
class CostCounter {
public:
    CostCounter(Sides const& sides, std::vector<std::uint32_t>& costs) : sides_(sides), costs_(costs) {}

    void begin(CopyBlock const& block, std::size_t first) {
        to_ = block.to;
        first_ = first;
    }
    void copy(std::uint32_t from, std::uint32_t to, std::uint32_t length) {
        for (std::uint32_t i = 0; i < length; ++i) {
            if (sides_.base[from + i] != sides_.plain[to + i]) cost(to + i) += 12;
        }
    }
    std::uint32_t operand(std::uint32_t, std::uint32_t to, std::uint32_t predicted) {
        auto const value = read_word(sides_.plain, to);
        if (value != predicted) cost(to) += 28;
        return value;
    }

private:
    std::uint32_t& cost(std::uint32_t to) { return costs_[first_ + (to - to_) / chunk]; }

    Sides const& sides_;
    std::vector<std::uint32_t>& costs_;
    std::uint32_t to_ = 0;
    std::size_t first_ = 0;
};

std::size_t chunks_of(CopyBlock const& block) { return (block.length + chunk - 1) / chunk; }

using ModeCosts = std::array<std::vector<std::uint32_t>, operand_modes>;

ModeCosts count_costs(Sides const& sides, std::vector<CopyBlock> blocks, std::stop_token const& stop) {
    ModeCosts costs;
    BlockMap const map(blocks, sides.base.size());
    std::size_t all = 0;
    for (auto const& block : blocks) all += chunks_of(block);
    for (std::size_t mode = 0; mode < operand_modes; ++mode) {
        costs[mode].resize(all);
        if (stop.stop_requested()) continue;
        CostCounter counter(sides, costs[mode]);
        BlockWalk walk(sides.base, sides.old_space, sides.new_space, map, counter);
        std::size_t first = 0;
        for (auto& block : blocks) {
            block.mode = static_cast<OperandMode>(mode);
            counter.begin(block, first);
            walk.walk(block);
            first += chunks_of(block);
        }
    }
    return costs;
}

// The cheapest modes for the chunks of a block, one after the other (Viterbi), with a price for each change.
std::vector<OperandMode> cheapest_modes(ModeCosts const& costs, std::size_t first, std::size_t count) {
    constexpr std::uint32_t change = 64;
    std::vector<std::array<std::uint8_t, operand_modes>> before(count);
    std::array<std::uint32_t, operand_modes> sums{};
    for (std::size_t i = 0; i < count; ++i) {
        auto const best = static_cast<std::size_t>(std::ranges::min_element(sums) - sums.begin());
        auto const with_change = sums[best] + (i == 0 ? 0 : change);
        for (std::size_t mode = 0; mode < operand_modes; ++mode) {
            bool const changes = with_change < sums[mode];
            before[i][mode] = static_cast<std::uint8_t>(changes ? best : mode);
            sums[mode] = std::min(sums[mode], with_change) + costs[mode][first + i];
        }
    }
    std::vector<OperandMode> modes(count);
    auto mode = static_cast<std::uint8_t>(std::ranges::min_element(sums) - sums.begin());
    for (auto i = count; i > 0; --i) {
        modes[i - 1] = static_cast<OperandMode>(mode);
        mode = before[i - 1][mode];
    }
    return modes;
}

// The same blocks, cut where their mode changes; anyhow if it was stopped.
std::vector<CopyBlock> with_modes(Sides const& sides, std::vector<CopyBlock> const& blocks,
                                  std::stop_token const& stop) {
    auto const costs = count_costs(sides, blocks, stop);
    std::vector<CopyBlock> cut;
    std::size_t first = 0;
    for (auto const& block : blocks) {
        auto const modes = cheapest_modes(costs, first, chunks_of(block));
        first += modes.size();
        for (std::uint32_t i = 0; i < modes.size(); ++i) {
            auto const begin = i * chunk;
            auto const length = std::min(chunk, block.length - begin);
            if (i > 0 && modes[i] == modes[i - 1]) {
                cut.back().length += length;
            } else {
                cut.push_back({block.from + begin, block.to + begin, length, modes[i]});
            }
        }
    }
    return cut;
}

// ---- what is written ----

// What is not as foreseen.
class Recorder {
public:
    Recorder(View base, View plain) : base_(base), plain_(plain) {}

    void copy(std::uint32_t from, std::uint32_t to, std::uint32_t length) {
        for (std::uint32_t i = 0; i < length;) {
            auto const equal = common_length(base_.subspan(from + i, length - i), plain_.subspan(to + i, length - i));
            equal_bytes_ += equal;
            i += equal;
            if (i == length) break;
            put_varint(byte_gaps, std::exchange(equal_bytes_, 0));
            bytes.push_back(static_cast<std::byte>(std::to_integer<unsigned>(plain_[to + i]) -
                                                   std::to_integer<unsigned>(base_[from + i])));
            ++i;
        }
    }
    std::uint32_t operand(std::uint32_t, std::uint32_t to, std::uint32_t predicted) {
        auto const value = read_word(plain_, to);
        if (value == predicted) {
            ++good_operands_;
        } else {
            put_varint(operand_gaps, std::exchange(good_operands_, 0));
            for (unsigned i = 0; i < 4; ++i)
                operands[i].push_back(static_cast<std::byte>((value - predicted) >> (8 * i)));
        }
        return value;
    }

    Buffer operand_gaps;
    std::array<Buffer, 4> operands;
    Buffer byte_gaps;
    Buffer bytes;

private:
    View base_;
    View plain_;
    std::uint64_t equal_bytes_ = 0;
    std::uint64_t good_operands_ = 0;
};

Buffer sized(std::uint64_t size) {
    Buffer bytes;
    put_varint(bytes, size);
    return bytes;
}

// Each kind of number by itself: the next of a kind is like the last.
std::vector<Buffer> columns_of(std::vector<CopyBlock> const& blocks) {
    std::vector<Buffer> columns(5);
    put_varint(columns[0], blocks.size());
    std::uint32_t to = 0;
    std::uint32_t from = 0;
    for (auto const& block : blocks) {
        put_varint(columns[1], block.to - to);
        put_varint(columns[2], block.length);
        put_signed(columns[3], static_cast<std::int64_t>(block.from) - static_cast<std::int64_t>(from));
        put_varint(columns[4], static_cast<std::uint64_t>(block.mode));
        to = block.to + block.length;
        from = block.from + block.length;
    }
    return columns;
}

std::vector<Buffer> side_of(Sides const& sides, std::vector<CopyBlock> const& blocks, Recorder recorder) {
    std::vector<Buffer> parts(1);
    sides.old_space.encode(parts[0]);
    sides.new_space.encode(parts[0]);
    std::ranges::move(columns_of(blocks), std::back_inserter(parts));
    parts.push_back(sized(recorder.operands[0].size()));
    std::ranges::move(recorder.operands, std::back_inserter(parts));
    parts.push_back(sized(recorder.operand_gaps.size()));
    parts.push_back(std::move(recorder.operand_gaps));
    parts.push_back(sized(recorder.bytes.size()));
    parts.push_back(std::move(recorder.bytes));
    parts.push_back(sized(recorder.byte_gaps.size()));
    parts.push_back(std::move(recorder.byte_gaps));
    return parts;
}

Buffer literals_of(View plain, std::vector<CopyBlock> const& blocks) {
    Buffer literals;
    std::size_t at = 0;
    for (auto const& block : blocks) {
        literals.insert(literals.end(), plain.begin() + static_cast<std::ptrdiff_t>(at), plain.begin() + block.to);
        at = block.to + block.length;
    }
    literals.insert(literals.end(), plain.begin() + static_cast<std::ptrdiff_t>(at), plain.end());
    return literals;
}

struct PackedLiterals {
    Buffer frame;
    bool prefixed = false;
};

// New code has next to nothing in common with the base that the blocks have not found, and looking for it there takes
// more time than all the rest; but where a segment holds other files as well, that may be most of it.
std::optional<PackedLiterals> pack_literals(View base, View literals, std::stop_token const& stop) {
    constexpr std::size_t largest_prefix = 8 << 20;
    auto alone = compress_behind({}, literals, small_level, stop);
    if (!alone || base.size() > largest_prefix)
        return alone ? std::optional(PackedLiterals{std::move(*alone), false}) : std::nullopt;
    auto prefixed = compress_behind(base, literals, small_level, stop);
    if (!prefixed) return std::nullopt;
    bool const better = prefixed->size() < alone->size();
    return PackedLiterals{std::move(better ? *prefixed : *alone), better};
}

std::optional<Buffer> write_frame(Sides const& sides, std::vector<CopyBlock> const& blocks,
                                  std::stop_token const& stop) {
    BlockMap const map(blocks, sides.base.size());
    Recorder recorder(sides.base, sides.plain);
    BlockWalk walk(sides.base, sides.old_space, sides.new_space, map, recorder);
    for (auto const& block : blocks) walk.walk(block);
    auto const side = side_of(sides, blocks, std::move(recorder));
    std::size_t side_size = 0;
    for (auto const& part : side) side_size += part.size();
    if (side_size > sides.plain.size()) return std::nullopt;
    auto const literals = literals_of(sides.plain, blocks);
    auto const side_frame = compress_parts(side);
    auto const packed = pack_literals(sides.base, literals, stop);
    if (!packed) return std::nullopt;
    Buffer frame(magic.begin(), magic.end());
    put_varint(frame, sides.plain.size());
    put_varint(frame, side_size);
    put_varint(frame, literals.size());
    put_varint(frame, packed->prefixed ? 1 : 0);
    put_varint(frame, side_frame.size());
    frame.insert(frame.end(), side_frame.begin(), side_frame.end());
    frame.insert(frame.end(), packed->frame.begin(), packed->frame.end());
    bool const good = side_size + blocks.size() * room_of_block <= most_room(sides.plain.size(), frame.size());
    return good ? std::optional(std::move(frame)) : std::nullopt;
}

}  // namespace

std::optional<Buffer> make_address_delta(View base, AddressSpace const& old_space, View plain,
                                         AddressSpace const& new_space, std::stop_token const& stop) {
    Sides const sides{base, old_space, plain, new_space};
    auto blocks = find_first_blocks(sides, stop);
    if (blocks) blocks = refine_blocks(sides, std::move(*blocks), stop);
    if (blocks) blocks = with_modes(sides, keep_longest(std::move(*blocks)), stop);
    return blocks ? write_frame(sides, keep_longest(std::move(*blocks)), stop) : std::nullopt;
}

}  // namespace lull::store
