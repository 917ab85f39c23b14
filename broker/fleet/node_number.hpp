#pragma once

#include <cstdint>
#include <cstring>

#include "schema/ids.hpp"

namespace lull::broker {

// A node's index in flat tables, from 0 in the order of enrolment. Holds for the life of a process only.
using NodeNumber = std::uint32_t;

// For unordered containers. Keys are public keys of Curve25519, whose bytes are as good as random.
struct PeerKeyHash {
    std::size_t operator()(PeerKey const& key) const {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        std::memcpy(&first, key.bytes().data(), sizeof first);
        std::memcpy(&last, key.bytes().data() + key.bytes().size() - sizeof last, sizeof last);
        return first ^ last;
    }
};

}  // namespace lull::broker
