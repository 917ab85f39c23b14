#pragma once

#include <functional>

#include "core/workers.hpp"
#include "subscriber/actions.hpp"
#include "subscriber/tree_access.hpp"
#include "subscriber/tree_mend.hpp"

namespace lull::subscriber {

struct ScannerSettings {
    TrustedKeys trusted;
    Bytes reserve = MiB(16);
};

// Looks at installed trees and puts them right, on a thread of its own, of low priority. Stops when the installer wants the trees.
class Scanner {
public:
    // `tell` runs on the loop with TreesScanned. `access` outlives it.
    using Tell = std::function<void(Event)>;
    Scanner(EventLoop& loop, Layout const& layout, ScannerSettings settings, TreeAccess& access, Tell tell);

    void scan(ScanTrees const& order);

private:
    [[nodiscard]] TreesScanned look(ScanTrees const& order) const;
    [[nodiscard]] TreeFindings look_at(ReleaseId const& release, ScanTrees const& order) const;
    [[nodiscard]] Result<TreeSeen> mend(MendJob const& job, TreeSeen seen, TreeFindings& findings) const;
    [[nodiscard]] bool is_astray(ScanTrees const& order, TreesScanned const& outcome) const;
    [[nodiscard]] ReadStep while_idle() const;

    Layout layout_;
    ScannerSettings settings_;
    TreeAccess& access_;
    Tell tell_;
    Workers worker_;
};

}  // namespace lull::subscriber
