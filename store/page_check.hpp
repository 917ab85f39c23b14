#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lull::store {

// LMDB 0.9 follows the numbers and offsets that it finds in a page without a look whether they make sense: noise in
// its file ends in SIGSEGV. This looks at every page that the snapshot of `txnid` uses, and says what is wrong with
// the first bad one. Nothing if all look as LMDB writes them, or if no meta page of the file speaks of `txnid`.
// Layout: MDB_meta, MDB_db, MDB_page and MDB_node of mdb.c, on a machine of 64 bits; tables with MDB_DUPSORT are
// refused. Costs one read of the file. A transaction of `txnid` has to be open if others may write meanwhile.
[[nodiscard]] std::optional<std::string> fault_of_pages(int file, std::uint64_t txnid);

}  // namespace lull::store
