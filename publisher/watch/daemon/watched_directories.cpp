#include "publisher/watch/daemon/watched_directories.hpp"

#include <unordered_set>

namespace lull::publisher::watch {

std::vector<int> WatchedDirectories::replace(SoftwareName const& software, std::vector<WatchedDirectory> directories,
                                             Excludes excludes) {
    auto& tree = trees_[software];
    std::unordered_set<int> current;
    for (auto& directory : directories) {
        current.insert(directory.watch);
        places_.insert_or_assign(directory.watch, Place{software, std::move(directory.path)});
    }
    std::vector<int> gone;
    for (auto const watch : tree.watches) {
        auto const place = places_.find(watch);
        if (current.contains(watch) || place == places_.end() || place->second.software != software) continue;
        gone.push_back(watch);
        places_.erase(place);
    }
    tree.watches.assign(current.begin(), current.end());
    tree.excludes = std::move(excludes);
    return gone;
}

std::vector<int> WatchedDirectories::forget(SoftwareName const& software) {
    auto gone = replace(software, {}, {});
    trees_.erase(software);
    return gone;
}

std::optional<SoftwareName> WatchedDirectories::changed_by(Inotify::Event const& event) const {
    auto const place = places_.find(event.watch);
    if (place == places_.end()) return std::nullopt;
    auto const& [software, directory] = place->second;
    if (event.name.empty()) return software;
    auto const path = directory.empty() ? event.name : directory + "/" + event.name;
    if (path == options_file || path == version_file) return software;
    if (is_of_publisher(path)) return std::nullopt;
    auto const tree = trees_.find(software);
    if (tree != trees_.end() && tree->second.excludes.match(path)) return std::nullopt;
    return software;
}

}  // namespace lull::publisher::watch
