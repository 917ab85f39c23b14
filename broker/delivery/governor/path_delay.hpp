#pragma once

#include <optional>

#include "broker/delivery/governor/delay_base.hpp"

namespace lull::broker {

// What the acknowledgement of one frame tells about its way.
struct PathSample {
    TimePoint sent;                     // handed to the kernel, by our clock
    Duration received;                  // by the receiver's clock, since any origin of its own
    TimePoint acknowledged;             // by our clock
    Bytes size;                         // of the frame
    Bytes unsent{};                     // of this connection in the kernel when the frame was handed over
    Duration pacing{};                  // over which the kernel's pacing spreads the frame
    std::optional<Duration> kernels{};  // the round trip between the kernels, smoothed, when the acknowledgement came
};

// The same without the receiver's clock.
struct QueueSample {
    TimePoint sent;
    TimePoint acknowledged;
    Bytes size;
    Duration round_trip;
    std::optional<Duration>
        queue;  // what the frame waited in queues; nothing if our own bytes lay before it in the kernel
    // When it left the last queue, but for a constant: differences between frames are differences between arrivals, and
    // the receiver's clock plays no part.
    [[nodiscard]] TimePoint arrived() const { return sent + queue.value_or(Duration::zero()); }
};

// Turns samples of one connection into delays by queueing: the smaller of what the one-way delay and what the round
// trip is above its base, so that neither a drifting clock nor a queue on the way back looks like congestion. What the
// kernels see of the way counts as well, if three times of it are less: a program that reads late, because its machine
// is busy, delays nobody on the network. Frames of one packet have a base of their own: on a slow line even one takes
// as long as a queue that somebody would notice.
class PathDelay {
public:
    explicit PathDelay(DelayBaseLimits limits = {});

    [[nodiscard]] QueueSample on(PathSample const& sample);

    // Of the round trips of five minutes; nothing before the first sample.
    [[nodiscard]] std::optional<Duration> least_round_trip(TimePoint now) const;

private:
    struct Bases {
        DelayBase one_way;
        DelayBase round_trip;  // of one clock only: no drift
    };
    Bases probes_;  // and frames of several packets, which only fast lines get
    Bases packets_;
    DelayBase kernels_;
};

}  // namespace lull::broker
