#include "publisher/tree/gzip_reader.hpp"

#include <zlib.h>

#include <cerrno>

namespace lull::publisher {

namespace {

constexpr unsigned block_size = 256 * 1024;

gzFile handle(void* file) { return static_cast<gzFile>(file); }

}  // namespace

void GzipReader::Close::operator()(void* file) const { gzclose_r(handle(file)); }

Result<GzipReader> GzipReader::open(fs::path const& path) {
    auto* const file = gzopen(path.c_str(), "rbe");
    if (file == nullptr) return fail_errno("read", path);
    gzbuffer(file, block_size);
    return GzipReader(file);
}

Result<View> GzipReader::read() {
    block_.resize(block_size);
    int const size = gzread(handle(file_.get()), block_.data(), block_size);
    int problem = Z_OK;
    char const* const why = gzerror(handle(file_.get()), &problem);
    if (problem == Z_BUF_ERROR) return fail(Fault::damaged, "it ends early");
    if (size < 0) return fail(Fault::damaged, "{}", problem == Z_ERRNO ? strerror(errno) : why);
    return View(block_).first(static_cast<std::size_t>(size));
}

}  // namespace lull::publisher
