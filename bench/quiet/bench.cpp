#include <csignal>
#include <cstdio>

#include "bench/quiet/report.hpp"
#include "bench/quiet/server.hpp"
#include "bench/quiet/traffic.hpp"
#include "core/command_line.hpp"

// lull-bench: what other traffic notices of a bulk transfer, between two hosts of one's own.

namespace {

using namespace lull;
using namespace lull::quiet;

Status serve(Arguments const& arguments) {
    auto const place = Place::parse(arguments.text("listen"));
    if (!place) return pass(place.error());
    auto listening = listen_on(*place, Transport::tcp, arguments.text("congestion"));
    if (!listening) return pass(listening.error());
    auto datagrams = listen_on(*place, Transport::udp, "");
    if (!datagrams) return pass(datagrams.error());
    EventLoop loop;
    loop.on_signal({SIGINT, SIGTERM}, [&](int) { loop.stop(); });
    Server const server(loop, std::move(*listening), std::move(*datagrams));
    fmt::print(
        "listening on {}, TCP and UDP; whoever reaches it gets traffic, so end it when the measurement is done\n",
        place->to_text());
    std::fflush(stdout);
    loop.run();
    return {};
}

// "WHAT@10s-18s" or "WHAT", which is the whole run.
struct Part {
    std::string what;
    Span when;
};

Result<Part> split_part(std::string const& text, Duration length) {
    auto const at = text.find('@');
    if (at == std::string::npos) return Part{text, {Duration::zero(), length}};
    auto const when = parse_span(text.substr(at + 1));
    if (!when) return pass(when.error());
    return Part{text.substr(0, at), *when};
}

Result<WebPlan> parse_web(std::string const& text, Duration length) {
    auto const part = split_part(text, length);
    if (!part) return pass(part.error());
    auto const colon = part->what.find(':');
    if (colon == std::string::npos) return fail(Fault::usage, "--web is '{}', and has to be like 20/s:30kB", text);
    auto const rate = parse_event_rate(part->what.substr(0, colon));
    if (!rate) return pass(rate.error());
    auto const size = parse_size(part->what.substr(colon + 1));
    if (!size) return pass(size.error());
    if (*size == 0 || *size > web_most)
        return fail(Fault::usage, "--web: an answer has from 1 byte to 256MiB, not {}", *size);
    if (*rate > 10'000)
        return fail(Fault::usage, "--web: {} requests a second are more than this program makes (10000)", *rate);
    return WebPlan{*rate, static_cast<std::uint32_t>(*size), part->when};
}

Result<SteadyPlan> parse_steady(std::string const& text, Duration length) {
    auto const part = split_part(text, length);
    if (!part) return pass(part.error());
    SteadyPlan plan;
    plan.when = part->when;
    auto const colon = part->what.find(':');
    auto const rate = parse_bit_rate(part->what.substr(0, colon));
    if (!rate) return pass(rate.error());
    plan.bits_per_second = *rate;
    if (colon == std::string::npos) return plan;
    auto const size = parse_size(part->what.substr(colon + 1));
    if (!size) return pass(size.error());
    if (*size < datagram_least || *size > datagram_most) {
        return fail(Fault::usage, "--steady: a datagram has from {} to {} bytes, not {}", datagram_least, datagram_most,
                    *size);
    }
    plan.size = static_cast<std::uint32_t>(*size);
    return plan;
}

Result<Plan> plan_of(Arguments const& arguments) {
    Plan plan;
    auto const length = parse_duration(arguments.text("seconds"));
    if (!length) return pass(length.error());
    plan.length = *length;
    if (plan.length <= Duration::zero()) return fail(Fault::usage, "--seconds has to be more than 0");
    for (auto const& text : arguments.all("web")) {
        auto const web = parse_web(text, plan.length);
        if (!web) return pass(web.error());
        plan.web.push_back(*web);
    }
    for (auto const& text : arguments.all("bulk")) {
        auto const when = parse_span(text);
        if (!when) return fail(Fault::usage, "--bulk: {}", when.error().message);
        plan.bulk.push_back({*when});
    }
    for (auto const& text : arguments.all("steady")) {
        auto const steady = parse_steady(text, plan.length);
        if (!steady) return pass(steady.error());
        plan.steady.push_back(*steady);
    }
    if (arguments.has("ping")) {
        auto const ping = parse_duration(arguments.text("ping"));
        if (!ping) return pass(ping.error());
        if (*ping < std::chrono::microseconds(100))
            return fail(Fault::usage, "--ping is '{}', and has to be at least 100us", arguments.text("ping"));
        plan.ping = *ping;
    }
    auto const seed = arguments.number("seed");
    if (!seed) return pass(seed.error());
    plan.seed = *seed;
    if (arguments.flag("keep")) plan.connections = Connections::kept;
    if (plan.web.empty() && plan.bulk.empty() && plan.steady.empty() && plan.ping == Duration::zero()) {
        return fail(Fault::usage, "no traffic is asked for: add --web, --bulk, --steady or --ping");
    }
    return plan;
}

Status traffic(Arguments const& arguments) {
    auto const place = Place::parse(arguments.text("to"));
    if (!place) return pass(place.error());
    auto const plan = plan_of(arguments);
    if (!plan) return pass(plan.error());
    EventLoop loop;
    loop.on_signal({SIGINT, SIGTERM}, [&](int) { loop.stop(); });
    auto const seen = run_traffic(loop, *place, *plan);
    if (!seen) return pass(seen.error());
    fmt::print("{}", report(*plan, *seen));
    return arguments.has("csv") ? write_csv(arguments.text("csv"), *seen) : Status();
}

Command serve_command() {
    return {.name = "serve",
            .summary = "send what 'lull-bench traffic' asks for, until SIGTERM",
            .positional = {},
            .options = {{.name = "listen",
                         .help = "address and port, for TCP and UDP",
                         .placeholder = "HOST:PORT",
                         .required = true},
                        {.name = "congestion",
                         .help = "TCP's congestion control (sysctl net.ipv4.tcp_available_congestion_control)",
                         .placeholder = "NAME"}},
            .example = "lull-bench serve --listen 0.0.0.0:7800",
            .run = serve};
}

Command traffic_command() {
    return {
        .name = "traffic",
        .summary = "make traffic and say how it fared, second by second",
        .positional = {},
        .options =
            {{.name = "to", .help = "where 'lull-bench serve' listens", .placeholder = "HOST:PORT", .required = true},
             {.name = "web",
              .help = "requests at random moments, so many a second, with answers of this size; @FROM-TO: only then",
              .placeholder = "N/s:SIZE[@FROM-TO]",
              .many = true},
             {.name = "bulk",
              .help = "one download as fast as it goes, in this part of the run",
              .placeholder = "FROM-TO",
              .many = true},
             {.name = "steady",
              .help = "datagrams at a constant bit rate, as of a call or a film",
              .placeholder = "RATE[:SIZE][@FROM-TO]",
              .many = true},
             {.name = "ping", .help = "a small datagram there and back, so often", .placeholder = "TIME"},
             {.name = "seconds", .help = "length of the run", .placeholder = "TIME", .fallback = "30"},
             {.name = "seed", .help = "the same seed gives the same moments", .placeholder = "N", .fallback = "1"},
             {.name = "keep", .help = "web requests use connections again; usually each opens its own"},
             {.name = "csv", .help = "write everything that was seen to this file", .placeholder = "FILE"}},
        .example = "lull-bench traffic --to bench.example:7800 --web 20/s:30kB --bulk 10s-18s --seconds 30",
        .run = traffic};
}

}  // namespace

int main(int argc, char** argv) {
    CommandLine program("lull-bench", "what other traffic notices of a transfer, between two hosts of your own",
                        {serve_command(), traffic_command()});
    return program.run(argc, argv);
}
