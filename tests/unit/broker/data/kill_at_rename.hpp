#pragma once

namespace lull::broker::test {

// From now on rename(2) kills this process before it does anything (SIGKILL), as a crash at that moment would.
void kill_at_next_rename();

}  // namespace lull::broker::test
