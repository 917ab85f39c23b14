#include "store/anchors.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

namespace lull::store {

namespace {

constexpr unsigned zero_bits = 12;
constexpr std::uint64_t window = 64;  // bytes that a hash depends on: one bit is shifted out with each

// Fixed random numbers: splitmix64 (Steele et al., 2014). Both sides of a comparison use the same ones; nobody else
// sees them.
constexpr std::array<std::uint64_t, 256> make_gear() {
    std::array<std::uint64_t, 256> gear{};
    std::uint64_t state = 0;
    for (auto& number : gear) {
        state += 0x9e3779b97f4a7c15;
        auto mixed = state;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        number = mixed ^ (mixed >> 31);
    }
    return gear;
}

constexpr auto gear = make_gear();

// Of each old anchor that is the only one of its kind: where it lies.
std::unordered_map<std::uint64_t, std::uint64_t> places_of(std::vector<Anchor> const& old) {
    constexpr auto several = ~std::uint64_t{0};
    std::unordered_map<std::uint64_t, std::uint64_t> places;
    for (auto const& anchor : old) {
        auto const [known, first] = places.try_emplace(anchor.hash, anchor.at);
        if (!first) known->second = several;
    }
    std::erase_if(places, [](auto const& place) { return place.second == several; });
    return places;
}

}  // namespace

void AnchorFinder::feed(View bytes) {
    for (auto const byte : bytes) {
        hash_ = (hash_ << 1) + gear[std::to_integer<std::uint8_t>(byte)];
        if (hash_ >> (64 - zero_bits) == 0 && at_ >= window) anchors_.push_back({hash_, at_});
        ++at_;
    }
}

std::vector<std::optional<std::size_t>> most_alike(std::vector<std::vector<Anchor>> const& old,
                                                   std::vector<std::vector<Anchor>> const& fresh) {
    constexpr std::size_t least_share = 8;
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> files_with;
    for (std::size_t file = 0; file < old.size(); ++file) {
        for (auto const& anchor : old[file]) {
            auto& files = files_with[anchor.hash];
            if (files.empty() || files.back() != file) files.push_back(file);
        }
    }
    std::vector<std::optional<std::size_t>> alike(fresh.size());
    for (std::size_t file = 0; file < fresh.size(); ++file) {
        std::map<std::size_t, std::size_t> shared;
        for (auto const& anchor : fresh[file]) {
            auto const found = files_with.find(anchor.hash);
            if (found == files_with.end()) continue;
            for (auto const candidate : found->second) ++shared[candidate];
        }
        auto const best = std::ranges::max_element(shared, {}, [](auto const& entry) { return entry.second; });
        if (best != shared.end() && best->second * least_share >= fresh[file].size()) alike[file] = best->first;
    }
    return alike;
}

Bytes locate(std::vector<Anchor> const& old, Bytes old_size, std::vector<Anchor> const& piece, double relative_place,
             Bytes window) {
    if (old_size <= window) return {};
    auto const places = places_of(old);
    std::vector<std::uint64_t> found;
    for (auto const& anchor : piece) {
        if (auto const place = places.find(anchor.hash); place != places.end()) found.push_back(place->second);
    }
    std::sort(found.begin(), found.end());
    auto const last = old_size - window;
    if (found.empty()) {
        auto const stretched = static_cast<std::uint64_t>(relative_place * static_cast<double>(old_size.count()));
        return std::min(last, Bytes(stretched - std::min(stretched, window.count() / 8)));
    }
    std::size_t best_first = 0;
    std::size_t best_count = 0;
    for (std::size_t first = 0, end = 0; first < found.size(); ++first) {
        while (end < found.size() && found[end] - found[first] < window.count()) ++end;
        if (end - first > best_count) {
            best_count = end - first;
            best_first = first;
        }
    }
    // In the middle of the window, so that what lies before the first anchor and behind the last is there as well.
    auto const span = found[best_first + best_count - 1] - found[best_first];
    auto const before = (window.count() - span) / 2;
    return std::min(last, Bytes(found[best_first] - std::min(found[best_first], before)));
}

}  // namespace lull::store
