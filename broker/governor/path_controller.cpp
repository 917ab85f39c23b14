#include "broker/governor/path_controller.hpp"

#include <algorithm>

namespace lull::broker {

using namespace std::chrono_literals;

namespace {

constexpr ByteRate first_rate(250'000);
constexpr ByteRate unknown_progress(25'000);
constexpr Bytes least_frame(1400);
constexpr Bytes usual_frame = KiB(64);
constexpr Bytes most_frame = KiB(256);
constexpr Duration least_round = 10ms;
constexpr std::size_t least_frames = 4;       // a round
constexpr unsigned first_probes = 30;
constexpr Duration first_gap = 3700us;        // between them: no divisor of the ticks of a radio
constexpr unsigned clean_to_resume = 3;
constexpr unsigned rounds_of_exploring = 5;
constexpr double most_excess = 0.5;
constexpr Duration explore_soon = 1s;         // after one that found more
constexpr Duration in_flight_slack = 30ms;
// A path on which we have sent less than this share of the capacity for so long shows its noise, and no queue of ours.
constexpr double low = 0.25;
constexpr Duration low_for = 5s;

}  // namespace

PathController::PathController(PathTuning const& tuning, Urgency urgency)
    : tuning_(tuning),
      urgency_(urgency),
      rate_(first_rate),
      limit_(1e12),
      just_now_(tuning.siege_memory),
      retreat_(tuning.least_retreat),
      growth_(tuning.least_growth) {}

Duration PathController::threshold() const {
    auto const usual = tuning_.threshold(urgency_);
    auto const short_way = round_trip_ ? scaled(*round_trip_, tuning_.of_round_trip) : usual;
    auto const wished = std::max(std::min(usual, short_way), tuning_.least_threshold);
    return std::max(wished, std::min(scaled(noise_.level(), tuning_.noise_factor), tuning_.most_threshold));
}

// ---- what arrives ----

void PathController::on(QueueSample const& sample, TimePoint now) {
    in_flight_ -= std::min(in_flight_, sample.size);
    if (sample.size > probe_size) capacity_.on(sample);
    if (!sample.queue) return;
    observe(sample);
    if (phase_ == Phase::measuring) {
        if (round_.frames >= first_probes) {
            phase_ = Phase::startup;
            begin_round(now);
        }
        return;
    }
    look_for_congestion(sample, now);
    if (phase_ == Phase::yield) return count_clean(now);
    // Where delays vary, short rounds would tell of that only.
    auto const shortest = std::max(least_round, 4 * noise_.level());
    if (sample.sent >= round_.begin && round_.frames >= least_frames && now - round_.begin >= shortest) end_round(now);
}

void PathController::observe(QueueSample const& sample) {
    auto const bare = sample.round_trip - std::min(*sample.queue, sample.round_trip);
    round_trip_ = round_trip_ ? *round_trip_ + (bare - *round_trip_) / 8 : bare;
    if (rate_ > capacity_.learned() * low) low_since_ = sample.sent;
    if (phase_ == Phase::measuring || sample.sent - low_since_ > low_for) noise_.add(*sample.queue);
    ++round_.frames;
    round_.least_queue = std::min(round_.least_queue, *sample.queue);
    round_.queue_sum += *sample.queue;
    auto const state = *sample.queue > threshold() ? Busyness::State::busy : Busyness::State::quiet;
    just_now_.add(state, sample.acknowledged);
}

// A queue lets frames out as fast as the line is; what a stall of the radio held up arrives all at once.
bool PathController::stalled(QueueSample const& sample) const {
    if (capacity_.learned().zero() || sample.size <= probe_size) return false;
    return sample.arrived() - over_->arrived() < scaled(time_for(sample.size, capacity_.learned()), tuning_.stall);
}

void PathController::look_for_congestion(QueueSample const& sample, TimePoint now) {
    if (*sample.queue <= threshold()) {
        over_.reset();
        busy_since_.reset();
        return;
    }
    clean_ = 0;
    if (!busy_since_) busy_since_ = now;
    bool const twice = over_ && !stalled(sample);
    over_ = sample;
    if (!twice || (phase_ == Phase::startup && *sample.queue <= scaled(threshold(), tuning_.far))) return;
    if (sample.sent >= congested_at_) {
        // Sent when all that we had sent was gone.
        if (sample.sent < paused_until_ && sample.sent > congested_at_ + congested_queue_) rate_ = rate_ * tuning_.surviving_cut;
        congested(*sample.queue, now);
    } else if (*sample.queue > congested_queue_) {  // what was sent before our last answer makes it worse than we knew
        congested_queue_ = *sample.queue;
        pause(now);
    }
}

void PathController::pause(TimePoint now) {
    paused_until_ = now + std::min(scaled(congested_queue_, tuning_.pause), tuning_.most_pause);
    slack_ = true;
}

void PathController::congested(Duration queue, TimePoint now) {
    bool const first = now - congested_at_ > tuning_.episode;
    congestions_ = first ? 1 : congestions_ + 1;
    if (phase_ != Phase::yield) {
        knee_ = std::min(rate_, capacity_.delivered().value_or(rate_));
        knee_at_ = now;
    }
    if (first || queue >= answered_queue_) cut(queue);
    answered_queue_ = queue;
    congested_at_ = now;
    congested_queue_ = queue;
    pause(now);
    exploring_ = 0;
    over_.reset();
    if (phase_ == Phase::startup) phase_ = Phase::cruise;
    bool const besieged = just_now_.share() > tuning_.siege;  // bursts leave gaps; a queue without gaps is kept by somebody
    if (besieged || rate_ < capacity_.learned() * tuning_.floor) phase_ = Phase::yield;
    retreat_if_shared(now);
}

void PathController::cut(Duration queue) {
    constexpr unsigned gentle = 2;
    growth_ = tuning_.least_growth;
    if (queue > scaled(threshold(), tuning_.far)) {
        rate_ = rate_ * tuning_.deep_cut;
    } else if (congestions_ <= gentle) {
        rate_ = rate_ * tuning_.first_cut;
    } else {
        rate_ = rate_ * tuning_.cut;
    }
}

// Queueing that no cut ends, at a delivered rate far below the capacity: the queue is our own, and a router gives others their part.
void PathController::retreat_if_shared(TimePoint now) {
    if (phase_ == Phase::yield || !busy_since_ || now - *busy_since_ < tuning_.shared_after) return;
    if (capacity_.delivered().value_or(ByteRate()) > capacity_.learned() * tuning_.shared_below) return;
    phase_ = Phase::yield;
    retreated_until_ = now + retreat_;
    retreat_ = std::min(2 * retreat_, tuning_.most_retreat);
    busy_since_ = now;
}

void PathController::count_clean(TimePoint now) {
    if (over_ || now < retreated_until_ || ++clean_ < clean_to_resume) return;
    phase_ = Phase::cruise;
    rate_ = std::max(capacity_.learned() * tuning_.resume, first_rate);
    growth_ = tuning_.most_growth;
    clean_ = 0;
    next_frame_ = now;
    begin_round(now);
    slack_ = true;
}

// ---- rounds ----

void PathController::begin_round(TimePoint now) {
    round_ = Round{.begin = now};
    slack_ = false;
    highest_before_ = std::exchange(highest_, rate());
}

void PathController::end_round(TimePoint now) {
    auto const queue = round_.queue_sum / static_cast<Duration::rep>(round_.frames);
    auto const least = round_.least_queue;
    bool const busy = !slack_ && rate_ <= limit_;
    bool const full = least > threshold();
    auto const told = full ? PathCapacity::Round::full : busy ? PathCapacity::Round::busy : PathCapacity::Round::slack;
    capacity_.end_round(slack_ ? PathCapacity::Round::slack : told, now);
    if (phase_ == Phase::startup) {
        full ? congested(least, now) : speed_up(now);
    } else if (now - congested_at_ > round_trip_.value_or(0ms)) {
        climb(queue, now);
    }
    begin_round(now);
}

void PathController::speed_up(TimePoint now) {
    if (slack_) return;
    auto const bound = capacity_.delivered() ? *capacity_.delivered() * tuning_.startup_bound : rate_ * 2;
    rate_ = std::min({rate_ * 2, std::max(bound, rate_), limit_ * 2});
    next_explore_ = now + explore_soon;
}

ByteRate PathController::ceiling() const {
    return capacity_.learned() * tuning_.ceiling;
}

void PathController::climb(Duration queue, TimePoint now) {
    if (slack_) return;
    if (exploring_ > 0) return explore(now);
    constexpr double near_below = 0.9;
    constexpr double near_above = 1.05;
    bool const near = rate_ > knee_ * near_below && rate_ < knee_ * near_above && now - knee_at_ < tuning_.knee_memory;
    growth_ = near ? tuning_.least_growth : std::min(2 * growth_, tuning_.most_growth);
    auto const room = std::max(0.0, 1 - to_seconds(queue) / to_seconds(threshold()));
    auto const below = rate_ < knee_ * near_below && now - knee_at_ < tuning_.knee_memory ? knee_ * near_below : rate_ * 2;
    auto const grown = std::min({rate_ * (1 + growth_ * room), std::max(below, rate_ * (1 + tuning_.least_growth)), limit_ * 2});
    if (capacity_.learned().zero()) {
        rate_ = grown;
        return;
    }
    rate_ = std::min(grown, ceiling());
    if (rate_ == ceiling() && rate_ <= limit_ && now >= next_explore_) {
        excess_ = tuning_.explore;
        explore(now);
    }
}

// A few rounds a little above the learned capacity. If the path delivers that, further ones follow, each twice as bold.
void PathController::explore(TimePoint now) {
    if (exploring_ > 1) {
        --exploring_;
        return;
    }
    bool const begins = exploring_ == 0;
    bool const found_more = !begins && capacity_.learned() > explored_from_ * (1 + excess_ / 3);
    if (!begins) excess_ = std::min(2 * excess_, most_excess);
    exploring_ = begins || found_more ? rounds_of_exploring : 0;
    next_explore_ = now + (found_more ? explore_soon : tuning_.explore_every);
    explored_from_ = capacity_.learned();
    rate_ = exploring_ > 0 ? explored_from_ * (1 + excess_) : ceiling();
}

// ---- what goes ----

ByteRate PathController::rate() const {
    return std::min(phase_ == Phase::yield ? progress() : rate_, limit_);
}

// Enough that an update ends some day, however wrong we are about the path.
ByteRate PathController::progress() const {
    if (tuning_.progress == 0) return {};
    return capacity_.learned().zero() ? unknown_progress : capacity_.learned() * tuning_.progress;
}

ByteRate PathController::pacing() const {
    constexpr double above = 1.25;
    return std::max({highest_, highest_before_, rate(), first_rate}) * above;
}

ByteRate PathController::wanted() const {
    return phase_ == Phase::yield ? rate() : rate_ * (1 + tuning_.most_growth);
}

// 2 ms of the rate, within 1.4 kB and 64 kB; up to 256 kB where that is a fifth of a millisecond.
Bytes PathController::frame() const {
    auto const most = std::clamp(flowing(rate(), 200us), usual_frame, most_frame);
    return std::clamp(flowing(rate(), 2ms), least_frame, most);
}

Bytes PathController::most_in_flight() const {
    return flowing(rate(), round_trip_.value_or(0ms) + in_flight_slack) + frame() + frame();
}

PathController::Turn PathController::turn(TimePoint now) const {
    if (limit_.zero()) return {Turn::Kind::wait, {}, now + tuning_.yield_probe_gap};
    bool const still = phase_ == Phase::measuring || now < paused_until_ || phase_ == Phase::yield;
    bool const data = phase_ != Phase::measuring && now >= paused_until_ && !rate().zero();
    if (data && now >= next_frame_ && in_flight_ + frame() <= most_in_flight()) return {Turn::Kind::data, frame(), now};
    auto const gap = phase_ == Phase::measuring ? first_gap : phase_ == Phase::yield ? tuning_.yield_probe_gap : tuning_.probe_gap;
    auto const probe = last_sent_ + gap;
    if (still && now >= probe && (phase_ != Phase::measuring || probes_ < 2 * first_probes)) return {Turn::Kind::probe, probe_size, now};
    auto again = still ? std::max(probe, now + 100us) : now + in_flight_slack;
    if (data && next_frame_ > now) again = std::min(again, next_frame_);
    if (paused_until_ > now) again = std::min(again, paused_until_);
    return {Turn::Kind::wait, {}, again};
}

void PathController::sent(Bytes size, TimePoint now) {
    in_flight_ += size;
    last_sent_ = now;
    if (size <= probe_size) {
        ++probes_;
        return;
    }
    highest_ = std::max(highest_, rate());
    next_frame_ = std::max(next_frame_, now - 2ms) + time_for(size, rate());
}

Reason PathController::reason(TimePoint now) const {
    if (phase_ == Phase::measuring) return Reason::measuring;
    if (now < retreated_until_) return Reason::path_shared;
    if (phase_ == Phase::yield || now < paused_until_) return tuning_.progress > 0 ? Reason::path_busy : Reason::only_quiet;
    return Reason::none;
}

}  // namespace lull::broker
