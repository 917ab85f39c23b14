#include "core/nearest_word.hpp"

#include <algorithm>

namespace lull {

namespace {

constexpr std::size_t longest_word = 64;  // the distance takes time in proportion to the product of the lengths

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Optimal string alignment; rows for the first i-2, i-1 and i letters of `a`.
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            bool const swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::optional<std::string> nearest_word(std::string_view word, std::vector<std::string> const& candidates) {
    if (word.size() > longest_word) return std::nullopt;
    std::optional<std::string> nearest;
    auto least = 1 + word.size() / 4;  // further away is a guess, not a typing mistake
    for (auto const& candidate : candidates) {
        auto const distance = edit_distance(word, candidate);
        if (distance > least || (nearest && distance == least)) continue;
        least = distance;
        nearest = candidate;
    }
    return nearest;
}

}  // namespace lull
