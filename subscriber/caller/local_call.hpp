#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/call.hpp"
#include "schema/codec.hpp"
#include "schema/ids.hpp"

// What `lull-node call` and the daemon of its node say to each other on ROOT/.call/socket: frames of a type, a length
// in four bytes (big-endian) and so many bytes.

namespace lull::subscriber {

enum class LocalFrame : std::uint8_t {
    request = 'R',    // to the daemon, first and once: LocalRequest
    input = 'I',      // to the daemon: bytes of standard input
    input_end = 'E',  // to the daemon: standard input has ended
    output = 'O',     // bytes for standard output
    errors = 'X',     // bytes for standard error
    progress = 'P',   // a line for people, while the program has not begun
    end = 'F',        // the last one: LocalEnd
};

inline constexpr std::size_t local_header = 5;
inline constexpr std::size_t most_local_payload = std::size_t{128} << 10;

struct LocalRequest {
    SoftwareName software;
    std::string program{};  // empty: the only one that is callable
    std::vector<Buffer> arguments{};
    CallLimits limits{};
    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("p", self.program);
        visit("a", self.arguments);
        visit("l", self.limits);
    }
    bool operator==(LocalRequest const&) const = default;
};

// What the command ends with.
struct LocalEnd {
    std::uint64_t status = 0;  // exit status
    std::string message{};     // for standard error, if there is anything to say
    static void describe(auto& self, auto& visit) {
        visit("s", self.status);
        visit("m", self.message);
    }
    bool operator==(LocalEnd const&) const = default;
};

[[nodiscard]] Buffer local_frame(LocalFrame type, View payload);

// Cuts a stream of bytes into frames.
class LocalFrames {
public:
    struct Frame {
        LocalFrame type = LocalFrame::end;
        Buffer payload;
    };
    void add(View bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    // The next whole frame; nothing if more bytes are needed; Fault::damaged for one that is too long.
    [[nodiscard]] Result<std::optional<Frame>> next();
    [[nodiscard]] bool empty() const { return bytes_.empty(); }

private:
    Buffer bytes_;
};

}  // namespace lull::subscriber
