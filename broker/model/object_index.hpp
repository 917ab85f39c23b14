#pragma once

#include <optional>

#include "store/packs.hpp"

namespace lull::broker {

// Which objects are stored here, durably.
class ObjectIndex {
public:
    virtual ~ObjectIndex() = default;
    [[nodiscard]] virtual std::optional<store::ObjectPlace> find(Digest const& object) const = 0;
};

}  // namespace lull::broker
