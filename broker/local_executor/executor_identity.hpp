#pragma once

#include "broker/data/data_directory.hpp"
#include "schema/identity.hpp"

namespace lull::broker {

// The node that `lull-broker run --calls` starts as its child. A backup leaves it out: all that it holds can be fetched
// again.
struct LocalExecutor {
    JoinBundle bundle;
    fs::path bundle_file;
    fs::path root;          // of the node
    bool enrolled = false;  // just now
};

// Enrols the node of a broker that does not run yet, and writes its join bundle. The same node as before if its bundle
// is still there and its key is enrolled; otherwise a new one, with the first name that is free of executor, executor-2
// and so on. `listen` is where the broker will listen. Fault::refused if nobody may publish here.
[[nodiscard]] Result<LocalExecutor> prepare_local_executor(DataDirectory const& directory, BrokerAddress const& listen,
                                                           WallTime now);

}  // namespace lull::broker
