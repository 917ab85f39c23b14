#pragma once

#include "core/byte_rate.hpp"
#include "core/files.hpp"
#include "core/log.hpp"

namespace lull::broker {

// The operator's own reading of what others send on our line, from a router say: a file that holds a number of bits a second and is
// written anew by whoever measures it.
class ForeignFile {
public:
    ForeignFile(fs::path path, Log& log) : path_(std::move(path)), log_(log) {}

    // Zero if it cannot be read or holds no number, which the log hears of once: then the interface's own counters decide alone.
    [[nodiscard]] ByteRate read();

private:
    fs::path path_;
    Log& log_;
    bool complained_ = false;  // since it could be read
};

}  // namespace lull::broker
