#include "subscriber/proc/tree_walk.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "subscriber/proc/proc_files.hpp"

namespace lull::subscriber {

namespace {

// Some file systems do not tell the type with the name.
unsigned char type_of(int directory, dirent const& entry) {
    if (entry.d_type != DT_UNKNOWN) return entry.d_type;
    struct stat status {};
    if (fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
    return static_cast<unsigned char>(IFTODT(status.st_mode));
}

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

// False: the visitor has had enough.
Result<bool> walk(FileDescriptor directory, fs::path const& path, TreeVisitor const& visitor) {
    if (auto entered = visitor.enter(directory.get(), path); !entered) return pass(entered.error());
    std::unique_ptr<DIR, int (*)(DIR*)> const stream(fdopendir(directory.get()), closedir);
    if (!stream) return fail_errno("list", path);
    int const handle = directory.release();
    errno = 0;
    while (dirent const* const entry = readdir(stream.get())) {
        if (is_dots(entry->d_name)) continue;
        auto const type = type_of(handle, *entry);
        auto go_on = Result<bool>(true);
        if (type == DT_DIR) {
            auto below = open_at(handle, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (!below.valid()) return fail_errno("open", path / entry->d_name);
            go_on = walk(std::move(below), path / entry->d_name, visitor);
        } else {
            go_on = visitor.visit({handle, entry->d_name, entry->d_ino, type == DT_REG, &path});
        }
        if (!go_on || !*go_on) return go_on;
        errno = 0;
    }
    if (errno != 0) return fail_errno("list", path);
    return true;
}

}  // namespace

Status walk_tree(fs::path const& tree, TreeVisitor const& visitor) {
    auto top = open_file(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!top) return pass(top.error());
    auto const walked = walk(*std::move(top), tree, visitor);
    return walked ? Status() : pass(walked.error());
}

}  // namespace lull::subscriber
