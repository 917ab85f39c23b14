#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.hpp"

// A fleet of nodes as the broker's decision code sees it: events without sockets, a disk that is done at once, and a
// clock that the bench moves. Measures the CPU time of each event.

namespace lull::bench {

// CPU times of events of one kind.
class Timings {
public:
    void add(Duration spent);
    [[nodiscard]] std::size_t count() const { return all_.size(); }
    [[nodiscard]] double mean_us() const;
    [[nodiscard]] double longest_ms() const;

private:
    std::vector<Duration> all_;
};

struct FleetSize {
    std::size_t nodes = 50'000;
    std::size_t software = 10;
    std::size_t releases = 10;  // of each software, in the log
};

class LargeFleet {
public:
    static constexpr broker::SessionId at_operator = 1;

    explicit LargeFleet(FleetSize size);

    void connect_all();
    // Every node reports that the release before the newest is active, for each software.
    void report_all();
    // A node reports the newest release of a software as active.
    void report_newest(std::size_t node, std::size_t software);
    void fetch(std::size_t node);
    void disconnect(std::size_t node);
    void second();
    // The clock goes on, and nothing else happens.
    void pass(Duration time);
    void follow(std::size_t software);
    // All pages of an answer; returns how many rows they have.
    std::size_t ask_all(std::string_view kind, Admin question);
    void start_anew();

    [[nodiscard]] std::map<std::string, Timings, std::less<>> const& timings() const { return timings_; }
    [[nodiscard]] FleetSize const& size() const { return size_; }
    void forget_timings() { timings_.clear(); }

    // Bytes that the process has allocated and not freed.
    [[nodiscard]] static double allocated_mb();

private:
    // One object stands for all.
    class OneObject final : public broker::ObjectIndex {
    public:
        [[nodiscard]] std::optional<store::ObjectPlace> find(Digest const& object) const override {
            return store::ObjectPlace{1, Bytes(), {object, ObjectCodec::raw, MiB(1), MiB(1)}};
        }
    };

    [[nodiscard]] broker::BrokerState state() const;
    void begin(broker::BrokerState state);
    [[nodiscard]] Seq newest(std::size_t software) const;
    void report(std::size_t node, std::size_t software, Report report);
    void from_node(std::string_view kind, std::size_t node, Message message);
    // Performs an event, then all that becomes durable by it; returns the actions.
    broker::Actions on(std::string_view kind, broker::Event event);

    FleetSize size_;
    OneObject index_;
    Moment now_{TimePoint(std::chrono::hours(1)), WallTime{1'800'000'000'000'000}};
    std::uint64_t revision_ = 0;
    std::map<std::string, Timings, std::less<>> timings_;
    std::unique_ptr<broker::Broker> broker_;
};

}  // namespace lull::bench
