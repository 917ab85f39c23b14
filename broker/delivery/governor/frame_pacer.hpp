#pragma once

#include <algorithm>

#include "broker/delivery/governor/path_tuning.hpp"
#include "core/byte_rate.hpp"

namespace lull::broker {

// What may go on a path now.
struct Turn {
    enum class Kind { wait, data, probe };
    Kind kind = Kind::wait;
    Bytes size{};       // data: of the frame at most
    TimePoint again{};  // wait: ask again then, or after the next sample
};

// Turns a rate into frames: their size, the time of the next one, how much may be on its way, pauses, and tiny probes
// while no data flows.
class FramePacer {
public:
    explicit FramePacer(PathTuning const& tuning) : tuning_(tuning) {}

    enum class Mode { measuring, flowing, yielding };
    struct Flow {
        Mode mode = Mode::flowing;
        ByteRate rate;
        Duration round_trip{};
        std::size_t first_probes = 0;  // that measuring takes
    };
    [[nodiscard]] Turn turn(Flow const& flow, TimePoint now) const;
    void sent(Bytes size, ByteRate rate, TimePoint now);
    void acknowledged(Bytes size) { in_flight_ -= std::min(in_flight_, size); }

    void pause(TimePoint until) { paused_until_ = until; }
    [[nodiscard]] TimePoint paused_until() const { return paused_until_; }
    // When the last frame that was no probe went.
    [[nodiscard]] TimePoint last_data() const { return last_data_; }
    // Data flows again after it had stopped: nothing is to be caught up on.
    void restart(TimePoint now) { next_frame_ = now; }

    // For the kernel: above the highest rate of two rounds, or bytes that it still holds would be delayed.
    [[nodiscard]] ByteRate pacing(ByteRate rate) const;
    void begin_round(ByteRate rate);

    static constexpr Bytes probe_size{32};
    static constexpr Bytes least_frame{1400};  // of data: one packet

private:
    [[nodiscard]] Duration probe_gap(Mode mode) const;

    PathTuning tuning_;
    Bytes in_flight_{};
    TimePoint next_frame_{};
    TimePoint last_sent_{};
    TimePoint paused_until_{};
    std::size_t probes_ = 0;  // and frames
    TimePoint last_probe_{};
    TimePoint last_data_{};
    ByteRate highest_;  // rate of this round
    ByteRate highest_before_;
};

}  // namespace lull::broker
