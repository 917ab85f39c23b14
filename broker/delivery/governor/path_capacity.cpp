#include "broker/delivery/governor/path_capacity.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace lull::broker {

namespace {

constexpr std::size_t rounds = 3;
constexpr std::size_t frames_that_measure = 4;
constexpr Duration memory = std::chrono::seconds(120);

}  // namespace

void PathCapacity::on(QueueSample const& sample) {
    if (first_) unplaced_ += sample.size;
    if (!sample.queue) return;
    after_first_ += std::exchange(unplaced_, Bytes());
    if (!first_) first_ = sample;
    last_ = sample;
    ++frames_;
}

// What arrived cannot have been faster than what was sent: frames that a stall holds up arrive together.
std::optional<ByteRate> PathCapacity::measure() {
    if (frames_ < frames_that_measure) return std::nullopt;
    span_ = std::max(last_->arrived() - first_->arrived(), last_->sent - first_->sent);
    return span_ > Duration::zero() ? std::optional(rate_of(after_first_, span_)) : std::nullopt;
}

// A thread that was late at the beginning of a round and not at its end makes it seem shorter.
double PathCapacity::sureness() const {
    constexpr Duration late = std::chrono::microseconds(500);
    return to_seconds(span_) / to_seconds(span_ + late);
}

void PathCapacity::end_round(Round round, TimePoint now) {
    delivered_ = measure();
    first_ = last_;
    after_first_ = Bytes();
    frames_ = first_ ? 1 : 0;
    if (round == Round::slack || !delivered_) {
        busy_.clear();
        first_.reset();
        unplaced_ = Bytes();
        frames_ = 0;
        return;
    }
    if (round == Round::full) learn(*delivered_ * sureness(), now);
    busy_.push_back(*delivered_);
    if (busy_.size() > rounds) busy_.pop_front();
    if (busy_.size() == rounds) {
        auto const sum = std::accumulate(busy_.begin(), busy_.end(), ByteRate());
        learn(sum * (1.0 / static_cast<double>(rounds)), now);
    }
}

void PathCapacity::learn(ByteRate rate, TimePoint now) {
    while (!means_.empty() && means_.back().rate <= rate) means_.pop_back();
    means_.push_back({now, rate});
    while (means_.size() > 1 && now - means_.front().when > memory) means_.pop_front();
}

ByteRate PathCapacity::learned() const { return means_.empty() ? ByteRate() : means_.front().rate; }

void PathCapacity::lower_to(ByteRate rate) {
    if (learned() <= rate) return;
    auto const when = means_.back().when;
    while (!means_.empty() && means_.front().rate > rate) means_.pop_front();
    if (means_.empty()) means_.push_back({when, rate});
}

}  // namespace lull::broker
