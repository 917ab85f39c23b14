#pragma once

#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

// Files without a record are worth nothing, and records without their bytes neither: only what both know counts. What a
// process that was killed had written beyond that counts as well, once it is durable; not after a start of the machine,
// which may have lost any of it. The last byte of an object always comes from the broker: whoever finishes an object
// checks it. `boot`: the id of the machine's present start. Changes the journal to match.
[[nodiscard]] Status reconcile(JournalState& state, store::Environment& journal, Layout const& layout,
                               std::string_view boot);

}  // namespace lull::subscriber
