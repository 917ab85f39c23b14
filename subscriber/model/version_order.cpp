#include "subscriber/model/version_order.hpp"

#include <charconv>
#include <cstdint>
#include <vector>

namespace lull::subscriber {

namespace {

std::vector<std::uint64_t> numbers_of(std::string_view text) {
    std::vector<std::uint64_t> numbers;
    for (;;) {
        std::uint64_t number = 0;
        auto const [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (problem != std::errc()) break;
        numbers.push_back(number);
        text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
        if (!text.starts_with('.')) break;
        text.remove_prefix(1);
    }
    while (!numbers.empty() && numbers.back() == 0) numbers.pop_back();  // 1.0 is 1
    return numbers;
}

}  // namespace

bool is_newer_version(std::string_view one, std::string_view other) { return numbers_of(one) > numbers_of(other); }

}  // namespace lull::subscriber
