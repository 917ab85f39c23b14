#include "subscriber/disk/object_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "schema/limits.hpp"
#include "subscriber/disk/hash_file.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_open = 16;

}  // namespace

Result<int> ObjectFiles::open(Digest const& object) {
    auto const found = std::find_if(open_.begin(), open_.end(),
                                    [&](OpenFile const& file) { return file.object == object; });
    if (found != open_.end()) {
        open_.splice(open_.begin(), open_, found);
        return open_.front().file.get();
    }
    auto const path = path_of(object);
    auto file = open_file(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (!file && file.error().fault == Fault::not_found) {
        file = open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        new_names_ = true;
    }
    if (!file) return pass(file.error());
    struct stat status {};
    if (fstat(file->get(), &status) != 0) return fail_errno("open", path);
    if (!S_ISREG(status.st_mode)) {
        return fail(Fault::damaged, "cannot open {}: it is not a regular file; remove it", path.string());
    }
    if (open_.size() >= most_open) open_.pop_back();
    open_.push_front({object, *std::move(file)});
    return open_.front().file.get();
}

Status ObjectFiles::write(Digest const& object, Bytes offset, View bytes) {
    auto const most = limits::stored_object.count();
    if (offset.count() > most || bytes.size() > most - offset.count()) {
        return fail(Fault::usage, "cannot write {} at byte {} of object {}: objects end at {}",
                    to_text(Bytes(bytes.size())), offset.count(), object.hex(), to_text(limits::stored_object));
    }
    auto const file = open(object);
    if (!file) return pass(file.error());
    return write_exactly(*file, offset.count(), bytes, path_of(object));
}

Status ObjectFiles::sync(Digest const& object) {
    auto const file = open(object);
    if (!file) return pass(file.error());
    sync_file_or_die(*file, path_of(object));
    if (new_names_) sync_directory_or_die(directory_);
    new_names_ = false;
    return {};
}

Status ObjectFiles::remove(Digest const& object) {
    open_.remove_if([&](OpenFile const& file) { return file.object == object; });
    auto const path = path_of(object);
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
    return {};
}

Result<Bytes> ObjectFiles::size(Digest const& object) const {
    auto const path = path_of(object);
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) return Bytes(static_cast<std::uint64_t>(status.st_size));
    if (errno == ENOENT) return Bytes(0);
    return fail_errno("find out the size of", path);
}

Result<std::vector<Digest>> ObjectFiles::list() const {
    auto const names = names_in(directory_);
    if (!names) return pass(names.error());
    std::vector<Digest> objects;
    for (auto const& name : *names) {
        if (auto digest = Digest::parse(name); digest && digest->hex() == name) objects.push_back(*digest);
    }
    return objects;
}

Result<Digest> ObjectFiles::hash(Digest const& object) {
    auto const file = open(object);
    if (!file) return pass(file.error());
    return hash_file(*file, path_of(object));
}

Result<Buffer> ObjectFiles::read(Digest const& object, Bytes most) const { return read_file(path_of(object), most); }

}  // namespace lull::subscriber
