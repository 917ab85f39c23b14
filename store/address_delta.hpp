#pragma once

#include <stop_token>

#include "schema/manifest.hpp"
#include "store/address_space.hpp"

// A delta for programs: new bytes as blocks of old ones, in which addresses are foreseen, with what differs from that,
// and what is new. The format is described in schema/PROTOCOL.md, section 4.

namespace lull::store {

// Whether these bytes begin like such a delta.
[[nodiscard]] bool is_address_delta(View frame);

// Nothing if it was stopped, or is no way to get there with less than the bytes as they are. Memory: about seven bytes
// for each of the base and the plain bytes. The base is below 1 GiB.
[[nodiscard]] std::optional<Buffer> make_address_delta(View base, AddressSpace const& old_space, View plain,
                                                       AddressSpace const& new_space, std::stop_token const& stop = {});

// What it says of the size of its plain bytes; nothing if it does not.
[[nodiscard]] std::optional<Bytes> plain_size_of_address_delta(View frame);

// Fills `plain` with what comes out, which may be anything if the base is another one. Fault::damaged if the delta
// breaks the format.
[[nodiscard]] Status apply_address_delta(View base, View frame, std::span<std::byte> plain);

// What applying one of this size takes beside base, frame and plain bytes, at most; nothing if it is too large to be of
// use.
[[nodiscard]] Bytes memory_of_address_delta(Bytes plain, Bytes frame);

}  // namespace lull::store
