#include "subscriber/programs/hooks.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes most_kept_output = KiB(2);  // its last words, for the operator's table

}  // namespace

void Hooks::run(RunHook const& order) {
    auto const& [release, hook, as_daemon] = order;
    if (auto const before = going_.find(release.software); before != going_.end()) programs_.cancel(before->second.run);
    auto const tree = layout_.tree(release);
    ProgramRun const run{tree,
                         hook.program,
                         hook.arguments,
                         environment_of(release, layout_),
                         std::chrono::seconds(hook.time_limit),
                         most_kept_output,
                         as_daemon ? ProgramRun::RunAs::daemon : ProgramRun::RunAs::release};
    auto const id = programs_.run(run, [this, order](Result<ProgramResult> const& result) { ended(order, result); });
    going_[release.software] = {id, false};
}

void Hooks::cancel(SoftwareName const& software) {
    auto const found = going_.find(software);
    if (found == going_.end()) return;
    found->second.cancelled = true;
    programs_.terminate(found->second.run);
}

void Hooks::ended(RunHook const& order, Result<ProgramResult> const& result) {
    bool const cancelled = going_.extract(order.release.software).mapped().cancelled;
    auto const hook = fmt::format("hook {} ({} the switch)", order.hook.program, to_text(order.hook.time));
    if (!cancelled && result && result->succeeded()) return tell_(HookEnded{order.release, {}});
    if (cancelled) return tell_(HookEnded{order.release, fail(Fault::cancelled, "{} was cancelled", hook)});
    auto const what = result ? to_text(*result) : result.error().message;
    if (order.as_daemon) {
        return tell_(HookEnded{order.release, fail(Fault::failed, "the new lull-node does not work here: {} {}",
                                                   order.hook.program, what)});
    }
    tell_(HookEnded{order.release, fail(Fault::failed, "{} {}", hook, what)});
}

}  // namespace lull::subscriber
