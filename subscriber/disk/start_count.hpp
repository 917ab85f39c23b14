#pragma once

#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// How often in a row a release of lull-node was started here without a connection to the broker
// (ROOT/.lull/starts: the release's directory name and a number).
class StartCount {
public:
    explicit StartCount(Layout layout) : layout_(std::move(layout)) {}

    // 0 for a release that was not the last one to be started. A file that cannot be read counts as none.
    [[nodiscard]] unsigned of(ReleaseId const& release) const;
    // Durable before the release is started.
    [[nodiscard]] Status add(ReleaseId const& release) const;
    // There is a connection. Fine if nothing was counted.
    void clear() const;

private:
    [[nodiscard]] fs::path file() const { return layout_.secret() / "starts"; }

    Layout layout_;
};

}  // namespace lull::subscriber
