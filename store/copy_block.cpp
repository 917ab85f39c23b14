#include "store/copy_block.hpp"

#include <algorithm>
#include <numeric>
#include <queue>

namespace lull::store {

namespace {

constexpr unsigned bucket_shift = 10;

}  // namespace

// A sweep over the beginnings, with the blocks that hold the present place in a heap.
BlockMap::BlockMap(std::vector<CopyBlock> const& blocks, std::size_t size) {
    std::vector<std::uint32_t> order(blocks.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return std::pair(blocks[i].from, i); });
    auto const shorter = [&](std::uint32_t a, std::uint32_t b) {
        return std::pair(blocks[a].length, b) < std::pair(blocks[b].length, a);  // of equal ones the first decides
    };
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, decltype(shorter)> here(shorter);
    pieces_.reserve(2 * blocks.size());
    auto next = order.begin();
    std::uint32_t at = 0;
    while (next != order.end() || !here.empty()) {
        if (here.empty()) at = blocks[*next].from;
        for (; next != order.end() && blocks[*next].from == at; ++next) here.push(*next);
        auto const& longest = blocks[here.top()];
        auto const end = longest.from + longest.length;
        if (end <= at) {
            here.pop();
            continue;
        }
        auto const until = next == order.end() ? end : std::min(end, blocks[*next].from);
        add({at, until, longest.to - longest.from});
        at = until;
    }
    first_.resize((size >> bucket_shift) + 2);
    std::uint32_t piece = 0;
    for (std::size_t bucket = 0; bucket < first_.size(); ++bucket) {
        while (piece < pieces_.size() && pieces_[piece].end <= bucket << bucket_shift) ++piece;
        first_[bucket] = piece;
    }
}

void BlockMap::add(Piece const& piece) {
    bool const goes_on = !pieces_.empty() && pieces_.back().end == piece.from && pieces_.back().shift == piece.shift;
    if (goes_on) {
        pieces_.back().end = piece.end;
    } else {
        pieces_.push_back(piece);
    }
}

std::optional<std::uint32_t> BlockMap::find(std::uint32_t from) const {
    auto const bucket = from >> bucket_shift;
    if (bucket + 1 >= first_.size()) return std::nullopt;
    auto const begin = pieces_.begin() + first_[bucket];
    auto const end = pieces_.begin() + std::min<std::ptrdiff_t>(first_[bucket + 1] + 1, std::ssize(pieces_));
    auto const piece = std::partition_point(begin, end, [from](Piece const& one) { return one.end <= from; });
    if (piece == end || piece->from > from) return std::nullopt;
    return from + piece->shift;
}

}  // namespace lull::store
