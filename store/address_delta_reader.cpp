#include <algorithm>
#include <cstring>

#include "store/address_delta.hpp"
#include "store/address_delta_format.hpp"
#include "store/block_walk.hpp"
#include "store/compression.hpp"

namespace lull::store {

namespace {

using namespace address_delta;

struct Header {
    std::uint64_t plain = 0;
    std::uint64_t side = 0;
    std::uint64_t literals = 0;
    bool prefixed = false;  // the literals have the base as prefix
    std::uint64_t most_blocks = 0;
    View side_frame;
    View literal_frame;
};

std::optional<Header> read_header(View frame) {
    if (!is_address_delta(frame)) return std::nullopt;
    VarintReader reader(frame.subspan(magic.size()));
    Header header;
    header.plain = reader.next(limits::segment.count());
    header.side = reader.next(most_room(header.plain, frame.size()));
    header.literals = reader.next(header.plain);
    header.prefixed = reader.next(1) == 1;
    header.side_frame = reader.take(reader.next());
    header.literal_frame = reader.take(frame.size() - magic.size() - reader.at());
    if (!reader.good()) return std::nullopt;
    header.most_blocks = std::min<std::uint64_t>((most_room(header.plain, frame.size()) - header.side) / room_of_block,
                                                 most_blocks);
    return header;
}

// Which items of a long row are not as foreseen: the numbers of others before each of them.
class Exceptions {
public:
    Exceptions(View gaps, std::size_t count) : gaps_(gaps), left_(count) { step(); }

    // How many come before the next one.
    [[nodiscard]] std::uint64_t ahead() const { return ahead_; }
    void pass(std::uint64_t items) { ahead_ -= items; }
    // Goes over the next one, and gives its number.
    std::size_t take() {
        step();
        return number_++;
    }
    [[nodiscard]] bool good() const { return gaps_.good(); }

private:
    void step() {
        ahead_ = left_ == 0 ? ~std::uint64_t{0} : gaps_.next();
        if (left_ > 0) --left_;
    }
    VarintReader gaps_;
    std::size_t left_;
    std::uint64_t ahead_ = 0;
    std::size_t number_ = 0;
};

// Makes new bytes of old ones.
class Patcher {
public:
    struct Differences {
        View operand_gaps;
        std::array<View, 4> operands;  // by byte, the lowest first
        View byte_gaps;
        View bytes;
    };
    Patcher(View base, std::span<std::byte> plain, Differences const& differences)
        : base_(base),
          plain_(plain),
          differences_(differences),
          operands_(differences.operand_gaps, differences.operands[0].size()),
          bytes_(differences.byte_gaps, differences.bytes.size()) {}

    void copy(std::uint32_t from, std::uint32_t to, std::uint64_t length) {
        std::memcpy(plain_.data() + to, base_.data() + from, length);
        std::uint64_t at = to;
        while (bytes_.ahead() < length) {
            auto const equal = bytes_.ahead();
            at += equal;
            length -= equal + 1;
            auto const old = std::to_integer<unsigned>(plain_[at]);
            plain_[at++] = static_cast<std::byte>(old + std::to_integer<unsigned>(differences_.bytes[bytes_.take()]));
        }
        bytes_.pass(length);
    }
    std::uint32_t operand(std::uint32_t, std::uint32_t to, std::uint32_t predicted) {
        if (operands_.ahead() == 0) {
            auto const number = operands_.take();
            for (unsigned i = 0; i < 4; ++i)
                predicted += std::to_integer<std::uint32_t>(differences_.operands[i][number]) << (8 * i);
        } else {
            operands_.pass(1);
        }
        write_word(plain_, to, predicted);
        return predicted;
    }
    [[nodiscard]] bool good() const { return operands_.good() && bytes_.good(); }

private:
    View base_;
    std::span<std::byte> plain_;
    Differences differences_;
    Exceptions operands_;
    Exceptions bytes_;
};

// The blocks, with `literals` bytes between them and behind the last; nothing where that does not add up.
std::optional<std::vector<CopyBlock>> read_blocks(VarintReader& side, Header const& header, std::size_t base) {
    std::vector<CopyBlock> blocks(side.next(header.most_blocks));
    std::vector<std::uint32_t> skipped(blocks.size());
    for (auto& skip : skipped) skip = static_cast<std::uint32_t>(side.next(header.plain));
    for (auto& block : blocks) block.length = static_cast<std::uint32_t>(side.next(header.plain));
    std::int64_t from = 0;
    for (auto& block : blocks) {
        auto const step = side.next_signed();
        bool const inside = step >= -from && step <= static_cast<std::int64_t>(base) - from &&
                            block.length <= base - static_cast<std::uint64_t>(from + step);
        if (!inside || block.length == 0) return std::nullopt;
        block.from = static_cast<std::uint32_t>(from + step);
        from = block.from + block.length;
    }
    for (auto& block : blocks) block.mode = static_cast<OperandMode>(side.next(operand_modes - 1));
    std::uint64_t to = 0;
    std::uint64_t copied = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        to += skipped[i];
        if (to + blocks[i].length > header.plain) return std::nullopt;
        blocks[i].to = static_cast<std::uint32_t>(to);
        to += blocks[i].length;
        copied += blocks[i].length;
    }
    if (!side.good() || copied + header.literals != header.plain) return std::nullopt;
    return blocks;
}

Patcher::Differences read_differences(VarintReader& side, Header const& header) {
    Patcher::Differences differences;
    auto const operands = side.next(header.side);
    for (auto& column : differences.operands) column = side.take(operands);
    differences.operand_gaps = side.take(side.next(header.side));
    differences.bytes = side.take(side.next(header.side));
    differences.byte_gaps = side.take(side.next(header.side));
    return differences;
}

}  // namespace

bool is_address_delta(View frame) {
    return frame.size() >= magic.size() && std::ranges::equal(frame.first(magic.size()), magic);
}

std::optional<Bytes> plain_size_of_address_delta(View frame) {
    auto const header = read_header(frame);
    return header ? std::optional(Bytes(header->plain)) : std::nullopt;
}

// Blocks with what lies between them while they are read, and the map with its order and its heap; tables of targets
// and of both address spaces.
Bytes memory_of_address_delta(Bytes plain, Bytes frame) {
    static_assert(sizeof(CopyBlock) + 2 * 12 + 4 * 4 <= room_of_block);
    constexpr Bytes of_tables = KiB(1984);
    auto const room = most_room(plain.count(), frame.count());
    return room == 0 ? Bytes() : Bytes(room) + of_tables;
}

// The literals wait at the end of the plain bytes: what is made before them never reaches those that are still to be
// used.
Status apply_address_delta(View base, View frame, std::span<std::byte> plain) {
    auto const header = read_header(frame);
    if (!header) return fail(Fault::damaged, "its header makes no sense");
    if (header->plain != plain.size()) return fail(Fault::damaged, "it gives another size");
    Buffer side_bytes(header->side);
    if (auto done = decompress_behind({}, header->side_frame, side_bytes); !done) return done;
    VarintReader side(side_bytes);
    auto const old_space = AddressSpace::decode(side, base.size());
    auto const new_space = AddressSpace::decode(side, plain.size());
    auto const blocks = read_blocks(side, *header, base.size());
    if (!blocks) return fail(Fault::damaged, "its blocks make no sense");
    auto const differences = read_differences(side, *header);
    if (!side.finished()) return fail(Fault::damaged, "its differences make no sense");
    auto literals = plain.last(header->literals);
    if (auto done = decompress_behind(header->prefixed ? base : View(), header->literal_frame, literals); !done)
        return done;
    BlockMap const map(*blocks, base.size());
    Patcher patcher(base, plain, differences);
    BlockWalk walk(base, old_space, new_space, map, patcher);
    std::size_t done = 0;
    auto const take_literals = [&](std::size_t until) {
        if (until > done) std::memmove(plain.data() + done, literals.data(), until - done);
        literals = literals.subspan(until - done);
        done = until;
    };
    for (auto const& block : *blocks) {
        take_literals(block.to);
        walk.walk(block);
        done += block.length;
    }
    take_literals(plain.size());
    if (!patcher.good()) return fail(Fault::damaged, "its differences make no sense");
    return {};
}

}  // namespace lull::store
