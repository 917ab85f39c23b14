#include "publisher/tree/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/text.hpp"
#include "publisher/tree/attributes.hpp"
#include "publisher/tree/gzip_reader.hpp"
#include "publisher/tree/member_paths.hpp"
#include "publisher/tree/name_encoding.hpp"
#include "publisher/tree/problems.hpp"
#include "schema/manifest.hpp"

namespace lull::publisher {

namespace {

constexpr std::array suffixes = std::to_array<std::string_view>({".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2",
                                                                 ".tar.lzma", ".tar.z", ".tgz", ".txz", ".tzst",
                                                                 ".tbz2", ".tbz", ".tb2", ".tlz", ".taz", ".zip"});
constexpr std::size_t read_block = 256 * 1024;

// The one layer of compression around a tar archive, by the first bytes of the file. Of .lzma they say little.
struct Compression {
    std::string_view magic;
    int filter;
};
constexpr std::array compressions = std::to_array<Compression>(
    {{"\x1F\x8B", ARCHIVE_FILTER_GZIP},
     {"\xFD"
      "7zXZ",
      ARCHIVE_FILTER_XZ},
     {"\x28\xB5\x2F\xFD", ARCHIVE_FILTER_ZSTD},
     {"BZh", ARCHIVE_FILTER_BZIP2},
     {"\x1F\x9D", ARCHIVE_FILTER_COMPRESS},
     {std::string_view("\x5D\0\0", 3), ARCHIVE_FILTER_LZMA}});

constexpr std::uint64_t usual_expansion = 100;  // times the size of the archive
constexpr Bytes usual_contents = GiB(1);        // smaller archives may expand as they like

using Handle = std::unique_ptr<archive, int (*)(archive*)>;

// libarchive converts names by the thread's locale; in the "C" locale everything but ASCII would be lost.
class Utf8Names {
public:
    Utf8Names() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
        if (utf8_ != nullptr) before_ = uselocale(utf8_);
    }
    ~Utf8Names() {
        if (utf8_ == nullptr) return;
        uselocale(before_);
        freelocale(utf8_);
    }
    Utf8Names(Utf8Names const&) = delete;
    Utf8Names& operator=(Utf8Names const&) = delete;

private:
    locale_t utf8_;
    locale_t before_ = nullptr;
};

std::string_view unsuitable(archive_entry* entry) {
    if (archive_entry_hardlink(entry) != nullptr) return "";
    switch (archive_entry_filetype(entry)) {
        case AE_IFREG:
        case AE_IFDIR:
        case AE_IFLNK: return "";
        case AE_IFSOCK: return "a socket";
        case AE_IFIFO: return "a named pipe";
        case AE_IFCHR: return "a character device";
        case AE_IFBLK: return "a block device";
        default: return "neither file nor directory nor link";
    }
}

// The next piece of a decompressed stream, which stays until the next call; empty at the end. Every check that the
// format has is made.
using Stream = std::function<Result<View>()>;

Result<Stream> gzip_stream(fs::path const& path) {
    auto reader = GzipReader::open(path);
    if (!reader) return pass(reader.error());
    return [kept = std::make_shared<GzipReader>(std::move(*reader))] { return kept->read(); };  // a function is copied
}

// One filter only: libarchive would look for further ones inside, and 300 bytes can hold gigabytes.
Result<Stream> filtered_stream(fs::path const& path, int filter) {
    std::shared_ptr<archive> const reader(archive_read_new(), archive_read_free);  // a function is copied
    auto const problem = [reader] {
        char const* const why = archive_error_string(reader.get());
        return fail(Fault::damaged, "{}", why == nullptr ? "unknown error" : why);
    };
    archive_read_support_format_raw(reader.get());
    // libarchive 3.6 dereferences null where this filter is named before the file is open.
    int const named = filter == ARCHIVE_FILTER_COMPRESS ? archive_read_support_filter_compress(reader.get())
                                                        : archive_read_append_filter(reader.get(), filter);
    if (named != ARCHIVE_OK) return problem();
    if (archive_read_open_filename(reader.get(), path.c_str(), read_block) != ARCHIVE_OK) return problem();
    archive_entry* entry = nullptr;
    int const begun = archive_read_next_header(reader.get(), &entry);
    if (begun != ARCHIVE_OK && begun != ARCHIVE_EOF) return problem();
    return [reader, problem, begun]() -> Result<View> {
        void const* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        if (begun == ARCHIVE_EOF) return View();
        int const result = archive_read_data_block(reader.get(), &block, &size, &offset);
        if (result == ARCHIVE_EOF) return View();
        if (result != ARCHIVE_OK) return problem();
        return View(static_cast<std::byte const*>(block), size);
    };
}

// Unpacks one archive into one directory.
class Unpacking {
public:
    Unpacking(fs::path const& archive, fs::path const& into, ArchiveLimits const& most)
        : archive_(archive),
          into_(into),
          most_(most),
          reader_(archive_read_new(), archive_read_free),
          writer_(archive_write_disk_new(), archive_write_free) {
        LULL_INVARIANT(reader_ != nullptr && writer_ != nullptr);
    }

    Status run() {
        if (auto status = open(); !status) return status;
        while (true) {
            archive_entry* entry = nullptr;
            int const result = archive_read_next_header(reader_.get(), &entry);
            if (result == ARCHIVE_EOF) break;
            if (result != ARCHIVE_OK) return broken(where(entry, result));
            if (auto status = unpack(entry); !status) return status;
        }
        // libarchive takes a file of zeros, or nothing at all, for an empty archive.
        if (entries_ == 0) return broken_by("its beginning", "it holds no members");
        if (auto status = read_rest(); !status) return status;
        if (auto fit = problems_.outcome(archive_); !fit) return fit;
        if (archive_write_close(writer_.get()) != ARCHIVE_OK) return cannot_write("the last member");
        return {};
    }

    [[nodiscard]] std::vector<std::string> take_notes() { return std::move(notes_); }

private:
    Status open() {
        auto const begin = first_bytes();
        if (!begin) return pass(begin.error());
        auto const found = std::ranges::find_if(
            compressions, [&](Compression const& known) { return begin->starts_with(known.magic); });
        int const filter = found == compressions.end() ? ARCHIVE_FILTER_NONE : found->filter;
        is_zip_ = begin->starts_with("PK");
        if (is_zip_) {
            archive_read_support_format_zip_seekable(reader_.get());
        } else {
            archive_read_support_format_tar(reader_.get());
        }
        // Names are checked and made absolute before, so NOABSOLUTEPATHS would refuse our own directory. UNLINK
        // would replace a link at the path of a member by a directory; such an archive has to be refused.
        archive_write_disk_set_options(writer_.get(), ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                                          ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_PERM |
                                                          ARCHIVE_EXTRACT_TIME);
        if (filter == ARCHIVE_FILTER_NONE) return open_plain();
        auto stream = filter == ARCHIVE_FILTER_GZIP ? gzip_stream(archive_) : filtered_stream(archive_, filter);
        if (!stream) return broken_by("its beginning", stream.error().message);
        stream_ = std::move(*stream);
        archive_read_append_filter(reader_.get(), ARCHIVE_FILTER_NONE);
        archive_read_set_read_callback(reader_.get(), &Unpacking::read_stream);
        archive_read_set_callback_data(reader_.get(), this);
        return archive_read_open1(reader_.get()) == ARCHIVE_OK ? Status() : broken("its beginning");
    }

    // Names the filter, so that libarchive does not look for one.
    Status open_plain() {
        archive_read_append_filter(reader_.get(), ARCHIVE_FILTER_NONE);
        if (archive_read_open_filename(reader_.get(), archive_.c_str(), read_block) == ARCHIVE_OK) return {};
        return broken("its beginning");
    }

    static la_ssize_t read_stream(archive* reader, void* self, void const** block) {
        auto const bytes = static_cast<Unpacking*>(self)->stream_();
        if (!bytes) {
            archive_set_error(reader, EINVAL, "%s", bytes.error().message.c_str());
            return ARCHIVE_FATAL;
        }
        *block = bytes->data();
        return static_cast<la_ssize_t>(bytes->size());
    }

    // What comes behind the last member: the check of a compressed stream stands at its end.
    Status read_rest() {
        while (stream_) {
            auto const bytes = stream_();
            if (!bytes) return broken_by("its end", bytes.error().message);
            if (bytes->empty()) break;
            rest_ += Bytes(bytes->size());
            if (auto status = check_contents("its end", contents_ + rest_); !status) return status;
        }
        return {};
    }

    Result<std::string> first_bytes() {
        auto const file = open_file(archive_, O_RDONLY);
        if (!file) return pass(file.error());
        std::string bytes(8, '\0');
        auto const size = ::read(file->get(), bytes.data(), bytes.size());
        if (size < 0) return fail_errno("read", archive_);
        bytes.resize(static_cast<std::size_t>(size));
        if (auto const status = fs::file_size(archive_, problem_); !problem_) packed_ = Bytes(status);
        return bytes;
    }

    Status unpack(archive_entry* entry) {
        auto const* const given = archive_entry_pathname(entry);
        if (given == nullptr || *given == '\0') return refuse("a member", "its name is empty or cannot be read");
        auto const name = is_zip_ ? utf8_name_of_zip(given) : std::string(given);
        auto const member = MemberPaths::plain(name);
        auto const shown = lull::quoted(member.empty() ? name : member);
        bool const is_directory = archive_entry_filetype(entry) == AE_IFDIR && archive_entry_hardlink(entry) == nullptr;
        if (++entries_ > most_.entries)
            return refuse(shown, fmt::format("the archive holds more than {} members", most_.entries));
        if (member.empty() && is_directory) return {};
        if (member.empty()) return refuse(shown, "a file cannot have this name");
        if (archive_entry_is_encrypted(entry) != 0)
            return refuse(shown, "it is encrypted; unpack the archive yourself and publish the directory");
        if (name.starts_with('/') && !noted_absolute_) {
            noted_absolute_ = true;
            notes_.push_back(fmt::format("{}: the leading / of member names is left out", archive_.string()));
        }
        if (auto const valid = validate_path(member); !valid) return refuse(shown, valid.error().message);
        if (auto const what = unsuitable(entry); !what.empty()) {
            return refuse(
                shown, fmt::format("it is {}, and a release holds files, directories and symbolic links only; make the "
                                   "archive without it",
                                   what));
        }
        if (auto status = prepare(entry, member, shown); !status) return status;
        return write(entry, shown);
    }

    // Sets the member's path on disk and its mode.
    Status prepare(archive_entry* entry, std::string const& member, std::string const& shown) {
        auto const place = paths_.place(member);
        if (!place) return refuse(shown, place.error().message);
        if (char const* const link = archive_entry_hardlink(entry); link != nullptr) {
            auto const target = MemberPaths::plain(link);
            if (auto const valid = validate_path(target); !valid)
                return refuse(shown, "hard link: " + valid.error().message);
            auto const target_place = paths_.place(target);
            if (!target_place) return refuse(shown, "hard link: " + target_place.error().message);
            archive_entry_set_hardlink(entry, (into_ / *target_place).c_str());
        }
        auto const* const symlink = archive_entry_symlink(entry);
        if (symlink != nullptr) {
            paths_.is_link(*place, symlink);
        } else {
            paths_.is_no_link(*place);
        }
        check_attributes(entry, shown);
        set_mode(entry, shown);
        if (archive_entry_mtime_is_set(entry) == 0) archive_entry_set_mtime(entry, 0, 0);
        archive_entry_set_pathname(entry, (into_ / *place).c_str());
        return {};
    }

    void add_problem(std::string const& shown, std::string what) {
        problems_.add(fmt::format("{}, member {}", archive_.string(), shown), std::move(what));
    }

    // Of attributes and ACLs nothing is unpacked.
    void check_attributes(archive_entry* entry, std::string const& shown) {
        constexpr int acls = ARCHIVE_ENTRY_ACL_TYPE_POSIX1E | ARCHIVE_ENTRY_ACL_TYPE_NFS4;
        if ((archive_entry_acl_types(entry) & acls) != 0)
            add_problem(shown, "it has an ACL, which a release does not carry; make the archive with: tar --no-acls");
        archive_entry_xattr_reset(entry);
        char const* name = nullptr;
        void const* value = nullptr;
        std::size_t size = 0;
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
            // ACLs were named above.
            bool const told = std::string_view(name).starts_with("system.posix_acl_");
            if (told || problem_of_attribute(name, shown).empty()) continue;
            add_problem(shown, fmt::format("it has the extended attribute {}, which a release does not carry; make the "
                                           "archive with: tar --no-xattrs",
                                           name));
        }
        archive_entry_xattr_clear(entry);
        archive_entry_acl_clear(entry);
    }

    void set_mode(archive_entry* entry, std::string const& shown) {
        bool const directory = archive_entry_filetype(entry) == AE_IFDIR;
        bool const file = archive_entry_filetype(entry) == AE_IFREG;
        auto mode = archive_entry_perm(entry);
        // libarchive gives these to members of a zip that has no modes of Unix.
        if (is_zip_ && (mode == 0 || mode == 0664 || mode == 0775)) mode = directory || mode == 0775 ? 0755 : 0644;
        if (file && (mode & 07000) != 0) {
            add_problem(shown,
                        "it has the setuid, setgid or sticky bit, which a release does not carry; make the "
                        "archive without");
        }
        if (directory && (mode & 07000) != 0) note_special(shown);
        auto const least = directory ? 0500U : 0400U;
        if ((file || directory) && (mode & least) != least)
            add_problem(shown, "its mode does not let its owner read it; make the archive with: tar --mode=u+rX");
        archive_entry_set_perm(entry, mode & 0777);
    }

    void note_special(std::string const& shown) {
        if (noted_special_) return;
        noted_special_ = true;
        notes_.push_back(
            fmt::format("the setuid, setgid and sticky bits of directories are not carried: {} and "
                        "others of {}",
                        shown, archive_.string()));
    }

    Status write(archive_entry* entry, std::string const& shown) {
        bool const has_contents = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
        std::optional<Bytes> promised;
        if (has_contents && archive_entry_size_is_set(entry) != 0)
            promised = Bytes(static_cast<std::uint64_t>(archive_entry_size(entry)));
        if (auto status = check_contents(shown, contents_ + promised.value_or(Bytes())); !status) return status;
        if (archive_write_header(writer_.get(), entry) != ARCHIVE_OK) return cannot_write(shown);
        auto const size = copy_data(shown);
        if (!size) return pass(size.error());
        // libarchive compares the sizes of zip members modulo 4 GiB. A sparse file may end in a hole.
        bool const ends_in_hole = promised && *size < *promised && archive_entry_sparse_count(entry) > 0;
        if (promised && *size != *promised && !ends_in_hole) {
            return broken_by(
                shown, fmt::format("it holds {} bytes, and its header says {}", size->count(), promised->count()));
        }
        contents_ += std::max(*size, promised.value_or(Bytes()));
        if (archive_write_finish_entry(writer_.get()) != ARCHIVE_OK) return cannot_write(shown);
        return {};
    }

    // The size of the contents. A member may hold more than its header says.
    Result<Bytes> copy_data(std::string const& shown) {
        Bytes end{};
        while (true) {
            void const* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            int const result = archive_read_data_block(reader_.get(), &block, &size, &offset);
            if (result == ARCHIVE_EOF) return end;
            if (result != ARCHIVE_OK) return broken(shown);
            if (size == 0) continue;
            end = std::max(end, Bytes(static_cast<std::uint64_t>(offset)) + Bytes(size));
            if (auto status = check_contents(shown, contents_ + end); !status) return pass(status.error());
            if (archive_write_data_block(writer_.get(), block, size, offset) != ARCHIVE_OK) return cannot_write(shown);
        }
    }

    Status check_contents(std::string_view shown, Bytes contents) const {
        if (contents > most_.contents) {
            return fail(Fault::no_space,
                        "cannot unpack {} ({}): there is room for {} only; set TMPDIR to a directory with more, or "
                        "unpack the archive yourself and publish the directory",
                        archive_.string(), shown, to_text(most_.contents));
        }
        if (contents <= usual_contents || contents.count() / usual_expansion <= packed_.count()) return {};
        if (most_.any_expansion) return {};
        return fail(Fault::refused,
                    "cannot unpack {} ({}): it expands to more than {} times its size of {}; if that is right, unpack "
                    "it yourself and publish the directory",
                    archive_.string(), shown, usual_expansion, to_text(packed_));
    }

    tl::unexpected<Error> refuse(std::string const& member, std::string_view why) const {
        return fail(Fault::refused, "cannot publish {}, member {}: {}", archive_.string(), member, why);
    }

    std::string where(archive_entry* entry, int result) const {
        auto const* const name = result == ARCHIVE_WARN ? archive_entry_pathname(entry) : nullptr;
        if (name != nullptr && *name != '\0') return lull::quoted(MemberPaths::plain(name));
        return entries_ == 0 ? "its beginning" : "the next member";
    }

    tl::unexpected<Error> broken(std::string_view where) const {
        if (archive_errno(reader_.get()) == EACCES)
            return fail(Fault::refused, "cannot read {}: permission denied", archive_.string());
        char const* const why = archive_error_string(reader_.get());
        return broken_by(where, why == nullptr ? "unknown error" : why);
    }

    tl::unexpected<Error> broken_by(std::string_view where, std::string_view why) const {
        return fail(Fault::damaged, "cannot read {} ({}): {}; is it a whole tar or zip archive?", archive_.string(),
                    where, why);
    }

    tl::unexpected<Error> cannot_write(std::string_view shown) const {
        char const* const text = archive_error_string(writer_.get());
        std::string why = text == nullptr ? "unknown error" : text;
        auto const directory = into_.string() + "/";
        for (auto at = why.find(directory); at != std::string::npos; at = why.find(directory))
            why.erase(at, directory.size());
        bool const full = archive_errno(writer_.get()) == ENOSPC || archive_errno(writer_.get()) == EDQUOT;
        return fail(full ? Fault::no_space : Fault::refused, "cannot unpack {}, member {}: {}{}", archive_.string(),
                    shown, why, full ? "; set TMPDIR to a directory with more room" : "");
    }

    fs::path archive_;
    fs::path into_;
    ArchiveLimits most_;
    Stream stream_;  // what the one layer of compression holds; outlives the reader
    Handle reader_;
    Handle writer_;
    MemberPaths paths_;
    bool is_zip_ = false;
    Bytes packed_{};    // size of the archive
    Bytes contents_{};  // of the members so far
    Bytes rest_{};      // behind the last member
    std::size_t entries_ = 0;
    Problems problems_;
    bool noted_special_ = false;
    bool noted_absolute_ = false;
    std::vector<std::string> notes_;
    std::error_code problem_;
};

fs::path temporary_directory() {
    char const* const wanted = getenv("TMPDIR");
    return wanted != nullptr && *wanted != '\0' ? wanted : "/var/tmp";
}

}  // namespace

bool has_archive_name(fs::path const& path) {
    auto name = path.filename().string();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return c < 128 ? static_cast<char>(tolower(c)) : '?'; });
    return std::any_of(suffixes.begin(), suffixes.end(),
                       [&](auto suffix) { return name.size() > suffix.size() && name.ends_with(suffix); });
}

Result<UnpackedArchive> UnpackedArchive::unpack(fs::path const& archive, ArchiveLimits const& most) {
    auto directory = ScratchDirectory::make(temporary_directory());
    if (!directory) return pass(std::move(directory.error()));
    UnpackedArchive unpacked(std::move(*directory));
    auto const free = free_space(unpacked.path());
    if (!free) return pass(free.error());
    auto bounded = most;
    bounded.contents = std::min(most.contents, Bytes(free->bytes.count() / 10 * 9));
    Utf8Names const names;
    Unpacking unpacking(archive, unpacked.path(), bounded);
    if (auto status = unpacking.run(); !status) return pass(std::move(status.error()));
    unpacked.notes_ = unpacking.take_notes();
    return unpacked;
}

}  // namespace lull::publisher
