#include "broker/delivery/governor/path_controller.hpp"

#include <algorithm>

namespace lull::broker {

using namespace std::chrono_literals;

namespace {

constexpr ByteRate unknown_progress(25'000);
constexpr ByteRate least_progress(2'000);  // where delays lie, the capacity may be wrong as well
constexpr Duration least_round = 10ms;
constexpr std::size_t least_frames = 4;  // a round
constexpr std::size_t first_probes = 30;
constexpr std::size_t more_probes = 120;
constexpr Duration much_jitter = 1ms;
constexpr unsigned clean_to_resume = 3;
constexpr Duration idle_for = 2s;  // then nobody knows who has come to use the path meanwhile
// A path shows its noise, and no queue of ours, when we have sent less than this share of the capacity for so long, or
// hardly anything.
constexpr double low = 0.25;
constexpr Duration low_for = 5s;
constexpr Duration yielding_for = 300ms;
constexpr Duration others_count_for = 5s;  // after a queue in which nothing was ours

}  // namespace

PathController::PathController(PathTuning const& tuning, Urgency urgency)
    : tuning_(tuning),
      urgency_(urgency),
      limit_(1e12),
      law_(tuning),
      pacer_(tuning),
      watch_(tuning),
      retreat_(tuning.least_retreat) {}

Duration PathController::usual_threshold() const {
    auto const usual = tuning_.threshold(urgency_);
    auto const share = tuning_.of_round_trip * (to_seconds(usual) / to_seconds(tuning_.normal));
    auto const short_way = round_trip_ ? scaled(*round_trip_, share) : usual;
    return std::max({std::min(usual, short_way), tuning_.least_threshold});
}

Duration PathController::threshold() const { return watch_.threshold(usual_threshold()); }

// ---- what arrives ----

void PathController::on(QueueSample const& sample, TimePoint now) {
    pacer_.acknowledged(sample.size);
    if (sample.size > probe_size) capacity_.on(sample);
    if (!sample.queue) return;
    observe(sample);
    if (phase_ == Phase::measuring) {
        if (round_.frames >= probes_to_begin()) {
            phase_ = Phase::startup;
            begin_round(now);
        }
        return;
    }
    look_for_congestion(sample, now);
    if (phase_ == Phase::yield) return count_clean(now);
    // Where delays vary, short rounds would tell of that only.
    auto const shortest = std::max(least_round, watch_.window());
    if (sample.sent >= round_.begin && round_.frames >= least_frames && now - round_.begin >= shortest) end_round(now);
}

// Where the first ones vary much, more are needed to tell how much.
std::size_t PathController::probes_to_begin() const {
    return watch_.jitter() > much_jitter ? more_probes : first_probes;
}

void PathController::observe(QueueSample const& sample) {
    auto const bare = sample.round_trip - std::min(*sample.queue, sample.round_trip);
    round_trip_ = round_trip_ ? *round_trip_ + (bare - *round_trip_) / 8 : bare;
    if (phase_ != Phase::yield && law_.rate() > capacity_.learned() * low) low_since_ = sample.sent;
    auto const settled = phase_ == Phase::yield ? yielding_for : low_for;
    if (phase_ == Phase::measuring || sample.sent - low_since_ > settled) watch_.baseline(*sample.queue);
    ++round_.frames;
    round_.least_queue = std::min(round_.least_queue, *sample.queue);
    round_.queue_sum += *sample.queue;
    watch_.add(sample, usual_threshold(), sample.size > probe_size ? capacity_.learned() : ByteRate());
}

void PathController::look_for_congestion(QueueSample const& sample, TimePoint now) {
    if (!watch_.over()) return;
    if (phase_ == Phase::yield && sample.sent > yielded_at_ + congested_queue_) others_at_ = now;
    clean_ = 0;
    if (!watch_.stands() || (phase_ == Phase::startup && *sample.queue <= scaled(threshold(), tuning_.far))) return;
    if (sample.sent >= congested_at_) {
        // Sent when all that we had sent was gone.
        if (sample.sent < pacer_.paused_until() && sample.sent > congested_at_ + congested_queue_) {
            law_.cut_for_others();
            others_at_ = now;
        }
        congested(*sample.queue, now);
    } else if (*sample.queue > congested_queue_) {  // what was sent before our last answer makes it worse than we knew
        congested_queue_ = *sample.queue;
        pause(now);
    }
}

void PathController::pause(TimePoint now) {
    pacer_.pause(now + std::min(scaled(congested_queue_, tuning_.pause), tuning_.most_pause));
    slack_ = true;
}

void PathController::congested(Duration queue, TimePoint now) {
    bool const first = now - congested_at_ > tuning_.episode;
    auto const depth = queue > scaled(threshold(), tuning_.far) ? RateLaw::Depth::deep : RateLaw::Depth::usual;
    if (first || queue >= answered_queue_) law_.cut(depth, capacity_.learned());
    law_.meet_others(now);
    answered_queue_ = queue;
    congested_at_ = now;
    congested_queue_ = queue;
    pause(now);
    watch_.forget();
    if (phase_ == Phase::startup) phase_ = Phase::cruise;
    bool const persists = watch_.persistent_queue() >
                          tuning_.persistent_queue;  // bursts leave gaps; a queue without gaps is kept by somebody
    if (persists || law_.rate() < capacity_.learned() * tuning_.floor) yield(now);
    retreat_if_shared(now);
}

void PathController::yield(TimePoint now) {
    if (phase_ != Phase::yield) yielded_at_ = now;
    phase_ = Phase::yield;
}

// Queueing that no cut ends, at a delivered rate far below the capacity: the queue is our own, and a router gives
// others their part.
void PathController::retreat_if_shared(TimePoint now) {
    if (phase_ == Phase::yield || !watch_.busy_since() || now - *watch_.busy_since() < tuning_.shared_after) return;
    if (capacity_.delivered().value_or(ByteRate()) > capacity_.learned() * tuning_.shared_below) return;
    yield(now);
    retreated_until_ = now + retreat_;
    retreat_ = std::min(2 * retreat_, tuning_.most_retreat);
}

void PathController::count_clean(TimePoint now) {
    if (watch_.over() || now < retreated_until_ || ++clean_ < clean_to_resume) return;
    phase_ = Phase::cruise;
    auto const stop = now - yielded_at_ > tuning_.long_yield ? RateLaw::Stop::long_one : RateLaw::Stop::short_one;
    law_.resume(stop, capacity_.learned(), now);
    pacer_.restart(now);
    clean_ = 0;
    begin_round(now);
    slack_ = true;
}

// ---- rounds ----

void PathController::begin_round(TimePoint now) {
    round_ = Round{.begin = now};
    slack_ = false;
    pacer_.begin_round(rate());
}

void PathController::end_round(TimePoint now) {
    bool const full = round_.least_queue > threshold();
    auto const told = full                    ? PathCapacity::Round::full
                      : law_.rate() <= limit_ ? PathCapacity::Round::busy
                                              : PathCapacity::Round::slack;
    capacity_.end_round(slack_ ? PathCapacity::Round::slack : told, now);
    auto const shown = shown_by_round(now);
    if (phase_ == Phase::startup && full) {
        congested(round_.least_queue, now);
    } else if (phase_ == Phase::startup && !slack_) {
        law_.speed_up(shown, capacity_.delivered());
    } else if (phase_ == Phase::cruise && !slack_ && now - congested_at_ > round_trip_.value_or(0ms)) {
        law_.climb(shown);
    }
    begin_round(now);
}

RateLaw::Round PathController::shown_by_round(TimePoint now) const {
    auto const queue = round_.queue_sum / static_cast<Duration::rep>(round_.frames) - watch_.jitter();
    auto const room = std::clamp(1 - to_seconds(queue) / to_seconds(threshold()), 0.0, 1.0);
    return {.now = now, .took = now - round_.begin, .room = room, .capacity = capacity_.learned(), .limit = limit_};
}

// ---- what goes ----

ByteRate PathController::rate() const { return std::min(phase_ == Phase::yield ? progress() : law_.rate(), limit_); }

// Enough that an update ends some day, however wrong we are about the path.
ByteRate PathController::progress() const {
    if (tuning_.progress == 0) return {};
    return capacity_.learned().zero() ? unknown_progress
                                      : std::max(capacity_.learned() * tuning_.progress, least_progress);
}

ByteRate PathController::wanted() const {
    return phase_ == Phase::yield ? rate() : law_.rate() * (1 + tuning_.most_growth);
}

void PathController::sent(Bytes size, TimePoint now) {
    bool const idle = size > probe_size && phase_ == Phase::cruise && now - pacer_.last_data() > idle_for;
    if (idle && law_.rate() > capacity_.learned() * tuning_.resume)
        law_.resume(RateLaw::Stop::short_one, capacity_.learned(), now);
    pacer_.sent(size, rate(), now);
}

Turn PathController::turn(TimePoint now) const {
    if (limit_.zero()) return {Turn::Kind::wait, {}, now + tuning_.yield_probe_gap};
    using Mode = FramePacer::Mode;
    auto const mode = phase_ == Phase::measuring ? Mode::measuring
                      : phase_ == Phase::yield   ? Mode::yielding
                                                 : Mode::flowing;
    return pacer_.turn({mode, rate(), round_trip_.value_or(0ms), probes_to_begin()}, now);
}

Reason PathController::reason(TimePoint now) const {
    if (phase_ == Phase::measuring) return Reason::measuring;
    if (now < retreated_until_) return Reason::path_shared;
    if (phase_ == Phase::yield || now < pacer_.paused_until()) {
        if (tuning_.progress == 0) return Reason::only_quiet;
        bool const others = others_at_ != TimePoint() && now - others_at_ < others_count_for;
        return others ? Reason::path_busy : Reason::path_queued;
    }
    return Reason::none;
}

}  // namespace lull::broker
