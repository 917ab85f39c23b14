#pragma once

#include <map>
#include <unordered_map>

#include "publisher/watch/daemon/tree_look.hpp"

namespace lull::publisher::watch {

// Which tree each of the kernel's watches belongs to.
class WatchedDirectories {
public:
    // Replaces the watches of a tree; returns those that it has no more.
    [[nodiscard]] std::vector<int> replace(SoftwareName const& software, std::vector<WatchedDirectory> directories,
                                           Excludes excludes);
    // Forgets a tree; returns its watches.
    [[nodiscard]] std::vector<int> forget(SoftwareName const& software);
    // The kernel has removed this watch.
    void removed(int watch) { places_.erase(watch); }

    // The tree in which an event is a change; nothing for an unknown watch and for what is left out of the release.
    [[nodiscard]] std::optional<SoftwareName> changed_by(Inotify::Event const& event) const;

private:
    struct Place {
        SoftwareName software;
        std::string path;
    };
    struct Tree {
        std::vector<int> watches;
        Excludes excludes;
    };
    std::unordered_map<int, Place> places_;
    std::map<SoftwareName, Tree> trees_;
};

}  // namespace lull::publisher::watch
