#include "tests/sim/line/figures.hpp"

#include <algorithm>
#include <numeric>

namespace lull::sim {

namespace {

constexpr double tick = 0.02;  // s: Outcome::ours_by_time

double ratio(std::vector<double> const& with_us, std::vector<double> const& alone, double share) {
    return alone.empty() || with_us.empty() ? 1 : percentile(with_us, share) / percentile(alone, share);
}

// Jain, Chiu, Hawe: A Quantitative Measure of Fairness, 1984.
double fairness(std::vector<double> const& shares) {
    auto const sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    auto const squares = std::inner_product(shares.begin(), shares.end(), shares.begin(), 0.0);
    return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 1;
}

// Seconds from `begin` on until the mean of five ticks fulfils what is asked; to the end of the run if never.
double until(Outcome const& outcome, double begin, auto const& asked) {
    constexpr std::size_t together = 5;
    auto const& rates = outcome.ours_by_time;
    for (auto i = static_cast<std::size_t>(begin / tick); i + together <= rates.size(); ++i) {
        auto const first = rates.begin() + static_cast<std::ptrdiff_t>(i);
        if (asked(std::accumulate(first, first + together, 0.0) / together))
            return static_cast<double>(i) * tick - begin;
    }
    return static_cast<double>(rates.size()) * tick - begin;
}

void measure_download(Figures& figures, Setting const& setting, Outcome const& with_us) {
    auto const bulk = std::find_if(setting.others.begin(), setting.others.end(),
                                   [](Traffic const& traffic) { return traffic.kind == Traffic::Kind::bulk; });
    if (bulk == setting.others.end()) return;
    auto const line = setting.line.rate / Mbit(1);
    constexpr double little = 0.1;
    constexpr double most = 0.8;
    figures.gone = until(with_us, to_seconds(bulk->begin), [&](double rate) { return rate < little * line; });
    figures.back = until(with_us, to_seconds(bulk->end), [&](double rate) { return rate > most * line; });
}

}  // namespace

double percentile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    auto const place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

Figures compare(Setting const& setting, Outcome const& with_us, Outcome const& alone) {
    constexpr double half = 0.5;
    constexpr double nearly_all = 0.99;
    Figures figures;
    bool const requests = !alone.felt.requests.empty();
    auto const& felt = requests ? with_us.felt.requests : with_us.felt.packets;
    auto const& felt_alone = requests ? alone.felt.requests : alone.felt.packets;
    figures.p50 = ratio(felt, felt_alone, half);
    figures.p99 = ratio(felt, felt_alone, nearly_all);
    auto const left = alone.line_bytes - static_cast<double>(alone.others_left.count());
    figures.residual = static_cast<double>(with_us.ours_left.count()) / left;
    if (!alone.felt.bulk.zero()) {
        figures.kept = static_cast<double>(with_us.felt.bulk.count()) / static_cast<double>(alone.felt.bulk.count());
    }
    measure_download(figures, setting, with_us);
    figures.queue_p50 = percentile(with_us.queue, half);
    figures.queue_p99 = percentile(with_us.queue, nearly_all);
    figures.jain = fairness(with_us.ours_by_node);
    figures.mbit = rate_of(with_us.ours_left, setting.length - setting.warm_up) / Mbit(1);
    return figures;
}

Figures measure(Setting const& setting, Sending const& sending, std::uint64_t seed) {
    Sending const nothing{.kind = Sending::Kind::nothing};
    return compare(setting, run(setting, sending, seed), run(setting, nothing, seed));
}

Figures median(std::vector<Figures> const& runs) {
    auto const of = [&](double Figures::*figure) {
        std::vector<double> values;
        for (auto const& run : runs) values.push_back(run.*figure);
        constexpr double half = 0.5;
        return percentile(values, half);
    };
    Figures result;
    for (auto const figure :
         {&Figures::p50, &Figures::p99, &Figures::residual, &Figures::kept, &Figures::gone, &Figures::back,
          &Figures::queue_p50, &Figures::queue_p99, &Figures::jain, &Figures::mbit}) {
        result.*figure = of(figure);
    }
    return result;
}

}  // namespace lull::sim
