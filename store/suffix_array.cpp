#include "store/suffix_array.hpp"

#include <divsufsort.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace lull::store {

namespace {

constexpr std::size_t pairs = 1 << 16;

std::size_t pair_at(View bytes, std::size_t at) {
    return std::to_integer<std::size_t>(bytes[at]) << 8 | std::to_integer<std::size_t>(bytes[at + 1]);
}

}  // namespace

std::uint32_t common_length(View a, View b) {
    auto const most = std::min(a.size(), b.size());
    std::size_t at = 0;
    for (; at + 8 <= most; at += 8) {
        std::uint64_t x = 0;
        std::uint64_t y = 0;
        std::memcpy(&x, a.data() + at, 8);
        std::memcpy(&y, b.data() + at, 8);
        if (x != y) return static_cast<std::uint32_t>(at + static_cast<unsigned>(std::countr_zero(x ^ y)) / 8);
    }
    while (at < most && a[at] == b[at]) ++at;
    return static_cast<std::uint32_t>(at);
}

SuffixArray::SuffixArray(View bytes) : bytes_(bytes), order_(bytes.size()), first_(pairs + 1) {
    auto const* const text = reinterpret_cast<sauchar_t const*>(bytes.data());
    LULL_INVARIANT(bytes.empty() || divsufsort(text, order_.data(), static_cast<saidx_t>(bytes.size())) == 0);
    for (std::size_t at = 0; at + 1 < bytes.size(); ++at) ++first_[pair_at(bytes, at) + 1];
    // The suffix of one byte stands before all that begin with this byte.
    if (!bytes.empty()) ++first_[std::to_integer<std::size_t>(bytes.back()) << 8];
    for (std::size_t i = 1; i <= pairs; ++i) first_[i] += first_[i - 1];
}

Match SuffixArray::longest(View pattern) const {
    if (pattern.size() < 2 || bytes_.size() < 2) return {};
    auto const pair = pair_at(pattern, 0);
    std::size_t low = first_[pair];
    std::size_t high = first_[pair + 1];
    std::uint32_t low_common = 0;
    std::uint32_t high_common = 0;
    Match best;
    while (low < high) {
        auto const middle = low + (high - low) / 2;
        auto const at = static_cast<std::size_t>(order_[middle]);
        auto const skip = std::min(
            {static_cast<std::size_t>(std::min(low_common, high_common)), bytes_.size() - at, pattern.size()});
        auto const common = static_cast<std::uint32_t>(skip) +
                            common_length(bytes_.subspan(at + skip), pattern.subspan(skip));
        if (common > best.length) best = {static_cast<std::uint32_t>(at), common};
        if (common == pattern.size()) break;
        if (at + common == bytes_.size() || bytes_[at + common] < pattern[common]) {
            low = middle + 1;
            low_common = common;
        } else {
            high = middle;
            high_common = common;
        }
    }
    return best;
}

}  // namespace lull::store
