#include "store/environment.hpp"

#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "store/durable_directory.hpp"
#include "store/owner_lock.hpp"
#include "store/page_check.hpp"

namespace lull::store {

namespace {

constexpr std::uint64_t format_version = 1;
constexpr char const* meta_table = "meta";
constexpr std::string_view format_key = "format";
constexpr char const* data_name = "data.mdb";        // LMDB's own name
constexpr char const* unborn_name = "data.mdb.new";  // becomes data.mdb when its first commit is durable
constexpr std::size_t longest_key = 511;
constexpr int exit_after_lost_write = 70;  // EX_SOFTWARE of sysexits.h

struct CloseEnvironment {
    void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
using Handle = std::unique_ptr<MDB_env, CloseEnvironment>;

// Aborts unless it was committed. LMDB frees a transaction in either case, also when the commit fails.
class Transaction {
public:
    Transaction() = default;
    ~Transaction() { abort(); }
    Transaction(Transaction&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;

    [[nodiscard]] int begin(MDB_env* environment, unsigned flags) {
        return mdb_txn_begin(environment, nullptr, flags, &txn_);
    }
    [[nodiscard]] int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }
    void abort() {
        if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
    }
    [[nodiscard]] MDB_txn* get() const { return txn_; }

private:
    MDB_txn* txn_ = nullptr;
};

MDB_val value_of(View bytes) { return {bytes.size(), const_cast<std::byte*>(bytes.data())}; }
View view_of(MDB_val const& value) { return {static_cast<std::byte const*>(value.mv_data), value.mv_size}; }

bool means_damage(int code) {
    return code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_VERSION_MISMATCH || code == MDB_PAGE_NOTFOUND ||
           code == MDB_INCOMPATIBLE || code == MDB_PANIC || code == MDB_BAD_TXN;  // the last: after one of these
}

tl::unexpected<Error> damaged(fs::path const& directory, std::string_view why) {
    return fail(Fault::damaged, "database {} is damaged ({}): restore it from a backup or move it away",
                directory.string(), why);
}

// The Error for a code of LMDB (negative) or errno (positive).
tl::unexpected<Error> failed(int code, std::string_view verb, fs::path const& directory) {
    if (means_damage(code)) return damaged(directory, mdb_strerror(code));
    if (code > 0) {
        errno = code;
        return fail_errno(fmt::format("{} the database", verb), directory);
    }
    return fail(Fault::failed, "cannot {} the database {}: {}", verb, directory.string(), mdb_strerror(code));
}

// What the disk holds is no longer certain: the process ends, and whoever restarts it finds the last durable commit.
[[noreturn]] void die(fs::path const& directory, char const* what) {
    std::fprintf(stderr, "cannot write the database %s: %s; this process ends and has to be started again\n",
                 directory.c_str(), what);
    end_after_lost_write();
}

// True where a write or an fsync failed, so that nobody knows what reached the disk: never to be tried again.
// MDB_PANIC: a meta page could not be written.
bool is_uncertain(int code, bool committing) {
    if (code == MDB_PANIC || code == EIO) return true;
    return committing && code > 0 && code != ENOSPC && code != EDQUOT && code != ENOMEM;
}

// LMDB calls it where a page makes no sense; it must not return.
void die_of_bad_page(MDB_env* environment, char const* assertion) {
    auto const* const directory = static_cast<fs::path const*>(mdb_env_get_userctx(environment));
    std::fprintf(stderr, "database %s is damaged (%s): restore it from a backup or move it away\n",
                 directory != nullptr ? directory->c_str() : "", assertion);
    std::fflush(stderr);
    _exit(exit_after_lost_write);
}

// A database that holds its format and nothing else, complete before it gets its name: a data file that is there
// is therefore never a half-made one.
Status make_database(fs::path const& directory) {
    auto const unborn = directory / unborn_name;
    if (auto status = remove_tree(unborn); !status) return status;
    MDB_env* raw = nullptr;
    int code = mdb_env_create(&raw);
    Handle environment(raw);
    if (code == 0) code = mdb_env_set_maxdbs(raw, 1);
    if (code == 0) code = mdb_env_open(raw, unborn.c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    Transaction transaction;
    if (code == 0) code = transaction.begin(raw, 0);
    MDB_dbi meta = 0;
    if (code == 0) code = mdb_dbi_open(transaction.get(), meta_table, MDB_CREATE, &meta);
    auto const version = key_of(format_version);
    MDB_val key = value_of(as_view(format_key));
    MDB_val value = value_of(version);
    if (code == 0) code = mdb_put(transaction.get(), meta, &key, &value, 0);
    if (code == 0) code = transaction.commit();
    transaction.abort();
    if (code != 0) return failed(code, "make", directory);
    environment.reset();
    if (rename(unborn.c_str(), (directory / data_name).c_str()) != 0) return fail_errno("rename", unborn);
    sync_directory_or_die(directory);
    return {};
}

std::uint64_t whole_pages(std::uint64_t bytes) {
    auto const page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

Bytes size_of(Batch const& batch) {
    Bytes sum;
    for (auto const& change : batch) sum += Bytes(change.key.size() + (change.value ? change.value->size() : 0));
    return sum;
}

}  // namespace

struct Environment::State {
    explicit State(EnvironmentOptions wanted) : options(std::move(wanted)) {}

    EnvironmentOptions options;
    FileDescriptor lock;  // ours alone while we may write
    Handle handle;
    std::map<std::string, std::optional<MDB_dbi>, std::less<>> tables;  // nullopt: not made yet, reads as empty
    std::shared_mutex map;  // shared while a read transaction is open, exclusive while the map is replaced

    [[nodiscard]] fs::path data_file() const { return options.directory / data_name; }

    [[nodiscard]] Status open();
    [[nodiscard]] Status open_handle(std::uint64_t file_size);
    [[nodiscard]] Status check_length(std::uint64_t file_size) const;
    [[nodiscard]] Status check_pages(MDB_txn* transaction) const;
    [[nodiscard]] Status open_tables();
    [[nodiscard]] Status make_tables(std::vector<std::string> const& missing);
    [[nodiscard]] Status lengthen_file(std::uint64_t size) const;
    [[nodiscard]] Status grow();
    [[nodiscard]] Status write(std::function<int(MDB_txn*)> const& change, Bytes size);
    [[nodiscard]] bool is_dead() const;
    [[nodiscard]] bool is_short_of(Bytes size) const;

    // A read transaction, and what keeps the map in place meanwhile.
    struct Reading {
        std::shared_lock<std::shared_mutex> map;
        Transaction transaction;
    };
    [[nodiscard]] Result<Reading> read();

    [[nodiscard]] std::optional<MDB_dbi> table(std::string_view name) const {
        auto const found = tables.find(name);
        LULL_INVARIANT(found != tables.end());
        return found->second;
    }
    [[nodiscard]] std::uint64_t map_size() const {
        MDB_envinfo info{};
        mdb_env_info(handle.get(), &info);
        return info.me_mapsize;
    }
};

Status Environment::State::open() {
    tables.emplace(meta_table, std::nullopt);
    for (auto const& name : options.tables) tables.emplace(name, std::nullopt);
    struct stat status {};
    if (!options.read_only) {
        if (auto made = make_durable_directory(options.directory); !made) return made;
        auto owned = own_database(options.directory);
        if (!owned) return pass(owned.error());
        lock = std::move(*owned);
        if (stat(data_file().c_str(), &status) != 0 && errno == ENOENT) {
            if (auto made = make_database(options.directory); !made) return made;
        } else if (auto removed = remove_tree(options.directory / unborn_name); !removed) {  // of a crash
            return removed;
        }
    }
    if (stat(data_file().c_str(), &status) != 0) return fail_errno("open the database", data_file());
    auto const file_size = static_cast<std::uint64_t>(status.st_size);
    if (auto opened = open_handle(file_size); !opened) return opened;
    return open_tables();
}

Status Environment::State::open_handle(std::uint64_t file_size) {
    if (file_size == 0) return damaged(options.directory, "its file is empty");  // LMDB would begin anew
    MDB_env* raw = nullptr;
    int code = mdb_env_create(&raw);
    handle.reset(raw);
    if (code == 0) code = mdb_env_set_maxdbs(raw, static_cast<MDB_dbi>(tables.size()));
    if (code == 0) code = mdb_env_set_userctx(raw, &options.directory);
    if (code == 0) code = mdb_env_set_assert(raw, &die_of_bad_page);
    if (code == 0 && !options.read_only) {
        auto const most = std::max(options.first_map, options.largest_map).count();
        code = mdb_env_set_mapsize(raw, whole_pages(std::clamp(file_size, options.first_map.count(), most)));
    }
    // NOTLS: a reader's slot belongs to its transaction, not to its thread.
    unsigned const flags = MDB_NOTLS | (options.read_only ? unsigned{MDB_RDONLY} : 0U);
    if (code == 0) code = mdb_env_open(raw, options.directory.c_str(), flags, 0600);
    if (code != 0) return failed(code, "open", options.directory);
    if (auto whole = check_length(file_size); !whole) return whole;
    int file = -1;
    if (mdb_env_get_fd(raw, &file) == 0) fcntl(file, F_SETFD, FD_CLOEXEC);  // LMDB 0.9.24 forgets this one
    return options.read_only ? Status() : lengthen_file(map_size());
}

// Reading a page behind the end of the file would end in SIGBUS. The file always has the length of the map (most of it
// a hole), so a shorter one was cut by somebody; see lengthen_file().
Status Environment::State::check_length(std::uint64_t file_size) const {
    MDB_stat pages{};
    MDB_envinfo info{};
    int code = mdb_env_stat(handle.get(), &pages);
    if (code == 0) code = mdb_env_info(handle.get(), &info);
    if (code != 0) return failed(code, "open", options.directory);
    auto const needed = (info.me_last_pgno + 1) * pages.ms_psize;
    if (file_size >= needed) return {};
    return damaged(options.directory, fmt::format("its file has {} bytes, and {} are in use", file_size, needed));
}

// LMDB leaves out pages at the end that were taken and freed in one transaction, so that the length of its file would
// prove nothing.
Status Environment::State::lengthen_file(std::uint64_t size) const {
    int file = -1;
    struct stat status {};
    if (mdb_env_get_fd(handle.get(), &file) != 0 || fstat(file, &status) != 0)
        return fail_errno("measure", data_file());
    if (static_cast<std::uint64_t>(status.st_size) >= size) return {};
    if (ftruncate(file, static_cast<off_t>(size)) != 0) return fail_errno("lengthen", data_file());
    return {};
}

// The pages of a snapshot stay as they are while a transaction reads it, whoever writes meanwhile.
Status Environment::State::check_pages(MDB_txn* transaction) const {
    int file = -1;
    if (int const code = mdb_env_get_fd(handle.get(), &file); code != 0) return failed(code, "open", options.directory);
    auto const fault = fault_of_pages(file, mdb_txn_id(transaction));
    return fault ? damaged(options.directory, *fault) : Status();
}

Status Environment::State::open_tables() {
    std::vector<std::string> missing;
    auto reading = read();
    if (!reading) return pass(reading.error());
    if (auto sound = check_pages(reading->transaction.get()); !sound) return sound;
    for (auto& [name, table] : tables) {
        MDB_dbi opened = 0;
        int const code = mdb_dbi_open(reading->transaction.get(), name.c_str(), 0, &opened);
        if (code == 0) table = opened;
        if (code == MDB_NOTFOUND) missing.push_back(name);
        if (code != 0 && code != MDB_NOTFOUND) return failed(code, "open", options.directory);
    }
    // The commit of a read transaction keeps the tables open.
    if (int const code = reading->transaction.commit(); code != 0) return failed(code, "open", options.directory);
    reading->map.unlock();
    return missing.empty() || options.read_only ? Status() : make_tables(missing);
}

Status Environment::State::make_tables(std::vector<std::string> const& missing) {
    std::map<std::string, MDB_dbi> made;
    auto const make = [&](MDB_txn* transaction) {
        for (auto const& name : missing) {
            if (int const code = mdb_dbi_open(transaction, name.c_str(), MDB_CREATE, &made[name]); code != 0)
                return code;
        }
        return 0;
    };
    if (auto status = write(make, Bytes()); !status) return status;
    for (auto const& [name, table] : made) tables[name] = table;
    return {};
}

Result<Environment::State::Reading> Environment::State::read() {
    constexpr int most_tries = 10;
    int code = 0;
    for (int tries = 0; tries < most_tries; ++tries) {
        Reading reading{std::shared_lock(map), Transaction()};
        code = reading.transaction.begin(handle.get(), MDB_RDONLY);
        if (code == 0) return reading;
        if (code != MDB_MAP_RESIZED && code != MDB_READERS_FULL) break;
        reading.map.unlock();
        std::unique_lock const alone(map);
        if (code == MDB_READERS_FULL) mdb_reader_check(handle.get(), nullptr);
        // The owner, another process, made the map larger.
        if (code == MDB_MAP_RESIZED && mdb_env_set_mapsize(handle.get(), 0) != 0) die(options.directory, "no memory");
    }
    return failed(code, "read", options.directory);
}

Status Environment::State::grow() {
    auto const now = map_size();
    auto const most = options.largest_map.count();
    if (now >= most) {
        return fail(Fault::no_space, "database {} has reached its largest size of {}: allow it a larger one",
                    options.directory.string(), to_text(options.largest_map));
    }
    auto const next = whole_pages(std::min(now * 2, most));
    if (auto status = lengthen_file(next); !status) return status;
    std::unique_lock const alone(map);
    // LMDB has dropped the old map when it fails to get the new one.
    if (int const code = mdb_env_set_mapsize(handle.get(), next); code != 0) die(options.directory, mdb_strerror(code));
    return {};
}

// `size` is about what `change` writes. `change` runs again from the start whenever the map had to grow.
Status Environment::State::write(std::function<int(MDB_txn*)> const& change, Bytes size) {
    while (true) {
        Transaction transaction;
        int code = transaction.begin(handle.get(), 0);
        if (code == 0) code = change(transaction.get());
        bool const committing = code == 0;
        if (committing) code = transaction.commit();
        if (code == 0) return {};
        transaction.abort();
        // LMDB turns a write that the full disk cut short into EIO. Nothing was committed then, as with ENOSPC.
        if (code == EIO && is_short_of(size)) code = ENOSPC;
        if (is_uncertain(code, committing) || (committing && is_dead())) die(options.directory, mdb_strerror(code));
        if (code != MDB_MAP_FULL) return failed(code, "write", options.directory);
        if (auto status = grow(); !status) return status;
    }
}

// LMDB does nothing more once a meta page could not be written, whatever the reason was.
bool Environment::State::is_dead() const {
    Transaction transaction;
    return transaction.begin(handle.get(), 0) == MDB_PANIC;
}

bool Environment::State::is_short_of(Bytes size) const {
    auto const free = free_space(options.directory);
    return free && free->bytes < size + MiB(1);
}

Environment::Environment(std::unique_ptr<State> state) : state_(std::move(state)) {}
Environment::~Environment() = default;
Environment::Environment(Environment&&) noexcept = default;
Environment& Environment::operator=(Environment&&) noexcept = default;

Result<Environment> Environment::open(EnvironmentOptions options) {
    auto state = std::make_unique<State>(std::move(options));
    if (auto status = state->open(); !status) return pass(status.error());
    Environment environment(std::move(state));
    auto const& directory = environment.state_->options.directory;
    auto const format = environment.get(meta_table, as_view(format_key));
    if (!format) return pass(format.error());
    auto const version = *format ? number_of(**format) : Result<std::uint64_t>(fail(Fault::damaged, "no format"));
    if (!version) return damaged(directory, "it does not say its format");
    if (*version != format_version) {
        return fail(Fault::damaged,
                    "database {} has format {}, and this program knows format {}: use the program that wrote it, "
                    "or restore a backup that fits",
                    directory.string(), *version, format_version);
    }
    environment.drop_stale_readers();
    return environment;
}

Result<std::optional<Buffer>> Environment::get(std::string_view table, View key) const {
    auto const from = state_->table(table);
    if (!from || key.empty() || key.size() > longest_key) return std::nullopt;
    auto reading = state_->read();
    if (!reading) return pass(reading.error());
    MDB_val wanted = value_of(key);
    MDB_val found{};
    int const code = mdb_get(reading->transaction.get(), *from, &wanted, &found);
    if (code == MDB_NOTFOUND) return std::nullopt;
    if (code != 0) return failed(code, "read", state_->options.directory);
    return to_buffer(view_of(found));
}

Status Environment::scan(std::string_view table, View from, std::function<bool(View, View)> const& visit) const {
    auto const source = state_->table(table);
    if (!source || from.size() > longest_key) return {};
    auto reading = state_->read();
    if (!reading) return pass(reading.error());
    MDB_cursor* raw = nullptr;
    int code = mdb_cursor_open(reading->transaction.get(), *source, &raw);
    if (code != 0) return failed(code, "read", state_->options.directory);
    std::unique_ptr<MDB_cursor, void (*)(MDB_cursor*)> const cursor(raw, &mdb_cursor_close);
    MDB_val key = value_of(from);
    MDB_val value{};
    code = mdb_cursor_get(raw, &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    while (code == 0 && visit(view_of(key), view_of(value))) code = mdb_cursor_get(raw, &key, &value, MDB_NEXT);
    if (code != 0 && code != MDB_NOTFOUND) return failed(code, "read", state_->options.directory);
    return {};
}

Status Environment::apply(std::vector<Batch const*> const& batches) {
    auto const& directory = state_->options.directory;
    if (state_->options.read_only)
        return fail(Fault::refused, "database {} is open for reading only", directory.string());
    Bytes size;
    for (auto const* const batch : batches) {
        size += size_of(*batch);
        for (auto const& change : *batch) {
            if (!change.key.empty() && change.key.size() <= longest_key) continue;
            return fail(Fault::usage,
                        "cannot write the database {}: a key in table {} has {} bytes; 1 to {} are allowed",
                        directory.string(), change.table, change.key.size(), longest_key);
        }
    }
    auto const put_all = [&](MDB_txn* transaction) {
        for (auto const* const batch : batches) {
            for (auto const& change : *batch) {
                auto const table = state_->table(change.table);
                MDB_val key = value_of(change.key);
                MDB_val value = change.value ? value_of(*change.value) : MDB_val{};
                int const code = change.value ? mdb_put(transaction, *table, &key, &value, 0)
                                              : mdb_del(transaction, *table, &key, nullptr);
                if (code != 0 && (change.value || code != MDB_NOTFOUND)) return code;
            }
        }
        return 0;
    };
    return state_->write(put_all, size);
}

void Environment::drop_stale_readers() { mdb_reader_check(state_->handle.get(), nullptr); }

Status Environment::copy_to(fs::path const& directory) const {
    if (auto made = make_durable_directory(directory); !made) return made;
    std::error_code problem;
    bool const empty = fs::is_empty(directory, problem);
    if (problem)
        return fail(Fault::failed, "cannot copy the database into {}: {}", directory.string(), problem.message());
    if (!empty) {
        return fail(Fault::refused, "cannot copy the database into {}: it is not an empty directory",
                    directory.string());
    }
    auto const copy = directory / data_name;
    {
        std::shared_lock const in_place(state_->map);
        int const code = mdb_env_copy2(state_->handle.get(), directory.c_str(), MDB_CP_COMPACT);
        if (code != 0) {
            (void)remove_tree(copy);
            return failed(code, "copy", state_->options.directory);
        }
    }
    auto const file = open_file(copy, O_RDWR);
    if (!file) return pass(file.error());
    if (fchmod(file->get(), 0600) != 0) return fail_errno("set the mode of", copy);
    sync_file_or_die(file->get(), copy);
    sync_directory_or_die(directory);
    return {};
}

Buffer key_of(std::uint64_t number) {
    Buffer key(sizeof number);
    for (auto byte = key.rbegin(); byte != key.rend(); ++byte, number >>= 8)
        *byte = static_cast<std::byte>(number & 0xff);
    return key;
}

Result<std::uint64_t> number_of(View key) {
    if (key.size() != sizeof(std::uint64_t))
        return fail(Fault::damaged, "a number has 8 bytes, this one {}", key.size());
    std::uint64_t number = 0;
    for (auto const byte : key) number = number << 8 | std::to_integer<std::uint64_t>(byte);
    return number;
}

}  // namespace lull::store
