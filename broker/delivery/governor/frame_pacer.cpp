#include "broker/delivery/governor/frame_pacer.hpp"

#include <utility>

namespace lull::broker {

using namespace std::chrono_literals;

namespace {

// Slower pacing would delay a probe, or the second packet of the smallest frame, by what looks like a queue.
constexpr ByteRate least_pacing(2'500'000);
constexpr Bytes usual_frame = KiB(64);
constexpr Bytes most_frame = KiB(256);
constexpr Duration first_gap = 3700us;  // of probes that measure: no divisor of the ticks of a radio
constexpr Duration in_flight_slack = 30ms;
constexpr std::size_t packets_among = 10;  // probes that measure
constexpr Duration patience = 1s;   // with probes that nobody answers: then data has to show what the path is like
constexpr Duration catch_up = 2ms;  // after a timer that was late

// 2 ms of the rate, within 1.4 kB and 64 kB; up to 256 kB where that is a fifth of a millisecond.
Bytes frame(ByteRate rate) {
    auto const most = std::clamp(flowing(rate, 200us), usual_frame, most_frame);
    return std::clamp(flowing(rate, 2ms), FramePacer::least_frame, most);
}

Bytes most_in_flight(FramePacer::Flow const& flow) {
    return flowing(flow.rate, flow.round_trip + in_flight_slack) + frame(flow.rate) + frame(flow.rate);
}

}  // namespace

Duration FramePacer::probe_gap(Mode mode) const {
    return mode == Mode::measuring ? first_gap : mode == Mode::yielding ? tuning_.yield_probe_gap : tuning_.probe_gap;
}

Turn FramePacer::turn(Flow const& flow, TimePoint now) const {
    bool const measuring = flow.mode == Mode::measuring;
    bool const still = flow.mode != Mode::flowing || now < paused_until_;
    // The minimum progress of a stopped path knows no pause: pauses never end where delays lie.
    bool const all_probes = probes_ >= 2 * flow.first_probes;
    bool const begun = !measuring || (all_probes && now - last_probe_ >= patience);
    bool const data = begun && (flow.mode == Mode::yielding || now >= paused_until_) && !flow.rate.zero();
    auto const size = frame(flow.rate);
    if (data && now >= next_frame_ && in_flight_ + size <= most_in_flight(flow)) return {Turn::Kind::data, size, now};
    auto const probe = last_sent_ + probe_gap(flow.mode);
    if (still && now >= probe && (!measuring || !all_probes)) {
        // A whole packet now and then shows how long one takes on a slow line.
        bool const packet = measuring && probes_ % packets_among == packets_among - 1;
        return packet ? Turn{Turn::Kind::data, least_frame, now} : Turn{Turn::Kind::probe, probe_size, now};
    }
    auto again = still ? std::max(probe, now + 100us) : now + in_flight_slack;
    if (data && next_frame_ > now) again = std::min(again, next_frame_);
    if (paused_until_ > now) again = std::min(again, paused_until_);
    return {Turn::Kind::wait, {}, again};
}

void FramePacer::sent(Bytes size, ByteRate rate, TimePoint now) {
    in_flight_ += size;
    last_sent_ = now;
    ++probes_;
    if (size <= probe_size) {
        last_probe_ = now;
        return;
    }
    last_data_ = now;
    highest_ = std::max(highest_, rate);
    next_frame_ = std::max(next_frame_, now - catch_up) + time_for(size, rate);
}

ByteRate FramePacer::pacing(ByteRate rate) const {
    constexpr double above = 1.25;
    return std::max({highest_, highest_before_, rate, least_pacing}) * above;
}

void FramePacer::begin_round(ByteRate rate) { highest_before_ = std::exchange(highest_, rate); }

}  // namespace lull::broker
