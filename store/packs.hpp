#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/crypto.hpp"
#include "core/files.hpp"
#include "schema/messages.hpp"
#include "store/environment.hpp"

namespace lull::store {

// Where an object lies.
struct ObjectPlace {
    std::uint32_t pack = 0;
    Bytes offset{};        // of the stored bytes in the pack file
    ObjectShape shape;
};

// An open pack from which frames are read; keeps the file alive while a job uses it.
// shared_ptr because reads run on workers while the store may close the pack meanwhile.
using PackFile = std::shared_ptr<FileDescriptor const>;

// Append-only files of many objects ("packs"), named pack-00000001 and so on; FORMAT.md draws them. The index is a
// table of an Environment (`Packs::table`): digest -> ObjectPlace. An object counts only once its index entry is
// committed; whatever a crash left behind the last indexed byte is cut off at open. The environment must be open for
// writing, with the table, and for nobody else's packs.
//
// Two halves share nothing but constants: append() and sync() own the newest pack and the place where it is written,
// everything else owns the index in memory and the descriptors for reading. So one thread may append while another one
// finds, publishes and reads; what is passed between them is the ObjectPlace.
class Packs {
public:
    static constexpr char const* table = "objects";

    struct Options {
        fs::path directory;
        Bytes roll_at = MiB(256);      // a new pack is begun beyond this
        Bytes reserve = MiB(16);       // free space that stays, so that failures can still be recorded
    };

    // Opens or makes the directory; loads the index; cuts tails that no index entry covers.
    [[nodiscard]] static Result<Packs> open(Options options, Environment& environment);

    // Stored objects whose index entries are durable.
    [[nodiscard]] std::optional<ObjectPlace> find(Digest const& object) const;

    // Appends stored bytes (verified by the caller) to the newest pack; not durable, not visible yet. Fault::no_space
    // leaves the pack as it was. Only one thread at a time may call append() and sync().
    [[nodiscard]] Result<ObjectPlace> append(ObjectShape const& shape, View stored);

    // fsyncs everything appended so far; after it the changes below may be committed.
    void sync();

    // The index entry to commit, and what to call when it is durable.
    [[nodiscard]] static Change index_change(ObjectPlace const& place);
    void publish(ObjectPlace const& place);

    // What to commit to forget an object, and what to call before that: from then on it is not here.
    [[nodiscard]] static Change removal_change(Digest const& object);
    void forget(Digest const& object);

    // All objects that are so. Looks at every one: tens of milliseconds for hundreds of thousands.
    [[nodiscard]] std::vector<ObjectPlace> objects_where(std::function<bool(ObjectPlace const&)> const& condition) const;

    // The packs that nothing is appended to any more.
    struct FinishedPack {
        std::uint32_t number = 0;
        Bytes size{};
        std::filesystem::file_time_type written;  // last
    };
    [[nodiscard]] Result<std::vector<FinishedPack>> finished() const;

    // Deletes a finished pack, of which no object is known any more, in memory or durably. Whoever reads from it goes on.
    [[nodiscard]] Status remove_pack(std::uint32_t pack);

    // A descriptor to pread frames from; cached.
    [[nodiscard]] Result<PackFile> open_pack(std::uint32_t pack);

    // Reads a whole object and checks it. Fault::damaged if its bytes are not what the digest says.
    [[nodiscard]] Result<Buffer> read_plain(Digest const& object, Bytes most);

    [[nodiscard]] std::size_t count() const;

    ~Packs();
    Packs(Packs&&) noexcept;
    Packs& operator=(Packs&&) noexcept;

private:
    struct State;
    explicit Packs(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace lull::store
