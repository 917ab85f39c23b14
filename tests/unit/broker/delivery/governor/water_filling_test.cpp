#include "broker/delivery/governor/water_filling.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <random>

namespace water_filling_test {

using namespace lull;
using namespace lull::broker;

namespace {

using Filler = std::function<std::vector<ByteRate>(ByteRate, std::span<Claim const>, std::span<ByteRate const>)>;

constexpr double crumb = 1e-3;  // bytes a second

struct Case {
    ByteRate budget;
    std::vector<Claim> claims;
    std::vector<ByteRate> caps;
};

Case random_case(std::mt19937_64& random) {
    Case result{ByteRate(static_cast<double>(random() % 1'000'000)), {}, {ByteRate(1e12)}};
    for (auto groups = random() % 4; groups > 0; --groups)
        result.caps.emplace_back(static_cast<double>(random() % 300'000));
    constexpr double weights[] = {1, 4, 16};
    for (auto claims = random() % 70; claims > 0; --claims) {
        result.claims.push_back(
            {weights[random() % 3], ByteRate(static_cast<double>(random() % 100'000)), random() % result.caps.size()});
    }
    return result;
}

// The first property that does not hold, or "".
std::string violated(Case const& c, std::vector<ByteRate> const& rates) {
    double sum = 0;
    std::vector<double> groups(c.caps.size());
    for (std::size_t i = 0; i < rates.size(); ++i) {
        if (rates[i].per_second() > c.claims[i].most.per_second() + crumb) return "more than it can use";
        sum += rates[i].per_second();
        groups[c.claims[i].group] += rates[i].per_second();
    }
    if (sum > c.budget.per_second() + crumb) return "more than the budget";
    bool const left = sum < c.budget.per_second() - crumb;
    auto const open = [&](std::size_t i) {  // could take more, if the line had more
        auto const group = c.claims[i].group;
        return rates[i].per_second() < c.claims[i].most.per_second() - crumb &&
               groups[group] < c.caps[group].per_second() - crumb;
    };
    double level = -1;
    for (std::size_t i = 0; i < rates.size(); ++i) {
        if (groups[c.claims[i].group] > c.caps[c.claims[i].group].per_second() + crumb) return "more than a cap";
        if (!open(i)) continue;
        if (left) return "something is left over";
        auto const own = rates[i].per_second() / c.claims[i].weight;
        if (level >= 0 && std::abs(own - level) > crumb) return "not by weight";
        level = own;
    }
    for (std::size_t i = 0; i < rates.size(); ++i) {
        if (level >= 0 && rates[i].per_second() / c.claims[i].weight > level + crumb)
            return "somebody has more than those who could take more";
    }
    return "";
}

std::string first_violation(Filler const& filler) {
    std::mt19937_64 random(11);
    for (int i = 0; i < 2000; ++i) {
        auto const c = random_case(random);
        if (auto const problem = violated(c, filler(c.budget, c.claims, c.caps)); !problem.empty()) return problem;
    }
    return "";
}

}  // namespace

TEST_CASE("whatever is claimed, rates keep budget, claims, caps and weights, and nothing is left over") {
    CHECK(first_violation(fill) == "");
}

TEST_CASE("control: dividing by weight once, without giving on what is left over, is caught") {
    auto const once = [](ByteRate budget, std::span<Claim const> claims, std::span<ByteRate const>) {
        double weights = 0;
        for (auto const& claim : claims) weights += claim.weight;
        std::vector<ByteRate> rates;
        for (auto const& claim : claims) rates.push_back(std::min(claim.most, budget * (claim.weight / weights)));
        return rates;
    };
    CHECK(first_violation(once) != "");
}

TEST_CASE("urgent, normal and background claims share as 16, 4 and 1") {
    ByteRate const cap(1e12);
    std::vector<Claim> const claims = {{16, ByteRate(1e9)}, {4, ByteRate(1e9)}, {1, ByteRate(1e9)}};
    auto const rates = fill(ByteRate(2100), claims, {&cap, 1});
    CHECK(rates[0].per_second() == Approx(1600));
    CHECK(rates[1].per_second() == Approx(400));
    CHECK(rates[2].per_second() == Approx(100));
}

TEST_CASE("nobody and nothing can be divided") {
    ByteRate const cap(1e12);
    CHECK(fill(ByteRate(100), {}, {&cap, 1}).empty());
    Claim const claim{1, ByteRate(5)};
    CHECK(fill(ByteRate(), {&claim, 1}, {&cap, 1})[0].zero());
}

}  // namespace water_filling_test
