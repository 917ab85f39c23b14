#include "publisher/release/program_check.hpp"

#include <algorithm>
#include <tuple>

#include "publisher/release/callable.hpp"

namespace lull::publisher {

namespace {

Status check_program(Release const& release, std::string_view option, std::string const& program) {
    auto const& entries = release.manifest.entries;
    auto const entry = std::find_if(entries.begin(), entries.end(),
                                    [&](Entry const& one) { return one.path == program; });
    bool const runs = entry != entries.end() &&
                      (entry->type == EntryType::symlink || (entry->type == EntryType::file && entry->executable));
    bool const leaves = runs && entry->target && entry->target->starts_with('/');
    if (leaves) {
        return fail(Fault::usage,
                    "--{}: '{}' is a link that leaves the release; name a file of the release, such as a "
                    "script that starts it",
                    option, program);
    }
    if (runs) return {};
    return fail(Fault::usage, "--{}: the release has no executable file '{}'", option, program);
}

}  // namespace

Status check_programs(Release const& release, Distribution const& distribution) {
    if (auto runs = check_callable(release.manifest, distribution.callable); !runs) return runs;
    if (!distribution.activation) return {};
    auto const& [health, hooks] = std::tie(distribution.activation->health, distribution.activation->hooks);
    if (health) {
        if (auto runs = check_program(release, "health", health->program); !runs) return runs;
    }
    for (auto const& hook : hooks.value_or(std::vector<Hook>())) {
        if (auto runs = check_program(release, fmt::format("{}-switch", to_text(hook.time)), hook.program); !runs)
            return runs;
    }
    return {};
}

}  // namespace lull::publisher
