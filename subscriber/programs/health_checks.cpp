#include "subscriber/programs/health_checks.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes most_output = KiB(2);  // its last words, for the operator's table

}  // namespace

HealthChecks::HealthChecks(EventLoop& loop, Layout const& layout, std::string user, Tell tell)
    : loop_(loop),
      layout_(layout),
      programs_(loop, std::move(user)),
      tell_(std::move(tell)) {}

HealthChecks::~HealthChecks() {
    for (auto& [software, going] : going_) stop(going);
}

void HealthChecks::check(CheckHealth const& order) {
    auto const& software = order.release.software;
    if (auto const before = going_.find(software); before != going_.end()) stop(before->second);
    going_.insert_or_assign(software, Going{order, 0, std::nullopt, std::nullopt, false});
    try_once(software);
}

void HealthChecks::stop(Going& going) {
    if (going.run) programs_.cancel(*going.run);
    if (going.pause) loop_.cancel(*going.pause);
}

void HealthChecks::cancel(SoftwareName const& software) {
    auto const found = going_.find(software);
    if (found == going_.end()) return;
    auto& going = found->second;
    going.cancelled = true;
    if (going.run) return programs_.terminate(*going.run);
    loop_.cancel(*going.pause);
    tell_cancelled(software);
}

void HealthChecks::tell_cancelled(SoftwareName const& software) {
    auto const order = std::move(going_.extract(software).mapped().order);
    tell_(HealthFound{order.release, fail(Fault::cancelled, "health check {} was cancelled", order.check.program)});
}

void HealthChecks::try_once(SoftwareName const& software) {
    auto& going = going_.at(software);
    auto const& [release, check] = going.order;
    auto const tree = layout_.tree(release);
    ProgramRun const run{tree,
                         check.program,
                         check.arguments,
                         environment_of(release, layout_),
                         std::chrono::seconds(check.time_limit),
                         most_output};
    ++going.tried;
    going.pause.reset();
    going.run = programs_.run(run, [this, software](Result<ProgramResult> result) { tried(software, result); });
}

void HealthChecks::tried(SoftwareName const& software, Result<ProgramResult> const& result) {
    auto& going = going_.at(software);
    going.run.reset();
    // Also one that ended with 0: it may have done so because of SIGTERM.
    if (going.cancelled) return tell_cancelled(software);
    bool const works = result && result->succeeded();
    if (!works && going.tried < going.order.check.tries) {
        going.pause = loop_.after(std::chrono::seconds(going.order.check.pause),
                                  [this, software] { try_once(software); });
        return;
    }
    auto const order = std::move(going.order);
    auto const tries = going.tried;
    going_.erase(software);
    if (works) return tell_(HealthFound{order.release, {}});
    auto const what = result ? to_text(*result) : result.error().message;
    tell_(HealthFound{order.release, fail(Fault::failed, "health check {} {}{}", order.check.program, what,
                                          tries > 1 ? fmt::format(" ({} tries)", tries) : "")});
}

}  // namespace lull::subscriber
