#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "core/clock.hpp"

namespace lull::sim {

// Randomness of one run; the same seed gives the same run.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    // 0 to bound - 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    [[nodiscard]] bool chance(double probability);
    [[nodiscard]] Duration between(Duration least, Duration most);

private:
    std::mt19937_64 engine_;
};

// The clock and everything that is going to happen.
class World {
public:
    World(std::uint64_t seed, bool tracing);

    [[nodiscard]] TimePoint now() const { return now_; }
    [[nodiscard]] Moment moment() const;
    [[nodiscard]] Duration elapsed() const { return now_ - beginning_; }
    [[nodiscard]] Random& random() { return random_; }
    [[nodiscard]] std::uint64_t happened() const { return happened_; }

    void after(Duration delay, std::function<void()> what);
    // Lets everything happen up to this instant.
    void run_until(TimePoint until);

    template <class... Args>
    void trace(fmt::format_string<Args...> text, Args&&... args) {
        if (tracing_) print(fmt::format(text, std::forward<Args>(args)...));
    }
    [[nodiscard]] bool tracing() const { return tracing_; }

private:
    struct Transition {
        TimePoint when;
        std::uint64_t order = 0;
        std::function<void()> what;
    };
    struct Later {
        bool operator()(Transition const& a, Transition const& b) const {
            return std::pair(a.when, a.order) > std::pair(b.when, b.order);
        }
    };
    void print(std::string const& text) const;

    TimePoint beginning_{std::chrono::seconds(1000)};
    TimePoint now_{beginning_};
    Random random_;
    bool tracing_ = false;
    std::uint64_t happened_ = 0;
    std::uint64_t order_ = 0;
    std::vector<Transition> queue_;  // a heap, the next one in front
};

// Something that keeps order: a wire, a disk. What enters later never leaves earlier.
class Lane {
public:
    // How long what enters now stays, if it needs at least `time`.
    [[nodiscard]] Duration pass(TimePoint now, Duration time);

private:
    TimePoint last_{};
};

}  // namespace lull::sim
