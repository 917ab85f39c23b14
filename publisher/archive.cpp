#include "publisher/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <memory>
#include <string_view>
#include <vector>

#include "core/text.hpp"
#include "schema/manifest.hpp"

namespace lull::publisher {

namespace {

constexpr std::array<std::string_view, 10> suffixes = {".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2",
                                                       ".tgz", ".txz",    ".tzst",   ".tbz2",    ".zip"};
constexpr std::size_t read_block = 256 * 1024;

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

// "./bin/app/" -> "bin/app"; "./" -> "".
std::string plain_member(std::string_view name) {
    while (name.starts_with("./")) {
        name.remove_prefix(2);
        while (name.starts_with('/')) name.remove_prefix(1);
    }
    while (name.ends_with('/')) name.remove_suffix(1);
    return name == "." ? std::string() : std::string(name);
}

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
            if (result < ARCHIVE_WARN) return broken("the next member");
            if (auto status = unpack(entry); !status) return status;
        }
        if (archive_write_close(writer_.get()) < ARCHIVE_WARN) return cannot_write("the last member");
        return {};
    }

private:
    Status open() {
        archive_read_support_format_tar(reader_.get());
        archive_read_support_format_zip(reader_.get());
        archive_read_support_filter_gzip(reader_.get());
        archive_read_support_filter_xz(reader_.get());
        archive_read_support_filter_zstd(reader_.get());
        archive_read_support_filter_bzip2(reader_.get());
        // Names are checked and made absolute before, so NOABSOLUTEPATHS would refuse our own directory. No UNLINK: it
        // would replace a link that is in the way of a member by a directory, where the archive has to be refused.
        archive_write_disk_set_options(writer_.get(),
                                       ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT);
        if (archive_read_open_filename(reader_.get(), archive_.c_str(), read_block) == ARCHIVE_OK) return {};
        return broken("its beginning");
    }

    Status unpack(archive_entry* entry) {
        auto const name = archive_entry_pathname(entry);
        if (name == nullptr) return refuse("a member", "its name cannot be read");
        auto const member = plain_member(name);
        auto const shown = lull::quoted(member);
        if (member.empty()) return {};
        if (++entries_ > most_.entries)
            return refuse(shown, fmt::format("the archive holds more than {} members", most_.entries));
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

    // Gives the member its place on disk and its mode.
    Status prepare(archive_entry* entry, std::string const& member, std::string const& shown) {
        if (char const* const link = archive_entry_hardlink(entry); link != nullptr) {
            auto const target = plain_member(link);
            if (auto const valid = validate_path(target); !valid)
                return refuse(shown, "hard link: " + valid.error().message);
            archive_entry_set_hardlink(entry, (into_ / target).c_str());
        }
        bool const directory = archive_entry_filetype(entry) == AE_IFDIR;
        bool const file = archive_entry_filetype(entry) == AE_IFREG;
        auto const mode = archive_entry_perm(entry);
        if (file && (mode & 06000) != 0) {
            return refuse(shown,
                          "it has the setuid or setgid bit, which a release does not carry; make the archive without");
        }
        archive_entry_set_perm(entry, directory || (mode & 0111) != 0 ? 0755 : 0644);
        archive_entry_set_pathname(entry, (into_ / member).c_str());
        return {};
    }

    Status write(archive_entry* entry, std::string const& shown) {
        auto const before = contents_;
        if (archive_entry_size_is_set(entry) != 0)
            contents_ += Bytes(static_cast<std::uint64_t>(archive_entry_size(entry)));
        if (auto status = check_contents(shown); !status) return status;
        if (archive_write_header(writer_.get(), entry) < ARCHIVE_WARN) return cannot_write(shown);
        if (auto status = copy_data(before, shown); !status) return status;
        if (archive_write_finish_entry(writer_.get()) < ARCHIVE_WARN) return cannot_write(shown);
        return {};
    }

    // `before`: contents of the members before this one. A member may hold more than its header says.
    Status copy_data(Bytes before, std::string const& shown) {
        while (true) {
            void const* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            int const result = archive_read_data_block(reader_.get(), &block, &size, &offset);
            if (result == ARCHIVE_EOF) return {};
            if (result < ARCHIVE_WARN) return broken(shown);
            contents_ = std::max(contents_, before + Bytes(static_cast<std::uint64_t>(offset)) + Bytes(size));
            if (auto status = check_contents(shown); !status) return status;
            if (archive_write_data_block(writer_.get(), block, size, offset) < ARCHIVE_WARN) return cannot_write(shown);
        }
    }

    Status check_contents(std::string const& shown) const {
        if (contents_ <= most_.contents) return {};
        return fail(Fault::no_space,
                    "cannot unpack {} ({}): there is room for {} only; set TMPDIR to a directory with more, or unpack "
                    "it yourself and publish the directory",
                    archive_.string(), shown, to_text(most_.contents));
    }

    tl::unexpected<Error> refuse(std::string const& member, std::string_view why) const {
        return fail(Fault::refused, "cannot publish {}, member {}: {}", archive_.string(), member, why);
    }

    tl::unexpected<Error> broken(std::string_view where) const {
        char const* const why = archive_error_string(reader_.get());
        int const number = archive_errno(reader_.get());
        auto const fault = number == EACCES ? Fault::refused : Fault::damaged;
        return fail(fault, "cannot read {} ({}): {}; is it a whole tar or zip archive?", archive_.string(), where,
                    why == nullptr ? "unknown error" : why);
    }

    tl::unexpected<Error> cannot_write(std::string_view shown) const {
        char const* const why = archive_error_string(writer_.get());
        bool const full = archive_errno(writer_.get()) == ENOSPC || archive_errno(writer_.get()) == EDQUOT;
        return fail(full ? Fault::no_space : Fault::refused, "cannot unpack {}, member {}: {}{}", archive_.string(),
                    shown, why == nullptr ? "unknown error" : why,
                    full ? "; set TMPDIR to a directory with more room" : "");
    }

    fs::path archive_;
    fs::path into_;
    ArchiveLimits most_;
    Handle reader_;
    Handle writer_;
    Bytes contents_{};
    std::size_t entries_ = 0;
};

Result<fs::path> make_private_directory() {
    char const* const wanted = getenv("TMPDIR");
    fs::path const parent = wanted != nullptr && *wanted != '\0' ? wanted : "/var/tmp";
    std::error_code problem;
    auto pattern = (fs::canonical(parent, problem) / "lull-archive-XXXXXX").string();
    if (problem) errno = problem.value();
    if (problem || mkdtemp(pattern.data()) == nullptr) return fail_errno("make a temporary directory in", parent);
    return fs::path(pattern);
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
    auto directory = make_private_directory();
    if (!directory) return pass(std::move(directory.error()));
    UnpackedArchive unpacked(std::move(*directory));
    auto const free = free_space(unpacked.path());
    if (!free) return pass(free.error());
    auto bounded = most;
    bounded.contents = std::min(most.contents, Bytes(free->bytes.count() / 10 * 9));
    Utf8Names const names;
    Unpacking unpacking(archive, unpacked.path(), bounded);
    if (auto status = unpacking.run(); !status) return pass(std::move(status.error()));
    return unpacked;
}

UnpackedArchive::~UnpackedArchive() {
    if (!path_.empty()) static_cast<void>(remove_tree(path_));  // what stays behind lies in a temporary directory
}

}  // namespace lull::publisher
