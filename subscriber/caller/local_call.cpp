#include "subscriber/caller/local_call.hpp"

namespace lull::subscriber {

Buffer local_frame(LocalFrame type, View payload) {
    LULL_INVARIANT(payload.size() <= most_local_payload);
    Buffer frame;
    frame.reserve(local_header + payload.size());
    frame.push_back(static_cast<std::byte>(type));
    for (unsigned shift : {24U, 16U, 8U, 0U}) frame.push_back(static_cast<std::byte>((payload.size() >> shift) & 0xFF));
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
}

Result<std::optional<LocalFrames::Frame>> LocalFrames::next() {
    if (bytes_.size() < local_header) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t i = 1; i < local_header; ++i) size = size << 8 | std::to_integer<std::size_t>(bytes_[i]);
    if (size > most_local_payload) return fail(Fault::damaged, "a frame of {} bytes", size);
    if (bytes_.size() < local_header + size) return std::nullopt;
    auto const begin = bytes_.begin() + local_header;
    auto const end = begin + static_cast<std::ptrdiff_t>(size);
    Frame frame{static_cast<LocalFrame>(bytes_.front()), Buffer(begin, end)};
    bytes_.erase(bytes_.begin(), end);
    return frame;
}

}  // namespace lull::subscriber
