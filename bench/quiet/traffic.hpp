#pragma once

#include <memory>
#include <vector>

#include "bench/quiet/exchange.hpp"
#include "bench/quiet/quantities.hpp"
#include "core/event_loop.hpp"

namespace lull::quiet {

// Requests that come at random (Poisson), whether or not the ones before have been answered.
struct WebPlan {
    double per_second = 0;
    std::uint32_t size = 0;
    Span when;
};

struct BulkPlan {
    Span when;
};

// Datagrams at a constant bit rate.
struct SteadyPlan {
    double bits_per_second = 0;
    std::uint32_t size = 1250;
    Span when;
};

enum class Connections { fresh, kept };

struct Plan {
    std::vector<WebPlan> web;
    std::vector<BulkPlan> bulk;
    std::vector<SteadyPlan> steady;
    Duration ping{};  // how often, or zero
    Duration length{};
    std::uint64_t seed = 1;
    Connections connections = Connections::fresh;
};

enum class RecordKind { web, bulk, steady, ping };
enum class Outcome { done, failed, unfinished };

// One thing that was seen: a request answered, bytes of a download, a datagram.
struct Record {
    RecordKind kind = RecordKind::web;
    Duration at{};    // since the start; of requests and pings: when they were due
    Duration took{};  // requests: from when it was due to the last byte; pings: there and back; steady: on the way, by
                      // two clocks
    std::uint64_t bytes = 0;
    Outcome outcome = Outcome::done;
};

struct Observations {
    TimePoint start;
    std::vector<Record> records;
    std::uint64_t pings_lost = 0;
    std::uint64_t steady_lost = 0;
};

// Makes the planned traffic and returns what was seen of it; takes as long as the plan says, and up to five seconds for
// what is still on its way. Fault::unreachable if the server does not answer at all.
[[nodiscard]] Result<Observations> run_traffic(EventLoop& loop, Place const& server, Plan const& plan);

}  // namespace lull::quiet
