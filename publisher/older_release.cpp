#include "publisher/older_release.hpp"

#include <algorithm>

namespace lull::publisher {

namespace {

Result<ReleaseRow> of_version(std::vector<ReleaseRow> const& releases, std::string const& wanted) {
    auto const& newest = releases.back();
    auto const found = std::ranges::find_if(releases, [&](ReleaseRow const& row) { return row.version.text() == wanted; });
    if (found == releases.end()) {
        return fail(Fault::refused, "the broker has no {0} {1} any more, or never had it; 'lull list {0}' shows what it has", newest.software.text(), wanted);
    }
    if (found->builds != newest.builds) return *found;
    return fail(Fault::refused, "{} {} is what the newest release has already", newest.software.text(), found->version.text());
}

}  // namespace

Result<ReleaseRow> older_release(std::vector<ReleaseRow> const& releases, std::string const& wanted) {
    LULL_INVARIANT(!releases.empty());
    if (!wanted.empty()) return of_version(releases, wanted);
    auto const& newest = releases.back();
    auto const first = std::ranges::find(releases, newest.builds, &ReleaseRow::builds);
    auto const contents = contents_of(first->version);
    bool const is_its_own = contents == first->version;  // else it went back itself, to what the broker has removed with all before it
    if (is_its_own && first != releases.begin()) return *(first - 1);
    return fail(Fault::refused, "there is no release before {} {} to go back to", newest.software.text(), contents.text());
}

}  // namespace lull::publisher
