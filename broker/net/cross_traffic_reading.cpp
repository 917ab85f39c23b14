#include "broker/net/cross_traffic_reading.hpp"

#include <charconv>
#include <cmath>

#include "core/files.hpp"
#include "core/http.hpp"

namespace lull::broker {

namespace {

constexpr Bytes most = KiB(4);
constexpr Duration longest_wait = std::chrono::seconds(3);
constexpr Duration oldest = std::chrono::seconds(5);

std::optional<ByteRate> rate_in(std::string_view text) {
    double bits = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    bool const sound = error == std::errc() && std::isfinite(bits) && bits >= 0;
    return sound ? std::optional(ByteRate(bits / 8)) : std::nullopt;
}

std::optional<ByteRate> read_from(std::string const& source) {
    if (is_http_url(source)) {
        auto const body = http_get(source, most, longest_wait);
        return body ? rate_in(*body) : std::nullopt;
    }
    auto const contents = read_file(source, most);
    return contents ? rate_in(as_text(*contents)) : std::nullopt;
}

}  // namespace

void CrossTrafficReading::refresh() {
    if (reading_) return;
    reading_ = true;
    worker_.submit([source = source_] { return read_from(source); },
                   [this](std::optional<ByteRate> rate) { take(rate); });
}

void CrossTrafficReading::take(std::optional<ByteRate> rate) {
    reading_ = false;
    read_at_ = loop_.now();
    rate_ = rate;
    if (!rate && !complained_) {
        log_.warn(
            "{} gives no number of bits a second: until it does, others' traffic is known by this machine's counters "
            "only",
            source_);
    }
    complained_ = !rate;
}

ByteRate CrossTrafficReading::latest() const { return rate_ && loop_.now() - read_at_ < oldest ? *rate_ : ByteRate(); }

}  // namespace lull::broker
