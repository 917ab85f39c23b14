#pragma once

#include <cstdint>
#include <string_view>

#include "schema/messages.hpp"

// Frames as PROTOCOL.md draws them: header [version, type, flags], MessagePack body, raw payload.

namespace lull::wire {

inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t header_size = 3;

// What a subscriber subscribes to, and what the broker subscribes to at its publishers; a group's topic will be
// "g/NAME/".
inline constexpr std::string_view everybody = "all/";

// What one node subscribes to besides: "node/NAME/". ORDERS that are for it go there.
inline constexpr std::string_view one_node = "node/";
[[nodiscard]] std::string topic_of(NodeName const& node);

// Exchange: the first frame of a multipart message.
[[nodiscard]] Buffer encode_header(MessageType type);
[[nodiscard]] Result<MessageType> decode_header(View frame);

// Announce and ingest: topic, header and body in a single frame, because a welcome message can have but one.
[[nodiscard]] Buffer encode_announcement(Message const& message);
[[nodiscard]] Result<Message> decode_announcement(View frame);

// The body that belongs to a message, and back. Unknown types and bodies over their bound are Fault::damaged.
[[nodiscard]] Buffer encode_body(Message const& message);
[[nodiscard]] Result<Message> decode_body(MessageType type, View body);

}  // namespace lull::wire
