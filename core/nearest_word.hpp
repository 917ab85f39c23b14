#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lull {

// How many letters have to be inserted, removed, replaced or swapped with their neighbour to make `b` of `a`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that a mistyped word most likely meant; none if nothing is near.
[[nodiscard]] std::optional<std::string> nearest_word(std::string_view word,
                                                      std::vector<std::string> const& candidates);

}  // namespace lull
