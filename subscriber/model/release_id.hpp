#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "schema/ids.hpp"

namespace lull::subscriber {

// One release of one software, as its place in the log numbers it.
struct ReleaseId {
    SoftwareName software;
    Seq seq;
    VersionName version;

    // "12-1.4.2".
    [[nodiscard]] std::string directory_name() const;
    // The reverse; Fault::damaged for anything that directory_name() does not give.
    [[nodiscard]] static Result<ReleaseId> parse(SoftwareName const& software, std::string_view directory_name);

    auto operator<=>(ReleaseId const&) const = default;
};

}  // namespace lull::subscriber
