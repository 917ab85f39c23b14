#pragma once

#include <optional>

#include "broker/governor/busyness.hpp"
#include "broker/governor/path_capacity.hpp"
#include "broker/governor/path_noise.hpp"
#include "broker/governor/path_tuning.hpp"
#include "broker/governor/reason.hpp"

namespace lull::broker {

// Level 1: how fast bulk bytes may flow on one path, so that nobody else on it notices. Takes samples of the queueing delay, says when
// the next frame may go and how large it is. The owner sends, and arms its timer by what turn() says.
class PathController {
public:
    PathController(PathTuning const& tuning, Urgency urgency);

    // A frame or probe was acknowledged.
    void on(QueueSample const& sample, TimePoint now);
    // What level 2 leaves to this path.
    void limit(ByteRate most) { limit_ = most; }
    void set_urgency(Urgency urgency) { urgency_ = urgency; }

    struct Turn {
        enum class Kind { wait, data, probe };
        Kind kind = Kind::wait;
        Bytes size{};      // data: of the frame at most
        TimePoint again{}; // wait: ask again then, or after the next sample
    };
    [[nodiscard]] Turn turn(TimePoint now) const;
    // A frame or a probe went out. A probe has no more than `probe_size`.
    void sent(Bytes size, TimePoint now);
    // There was a turn and nothing to send: the round does not tell of the path.
    void starved() { slack_ = true; }
    // Frames that were sent and will never be acknowledged.
    void lost(Bytes size) { in_flight_ -= std::min(in_flight_, size); }

    enum class Phase { measuring, startup, cruise, yield };
    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] ByteRate rate() const;      // that turn() follows
    // For the kernel: above what is sent, or old bytes would be delayed; and never so low that probes would be.
    [[nodiscard]] ByteRate pacing() const;
    [[nodiscard]] ByteRate capacity() const { return capacity_.learned(); }
    // The last time that frames met a queue.
    [[nodiscard]] TimePoint congested_at() const { return congested_at_; }
    // What the path could use now, if it were let: claims a share of the line with this.
    [[nodiscard]] ByteRate wanted() const;
    [[nodiscard]] Duration threshold() const;
    [[nodiscard]] Reason reason(TimePoint now) const;

    static constexpr Bytes probe_size{32};

private:
    struct Round {
        TimePoint begin;
        std::size_t frames = 0;
        Duration least_queue = Duration::max();
        Duration queue_sum{};
    };

    void observe(QueueSample const& sample);
    [[nodiscard]] bool stalled(QueueSample const& sample) const;
    void look_for_congestion(QueueSample const& sample, TimePoint now);
    void congested(Duration queue, TimePoint now);
    void pause(TimePoint now);
    void cut(Duration queue);
    void retreat_if_shared(TimePoint now);
    void count_clean(TimePoint now);
    void begin_round(TimePoint now);
    void end_round(TimePoint now);
    void speed_up(TimePoint now);
    void climb(Duration queue, TimePoint now);
    void explore(TimePoint now);
    [[nodiscard]] ByteRate ceiling() const;
    [[nodiscard]] ByteRate progress() const;
    [[nodiscard]] Bytes frame() const;
    [[nodiscard]] Bytes most_in_flight() const;

    PathTuning tuning_;
    Urgency urgency_;
    Phase phase_ = Phase::measuring;
    ByteRate rate_;
    ByteRate limit_;
    PathNoise noise_;
    PathCapacity capacity_;
    std::optional<Duration> round_trip_;  // smoothed, without queues

    Round round_;
    bool slack_ = false;
    ByteRate highest_;       // rate of this round
    ByteRate highest_before_;

    std::optional<QueueSample> over_;     // the last sample was over the threshold
    std::optional<TimePoint> busy_since_; // no sample was under it since
    Busyness just_now_;
    TimePoint congested_at_{};
    Duration congested_queue_{};          // the longest since then
    Duration answered_queue_{};           // for which the last cut was made
    TimePoint low_since_{};
    unsigned congestions_ = 0;            // of this episode
    TimePoint paused_until_{};
    TimePoint retreated_until_{};
    Duration retreat_{};
    unsigned clean_ = 0;                  // samples in a row, while data has stopped

    ByteRate knee_;                       // delivered when the path was congested last
    TimePoint knee_at_{};
    double growth_ = 0;
    unsigned exploring_ = 0;              // rounds left
    double excess_ = 0;
    ByteRate explored_from_;
    TimePoint next_explore_{};

    Bytes in_flight_{};
    TimePoint next_frame_{};
    TimePoint last_sent_{};
    unsigned probes_ = 0;
};

}  // namespace lull::broker
