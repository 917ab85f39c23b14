#include "broker/cli/run_command.hpp"
#include "core/duration.hpp"

namespace lull::broker {

namespace {

// Reads options of numbers and sizes. After the first failure it reads nothing more, and keeps that one.
class OptionReader {
public:
    explicit OptionReader(Arguments const& arguments) : arguments_(arguments) {}

    [[nodiscard]] std::uint64_t number(std::string const& name, std::uint64_t least, std::uint64_t most) {
        auto const number = arguments_.number(name);
        if (number && *number >= least && *number <= most) return *number;
        note(fail(Fault::usage, "--{} is '{}', and has to be a whole number from {} to {}", name, arguments_.text(name),
                  least, most));
        return least;
    }

    [[nodiscard]] Bytes size(std::string const& name) {
        auto const size = parse_bytes(arguments_.text(name));
        if (size) return *size;
        note(fail(Fault::usage, "--{}: {}", name, size.error().message));
        return {};
    }

    [[nodiscard]] Duration duration(std::string const& name, std::chrono::seconds most) {
        auto const duration = parse_duration(arguments_.text(name));
        if (duration && duration->count() > 0 && *duration <= most) return *duration;
        note(fail(Fault::usage, "--{} is '{}', and has to be a time like 90s or 10min, up to {}", name,
                  arguments_.text(name), lull::to_text(Duration(most))));
        return {};
    }

    [[nodiscard]] ByteRate rate(std::string const& name) {
        auto const rate = parse_bit_rate(arguments_.text(name));
        if (rate && !rate->zero()) return *rate;
        note(fail(Fault::usage, "--{}: {}", name, rate ? "it has to be more than 0" : rate.error().message));
        return {};
    }

    [[nodiscard]] Status const& status() const { return status_; }

private:
    void note(Status failure) {
        if (status_) status_ = std::move(failure);
    }

    Arguments const& arguments_;
    Status status_;
};

// "10.3.0.0/16", or with what its line carries at most: "10.3.0.0/16=20Mbit".
struct SiteOption {
    IpNetwork network;
    std::optional<ByteRate> cap;
};

Result<SiteOption> parse_site(std::string const& text) {
    auto const equals = text.find('=');
    auto const network = IpNetwork::parse(std::string_view(text).substr(0, equals));
    if (!network) return fail(Fault::usage, "--site: {}", network.error().message);
    if (equals == std::string::npos) return SiteOption{*network, std::nullopt};
    auto const cap = parse_bit_rate(std::string_view(text).substr(equals + 1));
    if (!cap) return fail(Fault::usage, "--site {}: {}", text, cap.error().message);
    return SiteOption{*network, *cap};
}

Result<std::vector<SiteOption>> sites_of(Arguments const& arguments) {
    std::vector<SiteOption> sites;
    for (auto const& text : arguments.all("site")) {
        auto const site = parse_site(text);
        if (!site) return pass(site.error());
        sites.push_back(*site);
    }
    return sites;
}

// An operator that gives one of these expects that it has an effect.
Status check_governor_is_on(Arguments const& arguments) {
    for (auto const* option : {"line", "site", "window", "cross-traffic"}) {
        if (arguments.all(option).empty()) continue;
        return fail(Fault::usage, "--{} has no effect with --governor off; leave one of them out", option);
    }
    if (arguments.flag("only-quiet"))
        return fail(Fault::usage, "--only-quiet has no effect with --governor off; leave one of them out");
    return {};
}

Result<GovernorSettings> governor_of(Arguments const& arguments, std::vector<SiteOption> const& sites) {
    GovernorSettings governor;
    auto const word = arguments.text("governor");
    if (word != "on" && word != "off") return fail(Fault::usage, "--governor is '{}', and has to be on or off", word);
    governor.on = word == "on";
    if (!governor.on) {
        if (auto status = check_governor_is_on(arguments); !status) return pass(status.error());
    }
    if (auto const line = arguments.text("line"); !line.empty()) {
        auto const rate = parse_bit_rate(line);
        if (!rate) return fail(Fault::usage, "--line: {}", rate.error().message);
        governor.line.configured = *rate;
    }
    if (auto const window = arguments.text("window"); !window.empty()) {
        auto schedule = Schedule::parse(window);
        if (!schedule) return fail(Fault::usage, "--window: {}", schedule.error().message);
        governor.schedule = std::move(*schedule);
    }
    if (arguments.flag("only-quiet")) governor.line.progress = governor.path.progress = 0;
    for (auto const& site : sites) {
        if (site.cap) governor.caps.emplace(site.network.text(), *site.cap);
    }
    return governor;
}

Result<BrokerSettings> broker_of(Arguments const& arguments, std::vector<SiteOption> const& sites) {
    auto governor = governor_of(arguments, sites);
    if (!governor) return pass(governor.error());
    OptionReader read(arguments);
    BrokerSettings settings;
    auto const least_cap = settings.sender.window;
    settings.governor = std::move(*governor);
    settings.beacon = std::chrono::seconds(read.number("beacon", 1, 3600));
    settings.sender.transfers = read.number("transfers", 1, 100'000);
    settings.governor.line.transfers = settings.sender.transfers;
    settings.sender.cap = read.size("cap");
    settings.keep = read.number("keep", 1, 1'000'000);
    settings.patch_space = read.size("patch-space");
    settings.patch_wait = std::chrono::seconds(read.number("patch-wait", 0, 3600));
    settings.scrub = std::chrono::hours(24 * read.number("scrub", 0, 3650));
    settings.calls.rate = read.rate("call-rate");
    settings.calls.time = read.duration("call-time", std::chrono::seconds(limits::call_seconds));
    settings.calls.per_node = read.number("calls-per-node", 1, settings.calls.live);
    settings.calls.per_minute = read.number("calls-per-minute", 1, 100'000);
    if (!read.status()) return pass(read.status().error());
    if (settings.sender.cap >= least_cap) return settings;
    return fail(Fault::usage, "--cap is {}, and has to be at least {}", to_text(settings.sender.cap),
                to_text(least_cap));
}

// The child would refuse what is wrong here, but only after the start.
Status check_allowed(std::vector<std::string> const& allowed, bool calls) {
    if (calls && allowed.empty())
        return fail(Fault::usage, "--calls needs --allow-calls NAME: the software whose callable programs may run");
    if (!calls && !allowed.empty()) return fail(Fault::usage, "--allow-calls has no effect without --calls");
    if (allowed.size() > limits::served_software)
        return fail(Fault::usage, "--allow-calls: at most {} pieces of software can be served",
                    limits::served_software);
    for (auto const& text : allowed) {
        if (auto const name = SoftwareName::parse(text); !name)
            return fail(Fault::usage, "--allow-calls: {}", name.error().message);
    }
    return {};
}

}  // namespace

Result<RunSettings> run_settings(Arguments const& arguments) {
    auto const level = parse_log_level(arguments.text("log-level"));
    if (!level) return pass(level.error());
    auto const sites = sites_of(arguments);
    if (!sites) return pass(sites.error());
    auto broker = broker_of(arguments, *sites);
    if (!broker) return pass(broker.error());
    auto const listen = parse_listen(arguments.text("listen"), PeerKey());
    if (!listen) return pass(listen.error());
    auto const address = advertised(*listen, arguments.text("advertise"));
    if (!address) return pass(address.error());
    std::vector<IpNetwork> networks;
    for (auto const& site : *sites) networks.push_back(site.network);
    DaemonSettings daemon{DataDirectory(arguments.text("data")), *listen, std::move(*broker), std::move(networks),
                          arguments.text("cross-traffic")};
    RunSettings settings{std::move(daemon), *address, *level, arguments.all("allow-calls")};
    if (auto status = check_allowed(settings.allowed, arguments.flag("calls")); !status) return pass(status.error());
    return settings;
}

}  // namespace lull::broker
