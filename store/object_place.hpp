#pragma once

#include <cstdint>

#include "schema/messages.hpp"

namespace lull::store {

// Where an object lies.
struct ObjectPlace {
    std::uint32_t pack = 0;
    Bytes offset{};  // of the stored bytes in the pack file
    ObjectShape shape;
};

}  // namespace lull::store
