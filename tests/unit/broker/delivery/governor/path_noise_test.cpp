#include "broker/delivery/governor/path_noise.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace path_noise_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

TEST_CASE("nothing is said about the noise of a path before there are samples") { CHECK(PathNoise().level() == 0ms); }

TEST_CASE("nine of ten samples of a noisy path lie below its level") {
    std::mt19937_64 random(3);
    PathNoise noise;
    for (int i = 0; i < 200; ++i) noise.add(Duration(static_cast<std::int64_t>(random() % 10'000'000)));
    CHECK(noise.level() > 6ms);
    CHECK(noise.level() < 10ms);
}

TEST_CASE("where others keep a queue, it is not taken for noise") {
    PathNoise noise;
    for (int i = 0; i < 200; ++i) noise.add(12ms + i % 7 * 1ms);
    CHECK(noise.level() == 0ms);
}

TEST_CASE("bursts of others in some groups are not taken for noise") {
    PathNoise noise;
    for (int i = 0; i < 300; ++i) noise.add(i % 50 < 20 ? 1ms * (i % 10) : 0ms);
    CHECK(noise.level() < 1ms);
}

}  // namespace path_noise_test
