#include "subscriber/journal/recovery.hpp"

#include <algorithm>

#include "subscriber/disk/object_files.hpp"

namespace lull::subscriber {

Status reconcile(JournalState& state, store::Environment& journal, Layout const& layout, std::string_view boot) {
    ObjectFiles files(layout.incoming());
    store::Batch changes;
    bool const same_boot = state.boot == boot;
    if (!same_boot) changes.push_back(journal::put_boot(boot));
    for (auto entry = state.objects.begin(); entry != state.objects.end();) {
        auto& record = entry->second;
        auto const size = files.size(entry->first);
        if (!size) return pass(size.error());
        if (*size < record.durable) {
            changes.push_back(journal::drop_object(entry->first));
            entry = state.objects.erase(entry);
            continue;
        }
        auto const written = std::min(*size, record.shape.stored - Bytes(1));
        if (same_boot && !record.complete && written > record.durable) {
            if (auto synced = files.sync(entry->first); !synced) return synced;
            record.durable = written;
            changes.push_back(journal::put(record));
        }
        ++entry;
    }
    if (!changes.empty()) {
        if (auto applied = journal.apply(changes); !applied) return applied;
    }
    auto const present = files.list();
    if (!present) return pass(present.error());
    for (auto const& object : *present) {
        if (state.objects.contains(object)) continue;
        if (auto removed = files.remove(object); !removed) return removed;
    }
    return {};
}

}  // namespace lull::subscriber
