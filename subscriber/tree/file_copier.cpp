#include "subscriber/tree/file_copier.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "subscriber/tree/sparse_write.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t read_at_once = std::size_t{1} << 20;
constexpr Bytes write_back_at_once = MiB(8);

}  // namespace

bool FileCopier::reflink(int from, int to) {
    if (!can_reflink_) return false;
    if (ioctl(to, FICLONE, from) == 0) return true;
    can_reflink_ = errno != EOPNOTSUPP && errno != ENOTTY && errno != EXDEV && errno != ENOSYS;
    return false;
}

Result<Digest> FileCopier::copy(int from, int to, Entry const& entry, fs::path const& path) {
    auto const size = entry.size;
    if (reflink(from, to)) {
        // A source that grows meanwhile must leave nothing behind the end.
        if (ftruncate(to, static_cast<off_t>(size.count())) != 0) return fail_errno("shorten", path);
        return hash_file(to, path, step_);
    }
    if (auto made = make_hole(to, entry, path); !made) return pass(made.error());
    block_.resize(std::max<std::size_t>(block_.size(), std::min<std::size_t>(size.count(), read_at_once)));
    Sha256 hash;
    Bytes done{};
    Bytes written_back{};
    while (done < size) {
        auto const wanted = std::min<std::size_t>((size - done).count(), block_.size());
        auto const got = pread(from, block_.data(), wanted, static_cast<off_t>(done.count()));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read what is to be copied to", path);
        if (got == 0) break;
        Bytes const length(static_cast<std::size_t>(got));
        auto const piece = View(block_).first(length.count());
        hash.update(piece);
        if (auto written = write_contents(to, entry, done, piece, path); !written) return pass(written.error());
        done += length;
        if (done - written_back >= write_back_at_once || done == size) {
            if (auto begun = writeback_.wrote(to, written_back, done - written_back); !begun)
                return pass(begun.error());
            written_back = done;
        }
        if (step_ && !step_(length)) return stopped_at(path);
    }
    return hash.finish();
}

}  // namespace lull::subscriber
