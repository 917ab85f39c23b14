#include "broker/delivery/governor/water_filling.hpp"

#include <algorithm>
#include <limits>

#include "core/result.hpp"

namespace lull::broker {

namespace {

// The level rises for all open claims alike; it stops where a claim has enough, or a group or the line is full.
class Filling {
public:
    Filling(ByteRate budget, std::span<Claim const> claims, std::span<ByteRate const> caps)
        : claims_(claims),
          left_(budget.per_second()),
          rates_(claims.size()),
          open_(claims.size(), true),
          groups_(caps.size()) {
        for (std::size_t i = 0; i < caps.size(); ++i) groups_[i].left = caps[i].per_second();
        for (auto const& claim : claims) {
            LULL_INVARIANT(claim.weight > 0 && claim.group < caps.size());
            weight_ += claim.weight;
            groups_[claim.group].weight += claim.weight;
        }
    }

    std::vector<ByteRate> run() {
        for (auto still = claims_.size(); still > 0;) {
            raise(next_step());
            still -= close_the_full();
        }
        return rates_;
    }

private:
    struct Group {
        double left = 0;
        double weight = 0;  // of its open claims
    };

    [[nodiscard]] double room(std::size_t i) const { return claims_[i].most.per_second() - rates_[i].per_second(); }

    // By how much the level, in bytes a second for a weight of one, can rise until something is full.
    [[nodiscard]] double next_step() const {
        double step = left_ / weight_;
        for (std::size_t i = 0; i < claims_.size(); ++i) {
            if (open_[i]) step = std::min(step, room(i) / claims_[i].weight);
        }
        for (auto const& group : groups_) {
            if (group.weight > 0) step = std::min(step, group.left / group.weight);
        }
        return std::max(step, 0.0);
    }

    void raise(double step) {
        for (std::size_t i = 0; i < claims_.size(); ++i) {
            if (open_[i]) rates_[i] = rates_[i] + ByteRate(step * claims_[i].weight);
        }
        for (auto& group : groups_) group.left -= step * group.weight;
        left_ -= step * weight_;
    }

    // At least one claim closes each time: what limited the step is full but for rounding.
    std::size_t close_the_full() {
        constexpr double crumb = 1e-6;  // bytes a second for a weight of one
        bool const line_full = left_ <= crumb * weight_;
        std::size_t closed = 0;
        for (std::size_t i = 0; i < claims_.size(); ++i) {
            auto const& group = groups_[claims_[i].group];
            if (!open_[i]) continue;
            if (line_full || room(i) <= crumb * claims_[i].weight || group.left <= crumb * group.weight) {
                open_[i] = false;
                ++closed;
            }
        }
        reckon_weights();
        return closed;
    }

    void reckon_weights() {
        weight_ = 0;
        for (auto& group : groups_) group.weight = 0;
        for (std::size_t i = 0; i < claims_.size(); ++i) {
            if (!open_[i]) continue;
            weight_ += claims_[i].weight;
            groups_[claims_[i].group].weight += claims_[i].weight;
        }
    }

    std::span<Claim const> claims_;
    double left_ = 0;
    double weight_ = 0;  // of the open claims
    std::vector<ByteRate> rates_;
    std::vector<bool> open_;
    std::vector<Group> groups_;
};

}  // namespace

std::vector<ByteRate> fill(ByteRate budget, std::span<Claim const> claims, std::span<ByteRate const> caps) {
    return Filling(budget, claims, caps).run();
}

}  // namespace lull::broker
