#include "tests/sim/line/experiment.hpp"

#include <algorithm>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration tick = 20ms;

// One broker: its paths, and level 2 over them.
class SimulatedBroker {
public:
    SimulatedBroker(World& world, Bottleneck& line, Setting const& setting, Sending const& sending, std::uint64_t seed)
        : world_(world),
          line_(line),
          setting_(setting),
          urgency_(sending.urgency),
          scheduling_(setting.lateness, seed) {
        std::vector<NodeMachine> machines;
        for (std::size_t i = 0; i < setting.nodes; ++i) {
            auto const drift = i % 2 == 0 ? setting.drift : -setting.drift;
            machines.push_back({.offset = std::chrono::seconds(1000 * i),
                                .drift = drift,
                                .lateness = setting.lateness,
                                .seed = seed + 1 + i,
                                .own_interface = setting.counters.with_others});
        }
        auto const add = [&](std::vector<NodeMachine> const& some) {
            broker::PathController controller(sending.tuning, sending.urgency);
            paths_.push_back(std::make_unique<OurPath>(world, line, some, scheduling_, std::move(controller)));
        };
        if (sending.one_for_all) {
            add(machines);
        } else {
            for (auto const& machine : machines) add({machine});
        }
    }

    void begin() {
        for (auto& path : paths_) path->begin();
        look();
    }

    [[nodiscard]] std::vector<std::unique_ptr<OurPath>> const& paths() const { return paths_; }

private:
    void look() {
        auto const now = world_.now();
        auto const period = setting_.counters.period;
        if (period == Duration::zero() || now - counted_at_ >= period) {
            counted_at_ = now;
            counted_ = ours() + (setting_.counters.with_others ? line_.left(Side::others) : Bytes());
        }
        governor_.on({now, counted_, ours()});
        divide();
        world_.after(tick, [this] { look(); });
    }

    // On the wire. Two brokers do not see each other's.
    [[nodiscard]] Bytes ours() const {
        if (setting_.brokers == 1) return line_.left(Side::ours);
        Bytes sum;
        for (auto const& path : paths_) sum += path->delivered();
        return sum;
    }

    void divide() {
        std::vector<broker::PathClaim> claims;
        for (std::size_t i = 0; i < paths_.size(); ++i) {
            auto const& controller = paths_[i]->controller();
            claims.push_back({i, urgency_, controller.wanted()});
            if (controller.congested_at() > world_.now() - tick) governor_.path_congested(world_.now());
        }
        auto const grants = governor_.divide(claims, {});
        for (std::size_t i = 0; i < paths_.size(); ++i) paths_[i]->limit(grants[i].rate);
    }

    World& world_;
    Bottleneck& line_;
    Setting const& setting_;
    broker::Urgency urgency_;
    Scheduling scheduling_;  // of its thread
    broker::LineGovernor governor_{broker::LineSettings{}};
    std::vector<std::unique_ptr<OurPath>> paths_;
    Bytes counted_{};
    TimePoint counted_at_{};
};

// Everything of one run.
class Experiment {
public:
    Experiment(Setting const& setting, Sending const& sending, std::uint64_t seed)
        : setting_(setting),
          sending_(sending),
          seed_(seed),
          world_(seed, false),
          line_(world_, setting.line, seed ^ 0x6a697474),
          others_(world_, line_, setting.others, seed) {}

    Outcome run() {
        begin_ours();
        for (auto const& change : setting_.rates) {
            world_.after(change.at, [this, change] { line_.set_rate(change.rate); });
        }
        world_.after(setting_.warm_up, [this] {
            others_before_ = line_.left(Side::others);
            ours_before_ = line_.left(Side::ours);
        });
        sample_queue();
        sample_rate();
        auto const start = world_.now();
        world_.run_until(start + setting_.length);
        outcome_.felt = others_.felt();
        outcome_.others_left = line_.left(Side::others) - others_before_;
        outcome_.ours_left = line_.left(Side::ours) - ours_before_;
        for (auto const& broker : brokers_) {
            for (auto const& path : broker->paths()) {
                for (auto const bytes : path->delivered_by_node()) outcome_.ours_by_node.push_back(bytes);
            }
        }
        return std::move(outcome_);
    }

private:
    void begin_ours() {
        switch (sending_.kind) {
            case Sending::Kind::nothing: return;
            case Sending::Kind::governor:
                for (std::size_t i = 0; i < setting_.brokers; ++i) {
                    brokers_.push_back(
                        std::make_unique<SimulatedBroker>(world_, line_, setting_, sending_, (seed_ << 16) + (i << 8)));
                    world_.after(i * 3s, [broker = brokers_.back().get()] { broker->begin(); });
                }
                return;
            case Sending::Kind::cubic:
                cubic_ = std::make_unique<TcpFlow>(world_, line_, Side::ours, TcpFlow::endless, nullptr);
                return cubic_->begin();
            case Sending::Kind::fixed:
                fixed_ = std::make_unique<FixedRate>(world_, line_, setting_.line.rate * sending_.fixed, sending_.age);
                return fixed_->begin();
        }
    }

    void sample_queue() {
        world_.after(1ms, [this] {
            if (world_.elapsed() > setting_.warm_up) {
                outcome_.queue.push_back(to_seconds(line_.queue()) * 1000);
                outcome_.line_bytes += line_.shape().rate.per_second() / 1000;
            }
            sample_queue();
        });
    }

    void sample_rate() {
        world_.after(tick, [this] {
            auto const left = line_.left(Side::ours);
            outcome_.ours_by_time.push_back(rate_of(left - sampled_, tick) / Mbit(1));
            sampled_ = left;
            sample_rate();
        });
    }

    Setting const& setting_;
    Sending const& sending_;
    std::uint64_t seed_;
    World world_;
    Bottleneck line_;
    Foreground others_;
    std::vector<std::unique_ptr<SimulatedBroker>> brokers_;
    std::unique_ptr<TcpFlow> cubic_;
    std::unique_ptr<FixedRate> fixed_;
    Outcome outcome_;
    Bytes others_before_{};
    Bytes ours_before_{};
    Bytes sampled_{};
};

}  // namespace

Outcome run(Setting const& setting, Sending const& sending, std::uint64_t seed) {
    return Experiment(setting, sending, seed).run();
}

}  // namespace lull::sim
