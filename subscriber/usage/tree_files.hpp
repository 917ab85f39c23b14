#pragma once

#include <optional>
#include <unordered_map>

#include "subscriber/disk/layout.hpp"
#include "subscriber/proc/file_identity.hpp"

namespace lull::subscriber {

// The files and directories of a version, by identity, and its lock file.
class TreeFiles {
public:
    [[nodiscard]] static Result<TreeFiles> read(Layout const& layout, ReleaseId const& release);

    [[nodiscard]] bool has(FileIdentity const& file) const;
    [[nodiscard]] bool has_inode(std::uint64_t inode) const { return devices_.contains(inode); }
    [[nodiscard]] bool is_lock(FileIdentity const& file) const { return lock_ == file; }
    // That of the tree's own directory.
    [[nodiscard]] dev_t device() const { return device_; }

private:
    dev_t device_ = 0;
    std::unordered_multimap<std::uint64_t, dev_t> devices_;  // by inode
    std::optional<FileIdentity> lock_;
};

}  // namespace lull::subscriber
