#include "subscriber/cli/starter.hpp"

#include <signal.h>
#include <unistd.h>

#include "subscriber/disk/own_program.hpp"
#include "subscriber/disk/start_count.hpp"
#include "subscriber/model/version_order.hpp"
#include "subscriber/tree/tree_program.hpp"

namespace lull::subscriber {

std::optional<ReleaseId> newer_release(Layout const& layout, std::string_view version) {
    auto const software = SoftwareName::parse(starter_software);
    LULL_INVARIANT(software.has_value());
    auto const current = layout.current(*software);
    if (!current || !*current) return std::nullopt;
    auto const& release = **current;
    if (!is_newer_version(release.version.text(), version)) return std::nullopt;
    if (access((layout.tree(release) / starter_program).c_str(), X_OK) != 0) return std::nullopt;
    return release;
}

void start_newer(Layout const& layout, Log& log) {
    auto const release = newer_release(layout, LULL_VERSION);
    if (!release) return;
    StartCount const starts(layout);
    if (starts.of(*release) >= most_starts) {
        return log.error("{} {} was started {} times and never reached the broker; lull-node {} serves in its place",
                         starter_software, release->version.text(), most_starts, LULL_VERSION);
    }
    if (auto const counted = starts.add(*release); !counted) {
        return log.error("{}; lull-node {} serves in place of {}", counted.error().message, LULL_VERSION,
                         release->version.text());
    }
    log.info("starts {} {}", starter_software, release->version.text());
    log.error("{}; lull-node {} serves in its place", become(layout.tree(*release) / starter_program).message,
              LULL_VERSION);
}

Error become(fs::path const& program) {
    auto words = own_arguments();
    words.insert(words.begin(), program.string());
    sigset_t none;  // SIGTERM that has come meanwhile ends this process here
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv(program.c_str(), pointers_to(words).data());
    return fail_errno("run", program).value();
}

}  // namespace lull::subscriber
