#include "subscriber/tree/installed_base.hpp"

#include <sys/stat.h>

#include "core/files.hpp"
#include "subscriber/disk/manifest_files.hpp"

namespace lull::subscriber {

Result<InstalledBase> InstalledBase::open(Layout const& layout, ReleaseId const& release) {
    auto object = load_manifest_object(layout, release);
    if (!object) return pass(object.error());
    auto manifest = load_manifest(layout, release);
    if (!manifest) return pass(manifest.error());
    auto tree = open_file(layout.tree(release), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!tree) return pass(tree.error());
    return InstalledBase(std::move(*manifest), std::move(*object), std::move(*tree));
}

std::optional<FileDescriptor> InstalledBase::open(Entry const& entry) const {
    auto file = open_beneath(tree_.get(), entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    bool const fits = file && fstat(file->get(), &status) == 0 && S_ISREG(status.st_mode) &&
                      static_cast<std::uint64_t>(status.st_size) == entry.size.count();
    if (!fits) return std::nullopt;
    return std::move(*file);
}

Result<Buffer> InstalledBase::read(std::vector<BaseRange> const& ranges) const {
    auto const total = length_of(ranges, manifest_);
    if (!total) return pass(total.error());
    Buffer bytes(total->count());
    std::size_t done = 0;
    for (auto const& range : ranges) {
        auto const& entry = manifest_.entries[range.entry];
        auto const file = open(entry);
        if (!file) return fail(Fault::damaged, "{} of the installed release is not what it was", entry.path);
        auto const part = std::span(bytes).subspan(done, length_of(range, manifest_)->count());
        auto const status = read_exactly(file->get(), range.offset.value_or(Bytes()).count(), part, entry.path);
        if (!status) return fail(Fault::damaged, "{}", status.error().message);
        done += part.size();
    }
    return bytes;
}

}  // namespace lull::subscriber
