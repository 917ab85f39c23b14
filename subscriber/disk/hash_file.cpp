#include "subscriber/disk/hash_file.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace lull::subscriber {

namespace {

constexpr std::size_t first_read = 16 * 1024;  // most files of most releases end within this
constexpr std::size_t read_at_once = 256 * 1024;

}  // namespace

tl::unexpected<Error> stopped_at(fs::path const& path) {
    return fail(Fault::cancelled, "stopped at {}, as was ordered", path.string());
}

Result<Digest> hash_file(int file, fs::path const& path, ReadStep const& step) {
    Sha256 hash;
    std::array<std::byte, first_read> small;
    Buffer large;
    std::span<std::byte> block(small);
    off_t offset = 0;
    while (true) {
        auto const got = pread(file, block.data(), block.size(), offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read", path);
        if (got == 0) return hash.finish();
        hash.update(block.first(static_cast<std::size_t>(got)));
        offset += got;
        if (step && !step(Bytes(static_cast<std::size_t>(got)))) return stopped_at(path);
        if (large.empty() && static_cast<std::size_t>(got) == block.size()) {
            large.resize(read_at_once);
            block = large;
        }
    }
}

}  // namespace lull::subscriber
