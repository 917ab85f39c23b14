#include "broker/calls/call_admission.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace lull::broker {

namespace {

std::uint64_t whole_seconds(Duration duration) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

// The first of them, for a message.
std::string shown_names(std::vector<std::string> const& names) {
    constexpr std::size_t most = 8;
    std::vector<std::string> shown;
    for (auto const& name : names) {
        if (shown.size() < most) shown.push_back(lull::quoted(name));
    }
    return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > most ? ", ..." : "");
}

}  // namespace

std::optional<CallCause> CallAdmission::complete(Call& request) const {
    if (auto const valid = validate_call(request.program, request.arguments, request.limits); !valid)
        return CallCause{CallReason::invalid, valid.error().message};
    auto const* const release = parts_.log.at(request.seq);
    if (release == nullptr || release->info.software != request.software) {
        return CallCause{CallReason::no_release,
                         fmt::format("the broker has no release {} of {}", request.seq.value, request.software.text())};
    }
    if (auto cause = complete_program(request, *release)) return cause;
    auto const most = whole_seconds(settings_.time);
    if (request.limits.time.value_or(most) > most) {
        return CallCause{CallReason::time_limit,
                         fmt::format("a time limit of {} s is more than the {} s that this broker allows (--call-time)",
                                     *request.limits.time, most)};
    }
    request.limits.time = request.limits.time.value_or(most);
    return std::nullopt;
}

std::optional<CallCause> CallAdmission::complete_program(Call& request, Release const& release) const {
    auto const& info = release.info;
    auto const callable = info.callable.value_or(std::vector<std::string>());
    auto const name = fmt::format("{} {}", info.software.text(), info.version.text());
    if (callable.empty()) {
        return CallCause{CallReason::not_callable,
                         fmt::format("{} lists no callable program (lull publish --callable)", name)};
    }
    if (request.program.empty()) {
        if (callable.size() > 1) {
            return CallCause{CallReason::invalid,
                             fmt::format("{} has {} callable programs; name one with --program: {}", name,
                                         callable.size(), shown_names(callable))};
        }
        request.program = callable.front();
    }
    if (std::ranges::find(callable, request.program) != callable.end()) return std::nullopt;
    return CallCause{CallReason::not_callable, fmt::format("{} does not list {} as callable (lull publish --callable)",
                                                           name, lull::quoted(request.program))};
}

std::optional<CallCause> CallAdmission::take_room(Call const& request, PeerKey const& node, std::size_t waiting,
                                                  TimePoint now) {
    auto const& software = request.software;
    if (!parts_.executors.serves(software)) {
        return CallCause{CallReason::no_executor,
                         fmt::format("no connected node serves {0}; one does with: lull-node daemon --serve-calls "
                                     "--allow-calls {0}",
                                     software.text())};
    }
    if (parts_.table.full()) {
        return CallCause{
            CallReason::busy,
            fmt::format("the broker has {} calls that run and {} that it remembers, and may "
                        "have {} and {}",
                        parts_.table.live().size(), parts_.table.records().size(), settings_.live, settings_.known)};
    }
    if (waiting >= settings_.queue) {
        return CallCause{CallReason::busy,
                         fmt::format("{} calls wait for {}, the most that may", settings_.queue, software.text())};
    }
    switch (quota_.take(node, now)) {
        case CallQuota::Verdict::granted: return std::nullopt;
        case CallQuota::Verdict::too_many:
            return CallCause{CallReason::too_many,
                             fmt::format("this node has {} calls at once, the most that it may (--calls-per-node)",
                                         settings_.per_node)};
        case CallQuota::Verdict::too_often: break;
    }
    return CallCause{CallReason::too_often, fmt::format("this node made {} calls in a minute, the most that it may "
                                                        "(--calls-per-minute)",
                                                        settings_.per_minute)};
}

}  // namespace lull::broker
