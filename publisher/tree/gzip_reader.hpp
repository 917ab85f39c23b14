#pragma once

#include <memory>
#include <string>

#include "core/files.hpp"

// The home of zlib.

namespace lull::publisher {

// Reads a gzip file (RFC 1952, also of several members) and checks the CRC and the size at its end; libarchive's filter
// checks neither. Memory: two blocks.
class GzipReader {
public:
    [[nodiscard]] static Result<GzipReader> open(fs::path const& path);

    // The next piece, which stays until the next call; empty at the end. Fault::damaged where the file is.
    [[nodiscard]] Result<View> read();

private:
    struct Close {
        void operator()(void* file) const;
    };
    explicit GzipReader(void* file) : file_(file) {}

    std::unique_ptr<void, Close> file_;
    Buffer block_;
};

}  // namespace lull::publisher
