#pragma once

#include <functional>
#include <map>
#include <stop_token>

#include "core/workers.hpp"
#include "subscriber/disk/tree_access.hpp"
#include "subscriber/model/actions.hpp"
#include "subscriber/tree/tree_repair.hpp"

namespace lull::subscriber {

// What is done with paths in a tree that are no part of its release.
enum class Strays : std::uint8_t { move, remove };

struct ScannerSettings {
    TrustedKeys trusted;
    Bytes reserve = MiB(16);
    Strays strays = Strays::move;
};

// Compares installed trees with their manifests and repairs them, on a thread of its own, of low priority. Stops when
// the installer wants the trees.
class Scanner {
public:
    // `tell` runs on the loop with TreesScanned. `access` outlives it.
    using Tell = std::function<void(Event)>;
    Scanner(EventLoop& loop, Layout const& layout, ScannerSettings settings, TreeAccess& access, Tell tell);

    ~Scanner() { stop(); }
    Scanner(Scanner const&) = delete;
    Scanner& operator=(Scanner const&) = delete;

    void scan(ScanTrees const& order);
    // The scan of this software ends soon, interrupted unless it is just done.
    void cancel(SoftwareName const& software);
    // The same for all, because the process ends.
    void stop();

private:
    // One scan, on its thread.
    struct Scan {
        ScanTrees const& order;
        std::stop_token stop;
    };
    [[nodiscard]] TreesScanned scan_trees(Scan const& scan) const;
    [[nodiscard]] TreeFindings scan_tree(ReleaseId const& release, Scan const& scan) const;
    void take_strays(ReleaseId const& release, TreeSeen& seen, TreeFindings& findings) const;
    [[nodiscard]] Result<TreeSeen> repair(RepairJob const& job, TreeSeen seen, TreeFindings& findings) const;
    [[nodiscard]] bool is_current_mismatched(ScanTrees const& order, TreesScanned const& outcome) const;
    [[nodiscard]] bool has_to_end(Scan const& scan) const;

    Layout layout_;
    ScannerSettings settings_;
    TreeAccess& access_;
    Tell tell_;
    std::map<SoftwareName, std::stop_source> scans_;
    Workers worker_;
};

}  // namespace lull::subscriber
