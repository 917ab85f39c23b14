#include "subscriber/install/leftovers.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lull::subscriber {

namespace {

constexpr std::string_view suffixes[] = {".manifest", ".seen"};
constexpr std::int64_t a_minute = 60'000'000;  // microseconds

std::string_view without_suffix(std::string_view name) {
    auto const suffix = std::find_if(std::begin(suffixes), std::end(suffixes),
                                     [&](auto ending) { return name.ends_with(ending); });
    return suffix == std::end(suffixes) ? name : name.substr(0, name.size() - suffix->size());
}

Status remove_file(fs::path const& path) {
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return fail_errno("remove", path);
}

// Deletes the files of a directory whose names are chosen; not directories.
template <class Choose>
Status remove_files(fs::path const& directory, Choose choose) {
    auto const names = names_in(directory);
    if (!names) return pass(names.error());
    for (auto const& name : *names) {
        if (!choose(name)) continue;
        if (auto removed = remove_file(directory / name); !removed) return removed;
    }
    return {};
}

// No version's name begins with a dot.
Status clear_half_trees(Layout const& layout, SoftwareName const& software, GoingOn const& going_on) {
    auto const directory = layout.versions(software);
    auto const names = names_in(directory);
    if (!names) return pass(names.error());
    for (auto const& name : *names) {
        if (!name.starts_with('.')) continue;
        if (auto status = remove_tree(directory / name, going_on); !status) return status;
    }
    return {};
}

Status clear_companions(Layout const& layout, SoftwareName const& software) {
    for (auto const& directory : {layout.releases(software), layout.locks(software)}) {
        auto const of_no_version = [&](std::string const& name) {
            auto const release = ReleaseId::parse(software,
                                                  directory == layout.locks(software) ? name : without_suffix(name));
            return is_temporary(name) || !release || !is_there(layout.tree(*release));
        };
        if (auto removed = remove_files(directory, of_no_version); !removed) return removed;
    }
    return {};
}

bool is_old(fs::path const& path, WallTime now) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return false;
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000 < now.micros - a_minute;
}

}  // namespace

Status clear_leftovers(Layout const& layout, SoftwareName const& software, GoingOn const& going_on) {
    if (auto status = clear_half_trees(layout, software, going_on); !status) return status;
    if (auto status = clear_companions(layout, software); !status) return status;
    auto const fresh_link = layout.fresh_link(software).filename();
    return remove_files(layout.software(software),
                        [&](std::string const& name) { return name == fresh_link || is_temporary(name); });
}

Status clear_temporary_files(Layout const& layout, WallTime now) {
    if (auto removed = remove_files(layout.secret(), is_temporary); !removed) return removed;
    return remove_files(layout.holds(), [&](std::string const& name) {
        return is_temporary(name) && is_old(layout.holds() / name, now);
    });
}

}  // namespace lull::subscriber
