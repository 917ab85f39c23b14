#include "subscriber/usage/tree_files.hpp"

#include <sys/sysmacros.h>

#include "subscriber/proc/tree_walk.hpp"

namespace lull::subscriber {

// On a disk of its own a directory already says which file a name is. Overlays and the like may say something else than
// stat does.
Result<TreeFiles> TreeFiles::read(Layout const& layout, ReleaseId const& release) {
    TreeFiles files;
    auto const tree = layout.tree(release);
    bool one_disk = true;  // so far
    auto const enter = [&](int directory, fs::path const& path) -> Status {
        auto const opened = identify(directory);
        if (!opened) return fail_errno("look at", path);
        auto const device = opened->file.device;
        if (path == tree) files.device_ = device;
        one_disk = one_disk && device == files.device_ && major(device) != 0;
        files.devices_.emplace(opened->file.inode, device);
        return {};
    };
    auto const visit = [&](TreeEntry const& entry) -> Result<bool> {
        if (one_disk) {
            files.devices_.emplace(entry.inode, files.device_);
            return true;
        }
        auto const file = identify(entry.directory, entry.name, AT_SYMLINK_NOFOLLOW);
        if (!file) return fail_errno("look at", entry.path());
        files.devices_.emplace(file->inode, file->device);
        return true;
    };
    if (auto walked = walk_tree(tree, {enter, visit}); !walked) return pass(walked.error());
    files.lock_ = identify(AT_FDCWD, layout.lock(release).c_str(), AT_SYMLINK_NOFOLLOW);
    return files;
}

bool TreeFiles::has(FileIdentity const& file) const {
    auto const [begin, end] = devices_.equal_range(file.inode);
    for (auto known = begin; known != end; ++known) {
        if (known->second == file.device) return true;
    }
    return false;
}

}  // namespace lull::subscriber
