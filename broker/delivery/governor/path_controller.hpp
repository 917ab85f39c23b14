#pragma once

#include <optional>

#include "broker/delivery/governor/frame_pacer.hpp"
#include "broker/delivery/governor/path_capacity.hpp"
#include "broker/delivery/governor/path_tuning.hpp"
#include "broker/delivery/governor/queue_watch.hpp"
#include "broker/delivery/governor/rate_law.hpp"
#include "broker/delivery/governor/reason.hpp"

namespace lull::broker {

// Level 1: how fast bulk bytes may flow on one path, so that nobody else on it notices. Takes samples of the queueing
// delay, says when the next frame may go and how large it is. The owner sends, and arms its timer by what turn() says.
class PathController {
public:
    PathController(PathTuning const& tuning, Urgency urgency);

    // A frame or probe was acknowledged.
    void on(QueueSample const& sample, TimePoint now);
    // What level 2 leaves to this path.
    void limit(ByteRate most) { limit_ = most; }
    void set_urgency(Urgency urgency) { urgency_ = urgency; }

    using Turn = broker::Turn;
    [[nodiscard]] Turn turn(TimePoint now) const;
    // A frame or a probe went out. A probe has no more than `probe_size`.
    void sent(Bytes size, TimePoint now);
    // There was a turn and nothing to send: the round does not tell of the path.
    void starved() { slack_ = true; }
    // Frames that were sent and will never be acknowledged.
    void lost(Bytes size) { pacer_.acknowledged(size); }

    enum class Phase { measuring, startup, cruise, yield };
    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] ByteRate rate() const;  // that turn() follows
    // For the kernel: above what is sent, or old bytes would be delayed; and never so low that probes would be.
    [[nodiscard]] ByteRate pacing() const { return pacer_.pacing(rate()); }
    [[nodiscard]] ByteRate capacity() const { return capacity_.learned(); }
    // The last time that frames met a queue.
    [[nodiscard]] TimePoint congested_at() const { return congested_at_; }
    // What the path could use now, if it were let: claims a share of the line with this.
    [[nodiscard]] ByteRate wanted() const;
    [[nodiscard]] Duration threshold() const;
    [[nodiscard]] Reason reason(TimePoint now) const;

    static constexpr Bytes probe_size = FramePacer::probe_size;

private:
    struct Round {
        TimePoint begin;
        std::size_t frames = 0;
        Duration least_queue = Duration::max();
        Duration queue_sum{};
    };

    [[nodiscard]] Duration usual_threshold() const;
    [[nodiscard]] std::size_t probes_to_begin() const;
    [[nodiscard]] ByteRate progress() const;
    void observe(QueueSample const& sample);
    void look_for_congestion(QueueSample const& sample, TimePoint now);
    void congested(Duration queue, TimePoint now);
    void pause(TimePoint now);
    void yield(TimePoint now);
    void retreat_if_shared(TimePoint now);
    void count_clean(TimePoint now);
    void begin_round(TimePoint now);
    void end_round(TimePoint now);
    [[nodiscard]] RateLaw::Round shown_by_round(TimePoint now) const;

    PathTuning tuning_;
    Urgency urgency_;
    Phase phase_ = Phase::measuring;
    ByteRate limit_;
    RateLaw law_;
    FramePacer pacer_;
    QueueWatch watch_;
    PathCapacity capacity_;
    std::optional<Duration> round_trip_;  // smoothed, without queues

    Round round_;
    bool slack_ = false;

    TimePoint congested_at_{};
    TimePoint others_at_{};       // the last queue in which nothing was ours
    Duration congested_queue_{};  // the longest since then
    Duration answered_queue_{};   // for which the last cut was made
    TimePoint low_since_{};
    TimePoint yielded_at_{};
    TimePoint retreated_until_{};
    Duration retreat_{};
    unsigned clean_ = 0;  // samples in a row, while data has stopped
};

}  // namespace lull::broker
