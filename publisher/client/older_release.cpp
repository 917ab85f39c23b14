#include "publisher/client/older_release.hpp"

#include <algorithm>

namespace lull::publisher {

namespace {

Result<ReleaseRow> of_version(std::vector<ReleaseRow> const& releases, std::string const& wanted) {
    auto const& newest = releases.back();
    auto const found = std::ranges::find_if(releases,
                                            [&](ReleaseRow const& row) { return row.version.text() == wanted; });
    if (found == releases.end()) {
        return fail(Fault::refused, "the broker does not have {0} {1} (any more); 'lull list {0}' shows its releases",
                    newest.software.text(), wanted);
    }
    if (found->builds != newest.builds) return *found;
    return fail(Fault::refused, "the newest release of {} already has the contents of {}", newest.software.text(),
                found->version.text());
}

}  // namespace

Result<ReleaseRow> older_release(std::vector<ReleaseRow> const& releases, std::string const& wanted) {
    LULL_INVARIANT(!releases.empty());
    if (!wanted.empty()) return of_version(releases, wanted);
    auto const& newest = releases.back();
    auto const first = std::ranges::find(releases, newest.builds, &ReleaseRow::builds);
    auto const contents = contents_of(first->version);
    bool const is_its_own = contents == first->version;  // else it is a rollback to a release that has left the log
    if (is_its_own && first != releases.begin()) return *(first - 1);
    return fail(Fault::refused,
                "the broker has no release before {0} {1} to return to; to undo a rollback, name the release: lull "
                "rollback {0} --to VERSION ('lull list {0}' shows them)",
                newest.software.text(), contents.text());
}

}  // namespace lull::publisher
