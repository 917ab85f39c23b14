#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "tests/fuzz/targets.hpp"

// The fuzz targets on their seeds and on changed ones, so that every build goes through them. A broken promise aborts.

using namespace lull;

namespace {

constexpr std::size_t mutations = 4000;  // of each target
constexpr std::size_t most_size = 16'384;

// Changes bytes the way a fuzzer does, the same in every run.
class Mutator {
public:
    explicit Mutator(std::vector<Buffer> seeds) : seeds_(std::move(seeds)) {}

    [[nodiscard]] Buffer next() {
        auto bytes = seeds_[below(seeds_.size())];
        for (auto changes = 1 + below(4); changes > 0; --changes) change(bytes);
        if (bytes.size() > most_size) bytes.resize(most_size);
        return bytes;
    }

private:
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

    void change(Buffer& bytes) {
        auto const at = below(bytes.size() + 1);
        auto const place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        auto const run = std::min(1 + below(8), bytes.size() - at);
        auto const end = place + static_cast<std::ptrdiff_t>(run);
        switch (below(6)) {
            case 0: bytes.resize(at); return;
            case 1: bytes.erase(place, end); return;
            case 2: bytes.insert(place, interesting_[below(interesting_.size())]); return;
            case 3: bytes.insert(place, 1 + below(300), static_cast<std::byte>(below(256))); return;
            case 4: splice(bytes, at); return;
            default:
                for (auto byte = place; byte != end; ++byte) *byte = static_cast<std::byte>(below(256));
        }
    }

    // Goes on with the end of another seed.
    void splice(Buffer& bytes, std::size_t at) {
        auto const& other = seeds_[below(seeds_.size())];
        auto const from = below(other.size() + 1);
        bytes.resize(at);
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
    }

    // Headers of MessagePack that ask for much or for little, and what paths and texts are sensitive to.
    std::vector<std::byte> const interesting_ = [] {
        std::vector<std::byte> all;
        for (unsigned const value : {0x00, 0x0a, 0x2e, 0x2f, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                     0xc1, 0xc2, 0xc4, 0xc6, 0xc9, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xdf, 0xff}) {
            all.push_back(static_cast<std::byte>(value));
        }
        return all;
    }();
    std::vector<Buffer> seeds_;
    std::mt19937_64 random_{20'000};
};

void replay(std::string_view name) {
    auto const& target = fuzz::target(name);
    auto seeds = target.seeds();
    for (auto const& seed : seeds) target.run(seed);
    target.run({});
    Mutator mutator(std::move(seeds));
    for (std::size_t i = 0; i < mutations; ++i) target.run(mutator.next());
}

}  // namespace

TEST_CASE("seeds and mutations of messages are read or refused") { replay("fuzz_message"); }
TEST_CASE("seeds and mutations of manifests are valid or refused") { replay("fuzz_manifest"); }
TEST_CASE("seeds and mutations of patches are read or refused") { replay("fuzz_patch"); }
TEST_CASE("seeds and mutations of deltas give the right bytes or none") { replay("fuzz_delta"); }
TEST_CASE("seeds and mutations of paths stay inside or are refused") { replay("fuzz_path"); }
TEST_CASE("seeds and mutations of envelopes are refused") { replay("fuzz_envelope"); }
TEST_CASE("seeds and mutations of key files and addresses are read or refused") { replay("fuzz_identity"); }
TEST_CASE("seeds and mutations of orders and rollouts are read or refused") { replay("fuzz_orders"); }

TEST_CASE("every target has seeds and a test here") {
    std::vector<std::string_view> names;
    for (auto const& target : fuzz::targets()) {
        names.push_back(target.name);
        CHECK_FALSE(target.seeds().empty());
    }
    CHECK(names == std::vector<std::string_view>{"fuzz_message", "fuzz_manifest", "fuzz_patch", "fuzz_delta",
                                                 "fuzz_path", "fuzz_envelope", "fuzz_identity", "fuzz_orders"});
}
