#include "subscriber/tree_files.hpp"

namespace lull::subscriber {

Result<TreeFiles> TreeFiles::read(Layout const& layout, ReleaseId const& release) {
    TreeFiles files;
    auto const tree = layout.tree(release);
    auto const top = identify(AT_FDCWD, tree.c_str(), AT_SYMLINK_NOFOLLOW);
    if (!top || !files.add(tree)) return fail_errno("look at", tree);
    files.device_ = top->device;
    std::error_code problem;
    fs::recursive_directory_iterator entries(tree, problem);
    while (!problem && entries != fs::recursive_directory_iterator()) {
        if (!files.add(entries->path())) return fail_errno("look at", entries->path());
        entries.increment(problem);
    }
    if (problem) return fail(Fault::failed, "cannot list {}: {}", tree.string(), problem.message());
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

bool TreeFiles::add(fs::path const& path) {
    auto const file = identify(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW);
    if (file) devices_.emplace(file->inode, file->device);
    return file.has_value();
}

}  // namespace lull::subscriber
