#include "bench/quiet/report.hpp"

#include <algorithm>
#include <cstdio>

#include "core/table.hpp"

namespace lull::quiet {

namespace {

char const* name_of(RecordKind kind) {
    switch (kind) {
        case RecordKind::web: return "web";
        case RecordKind::bulk: return "bulk";
        case RecordKind::steady: return "steady";
        case RecordKind::ping: return "ping";
    }
    return "";
}

char const* name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::done: return "done";
        case Outcome::failed: return "failed";
        case Outcome::unfinished: return "unfinished";
    }
    return "";
}

double milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

// What was seen of one kind, in a second or in all.
struct Sum {
    std::vector<double> took;  // milliseconds
    std::uint64_t bytes = 0;
    std::size_t failed = 0;

    void add(Record const& record) {
        bytes += record.bytes;
        if (record.outcome == Outcome::failed) {
            ++failed;
        } else {
            took.push_back(milliseconds(record.took));
        }
    }

    // Nearest rank; the values have to be sorted.
    [[nodiscard]] double percentile(double share) const {
        if (took.empty()) return 0;
        auto const rank = static_cast<std::size_t>(share / 100 * static_cast<double>(took.size()));
        return took[std::min(rank, took.size() - 1)];
    }
};

Sum sum_of(Observations const& seen, RecordKind kind, Span when, double least = 0) {
    Sum sum;
    for (auto const& record : seen.records) {
        if (record.kind == kind && when.contains(record.at)) sum.add(record);
    }
    for (auto& took : sum.took) took -= least;
    std::sort(sum.took.begin(), sum.took.end());
    return sum;
}

std::string in_ms(double value) { return fmt::format("{:.1f}", value); }

std::string percentiles(Sum const& sum) {
    return fmt::format("p50 {:.1f} ms, p90 {:.1f} ms, p99 {:.1f} ms, most {:.1f} ms", sum.percentile(50),
                       sum.percentile(90), sum.percentile(99), sum.took.empty() ? 0 : sum.took.back());
}

// The clocks of two machines have different zeros: what counts is how much longer than the fastest datagram others
// took.
double least_steady(Observations const& seen) {
    double least = 0;
    bool first = true;
    for (auto const& record : seen.records) {
        if (record.kind != RecordKind::steady) continue;
        least = first ? milliseconds(record.took) : std::min(least, milliseconds(record.took));
        first = false;
    }
    return least;
}

std::string table_of_seconds(Plan const& plan, Observations const& seen) {
    Table table({{"SECOND", Align::right},
                 {"WEB", Align::right},
                 {"P50 MS", Align::right},
                 {"MOST MS", Align::right},
                 {"BULK MB/S", Align::right},
                 {"STEADY MBIT/S", Align::right},
                 {"DELAY P50 MS", Align::right},
                 {"PING P50 MS", Align::right},
                 {"PING MOST MS", Align::right}});
    auto const least = least_steady(seen);
    Duration const second = std::chrono::seconds(1);
    for (int i = 0; i * second < plan.length; ++i) {
        Span const when{i * second, (i + 1) * second};
        auto const web = sum_of(seen, RecordKind::web, when);
        auto const bulk = sum_of(seen, RecordKind::bulk, when);
        auto const steady = sum_of(seen, RecordKind::steady, when, least);
        auto const ping = sum_of(seen, RecordKind::ping, when);
        auto const cell = [](Sum const& sum, std::string text) {
            return Cell{sum.took.empty() ? "-" : std::move(text)};
        };
        table.add({Cell{std::to_string(i)}, Cell{plan.web.empty() ? "-" : std::to_string(web.took.size())},
                   cell(web, in_ms(web.percentile(50))), cell(web, in_ms(web.percentile(100))),
                   cell(bulk, fmt::format("{:.2f}", static_cast<double>(bulk.bytes) / 1e6)),
                   cell(steady, fmt::format("{:.2f}", static_cast<double>(steady.bytes) * 8 / 1e6)),
                   cell(steady, in_ms(steady.percentile(50))), cell(ping, in_ms(ping.percentile(50))),
                   cell(ping, in_ms(ping.percentile(100)))});
    }
    return table.render(painting_for_output());
}

}  // namespace

std::string report(Plan const& plan, Observations const& seen) {
    auto text = table_of_seconds(plan, seen) + "\n";
    Span const all{Duration::min(), Duration::max()};
    if (!plan.web.empty()) {
        auto const web = sum_of(seen, RecordKind::web, all);
        text += fmt::format("web: {} requests, {} failed; {}\n", web.took.size() + web.failed, web.failed,
                            percentiles(web));
    }
    for (auto const& bulk : plan.bulk) {
        auto const seconds = milliseconds(bulk.when.end - bulk.when.begin) / 1e3;
        auto const bytes = static_cast<double>(
            sum_of(seen, RecordKind::bulk, {bulk.when.begin, bulk.when.end + std::chrono::milliseconds(100)}).bytes);
        text += fmt::format("bulk, {:.1f} s: {:.2f} MB, {:.3f} MB/s\n", seconds, bytes / 1e6, bytes / 1e6 / seconds);
    }
    if (!plan.steady.empty()) {
        auto const steady = sum_of(seen, RecordKind::steady, all, least_steady(seen));
        text += fmt::format("steady: {} datagrams, {} lost; above the fastest: {}\n", steady.took.size(),
                            seen.steady_lost, percentiles(steady));
    }
    if (plan.ping > Duration::zero()) {
        auto const ping = sum_of(seen, RecordKind::ping, all);
        text += fmt::format("ping: {} answers, {} lost; {}\n", ping.took.size(), seen.pings_lost, percentiles(ping));
    }
    return text;
}

Status write_csv(fs::path const& path, Observations const& seen) {
    auto text = fmt::format("# start {}\nkind,at_ns,took_ns,bytes,outcome\n", seen.start.time_since_epoch().count());
    for (auto const& record : seen.records) {
        fmt::format_to(std::back_inserter(text), "{},{},{},{},{}\n", name_of(record.kind), record.at.count(),
                       record.took.count(), record.bytes, name_of(record.outcome));
    }
    return write_file_durably(path, as_view(text), 0644);
}

}  // namespace lull::quiet
