#pragma once

#include <string_view>

#include "store/environment.hpp"
#include "subscriber/disk/layout.hpp"
#include "subscriber/model/records.hpp"

// The journal as it lies on disk: one table for each kind of record (store/FORMAT.md describes them).

namespace lull::subscriber {

namespace journal {
inline constexpr char const* meta = "meta";
inline constexpr char const* software = "software";
inline constexpr char const* outbox = "outbox";
inline constexpr char const* objects = "objects";
inline constexpr char const* scans = "scans";

[[nodiscard]] store::Change put(Cursor const& cursor);
[[nodiscard]] store::Change put(SoftwareName const& name, SoftwareRecord const& record);
[[nodiscard]] store::Change put(Report const& report);
[[nodiscard]] store::Change put(ObjectRecord const& record);
[[nodiscard]] store::Change put(SoftwareName const& name, ScanRecord const& record);
[[nodiscard]] store::Change put_orders(OrderSet const& orders);
[[nodiscard]] store::Change put_own_orders(OrderSet const& orders);
[[nodiscard]] store::Change put_boot(std::string_view id);
[[nodiscard]] store::Change drop_report(SoftwareName const& name);
[[nodiscard]] store::Change drop_object(Digest const& object);

// Reads all tables. Fault::damaged names the table and what to do.
[[nodiscard]] Result<JournalState> load(store::Environment const& environment);

// Opens ROOT/.lull/journal, for the daemon (one a root) or for reading only.
enum class Access { write, look };
[[nodiscard]] Result<store::Environment> open(Layout const& layout, Access access);
}  // namespace journal

}  // namespace lull::subscriber
