#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"

// The home of libdivsufsort.

namespace lull::store {

// Where in some bytes the longest piece of others stands.
struct Match {
    std::uint32_t at = 0;
    std::uint32_t length = 0;
};

// All suffixes of some bytes in order. Memory: four bytes for each. Making it takes about 0.1 s for 1 MiB, and cannot
// be interrupted.
class SuffixArray {
public:
    // The bytes, less than 1 GiB, stay the caller's and have to outlive this.
    explicit SuffixArray(View bytes);

    // The longest beginning of `pattern` that stands anywhere.
    [[nodiscard]] Match longest(View pattern) const;

private:
    View bytes_;
    std::vector<std::int32_t> order_;
    std::vector<std::uint32_t> first_;  // by the first two bytes of a suffix: where these begin in the order
};

// How many bytes of both are equal from the beginning on.
[[nodiscard]] std::uint32_t common_length(View a, View b);

}  // namespace lull::store
