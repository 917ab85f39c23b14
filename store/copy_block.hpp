#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "store/operands.hpp"

namespace lull::store {

// New bytes that are much like old ones.
struct CopyBlock {
    std::uint32_t from = 0;  // offset of the old ones
    std::uint32_t to = 0;    // of the new ones
    std::uint32_t length = 0;
    OperandMode mode = OperandMode::none;
};

// Where old bytes have gone. Where several blocks have taken the same bytes, the longest decides.
class BlockMap {
public:
    // The blocks lie within `size` old bytes.
    BlockMap(std::vector<CopyBlock> const& blocks, std::size_t size);

    [[nodiscard]] std::optional<std::uint32_t> find(std::uint32_t from) const;

private:
    struct Piece {
        std::uint32_t from = 0;
        std::uint32_t end = 0;
        std::uint32_t shift = 0;  // modulo 2^32
    };
    void add(Piece const& piece);

    std::vector<Piece> pieces_;         // ascending, apart from each other
    std::vector<std::uint32_t> first_;  // by 1 KiB of old bytes: the first piece that ends behind its beginning
};

}  // namespace lull::store
