#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/files.hpp"
#include "core/units.hpp"

// The home of LMDB: an environment with named tables, opened once a process. Default (full) sync only.

namespace lull::store {

// A change to one key. `value` empty (nullopt) deletes.
struct Change {
    std::string table;
    Buffer key;
    std::optional<Buffer> value;
};

// Changes that become durable together or not at all.
using Batch = std::vector<Change>;

struct EnvironmentOptions {
    fs::path directory;
    std::vector<std::string> tables;
    Bytes first_map = MiB(16);    // grows by doubling when full
    Bytes largest_map = GiB(64);  // Fault::no_space beyond this
    bool read_only = false;       // a second process may look on while the owner writes
};

// An LMDB environment. All members may be called from one thread at a time, except get() and scan(), which may run
// beside apply().
class Environment {
public:
    // Makes the directory (0700) and the tables where they are missing. Fault::damaged with what to do (restore a
    // backup) if the file is no LMDB database or its format version is not ours; Fault::refused if another process has
    // it open for writing.
    [[nodiscard]] static Result<Environment> open(EnvironmentOptions options);

    [[nodiscard]] Result<std::optional<Buffer>> get(std::string_view table, View key) const;

    // Calls `visit` for each pair with key >= `from`, in order, until it returns false. Keys and values are valid only
    // inside the call. One read transaction, closed before it returns; `visit` must not call apply(), nor wait for a
    // thread that does.
    [[nodiscard]] Status scan(std::string_view table, View from,
                              std::function<bool(View key, View value)> const& visit) const;

    // One write transaction: all changes, in this order, or none; durable when it returns. Grows the map and replays
    // when it is full. Keys have 1 to 511 bytes (Fault::usage). Fault::no_space when disk or map end; a failed fsync
    // ends the process.
    [[nodiscard]] Status apply(std::vector<Batch const*> const& batches);
    [[nodiscard]] Status apply(Batch const& batch) { return apply(std::vector<Batch const*>{&batch}); }

    // Frees reader slots of dead processes (mdb_reader_check); call at open and every minute.
    void drop_stale_readers();

    // A consistent copy of the database into an empty directory while others write (mdb_env_copy2, compacting).
    [[nodiscard]] Status copy_to(fs::path const& directory) const;

    ~Environment();
    Environment(Environment&&) noexcept;
    Environment& operator=(Environment&&) noexcept;

private:
    struct State;
    explicit Environment(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Big-endian 8 bytes, so that keys sort as numbers; and text keys with a zero byte between parts.
[[nodiscard]] Buffer key_of(std::uint64_t number);
[[nodiscard]] Result<std::uint64_t> number_of(View key);

}  // namespace lull::store
