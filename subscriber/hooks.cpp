#include "subscriber/hooks.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes most_output = KiB(2);  // its last words, for the operator's table

}  // namespace

void Hooks::run(RunHook const& order) {
    auto const& [release, hook] = order;
    if (auto const before = going_.find(release.software); before != going_.end()) programs_.cancel(before->second);
    auto const tree = layout_.tree(release);
    ProgramRun const run{tree, hook.program, hook.arguments, environment_of(release, tree), std::chrono::seconds(hook.time_limit), most_output};
    going_[release.software] = programs_.run(run, [this, order](Result<ProgramResult> const& result) {
        going_.erase(order.release.software);
        if (result && result->succeeded()) return tell_(HookEnded{order.release, {}});
        tell_(HookEnded{order.release, fail(Fault::failed, "hook {} ({} the switch) {}", order.hook.program, to_text(order.hook.time),
                                            result ? to_text(*result) : result.error().message)});
    });
}

}  // namespace lull::subscriber
