#include "broker/foreign_file.hpp"

#include <charconv>
#include <cmath>
#include <optional>

namespace lull::broker {

namespace {

std::optional<double> bits_in(fs::path const& path) {
    auto const contents = read_file(path, KiB(4));
    if (!contents) return std::nullopt;
    auto const text = as_text(*contents);
    double bits = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    bool const sound = error == std::errc() && std::isfinite(bits) && bits >= 0;
    return sound ? std::optional(bits) : std::nullopt;
}

}  // namespace

ByteRate ForeignFile::read() {
    auto const bits = bits_in(path_);
    if (!bits && !complained_) {
        log_.warn("{} holds no number of bits a second: until it does, others' traffic is known by this machine's counters only", path_.string());
    }
    complained_ = !bits;
    return ByteRate(bits.value_or(0) / 8);
}

}  // namespace lull::broker
