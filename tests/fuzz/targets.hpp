#pragma once

#include <string_view>
#include <vector>

#include "core/bytes.hpp"

// What is fuzzed: each takes any bytes, and aborts if code that reads them from outside broke a promise.

namespace lull::fuzz {

// decode_announcement, decode_header and decode_body; the first byte chooses the message. What is read is written
// alike.
void message(View bytes);
// decode<Manifest> and validate; what is valid cannot name or point to anything outside of its tree.
void manifest(View bytes);
// decode_patch and length_of; what is read is written alike, and no base is longer than it may be.
void patch(View bytes);
// apply_delta on any frame gives the segment or nothing, apply_address_delta on any side information ends well, and
// decode_patch on what it gives.
void delta(View bytes);
// validate_path and validate_link on a text of two lines; the same promise.
void path(View bytes);
// Envelopes, update-info and manifest objects that nobody trusted has signed are never opened.
void envelope(View bytes);
// Key files, join bundles, addresses and names; what is read is written alike, and errors are fit for a terminal.
void identity(View bytes);
// Orders and rollouts, as bytes and as people write them; a set never holds two orders of one kind and scope, and what
// is valid rises to all nodes.
void orders(View bytes);

struct Target {
    std::string_view name;
    void (*run)(View bytes);
    std::vector<Buffer> (*seeds)();  // good inputs to begin with
};

// All of them.
[[nodiscard]] std::vector<Target> const& targets();

// The one with this name; aborts if there is none.
[[nodiscard]] Target const& target(std::string_view name);

}  // namespace lull::fuzz
