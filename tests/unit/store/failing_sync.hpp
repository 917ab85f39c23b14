#pragma once

namespace lull::store::test {

// From now on every fsync(2) and fdatasync(2) of this process fails with EIO, as on a disk that is dying.
void fail_every_sync();

}  // namespace lull::store::test
