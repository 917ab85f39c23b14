#include "synthetic_line.hpp"

#include <algorithm>
#include <deque>

#include "broker/delivery/governor/path_delay.hpp"

namespace lull::broker::test {

using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
constexpr Duration step = 10ms;

class Drive {
public:
    Drive(PathController& controller, SyntheticLine const& line, std::uint64_t seed)
        : controller_(controller),
          line_(line),
          random_(seed) {}

    Course run(Duration time) {
        course_.steps.resize(static_cast<std::size_t>(time / step) + 1);
        while (now_ - start < time) {
            send_what_may_go();
            now_ = std::max(
                now_ + 1us,
                std::min({next_turn_, flying_.empty() ? next_turn_ : flying_.front().acknowledged, recorded_ + step}));
            record();
            acknowledge();
        }
        return std::move(course_);
    }

private:
    [[nodiscard]] Duration elapsed() const { return now_ - start; }

    void drain() {
        auto const passed = to_seconds(now_ - drained_);
        drained_ = now_;
        auto const rate = line_.rate(elapsed());
        auto const others = line_.others(elapsed());
        auto const ours = line_.fair ? std::max(rate - others, rate * 0.5).per_second()
                                     : rate.per_second() - others.per_second();
        backlog_ = std::max(0.0, backlog_ - ours * passed);
    }

    void send_what_may_go() {
        for (;;) {
            auto const turn = controller_.turn(now_);
            next_turn_ = turn.again;
            if (turn.kind == PathController::Turn::Kind::wait) return;
            send(turn.size);
        }
    }

    void send(Bytes size) {
        constexpr double packet = 1448;
        auto const bytes = static_cast<double>(size.count());
        drain();
        // The kernel's pacing spreads a frame, and its last packet waits for what was there before.
        auto const waited = from_seconds((backlog_ + std::min(bytes, packet)) / line_.rate(elapsed()).per_second());
        backlog_ += bytes;
        auto const left = now_ + waited;
        arrived_ = std::max(arrived_, left + line_.round_trip / 2 + line_.jitter(left - start, random_));
        auto const clock = scaled(arrived_ - start, 1 + line_.drift);
        flying_.push_back(
            {.sent = now_, .received = clock, .acknowledged = arrived_ + line_.round_trip / 2, .size = size});
        controller_.sent(size, now_);
        auto const place = static_cast<std::size_t>((arrived_ - start) / step);
        if (place < course_.steps.size()) course_.steps[place].delivered += size;
    }

    void acknowledge() {
        while (!flying_.empty() && flying_.front().acknowledged <= now_) {
            controller_.on(delay_.on(flying_.front()), now_);
            flying_.pop_front();
        }
    }

    void record() {
        if (now_ < recorded_ + step) return;
        recorded_ = now_;
        drain();
        course_.steps[static_cast<std::size_t>(elapsed() / step)].queue = from_seconds(
            backlog_ / line_.rate(elapsed()).per_second());
    }

    PathController& controller_;
    SyntheticLine const& line_;
    std::mt19937_64 random_;
    PathDelay delay_;
    Course course_;
    TimePoint now_ = start;
    TimePoint next_turn_ = start;
    TimePoint drained_ = start;
    TimePoint recorded_ = start;
    TimePoint arrived_ = start;
    double backlog_ = 0;  // bytes
    std::deque<PathSample> flying_;
};

}  // namespace

ByteRate Course::rate(Duration from, Duration to) const {
    Bytes sum;
    for (auto i = from / step; i < to / step; ++i) sum += steps[static_cast<std::size_t>(i)].delivered;
    return rate_of(sum, to - from);
}

Duration Course::queue(Duration from, Duration to, double share) const {
    std::vector<Duration> queues;
    for (auto i = from / step; i < to / step; ++i) queues.push_back(steps[static_cast<std::size_t>(i)].queue);
    std::sort(queues.begin(), queues.end());
    return queues[static_cast<std::size_t>(share * static_cast<double>(queues.size() - 1))];
}

Course drive(PathController& controller, SyntheticLine const& line, Duration time, std::uint64_t seed) {
    return Drive(controller, line, seed).run(time);
}

}  // namespace lull::broker::test
