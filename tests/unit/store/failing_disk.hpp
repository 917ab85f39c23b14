#pragma once

namespace lull::store::test {

// From now on every fsync(2) and fdatasync(2) of this process fails with EIO, as on a disk that is dying.
void fail_every_sync();

// From now on a meta page of an LMDB database (one of the first two of its file) cannot be written: ENOSPC.
void fail_every_meta_page();

}  // namespace lull::store::test
