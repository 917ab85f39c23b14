#include "publisher/tree/file_facts.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "publisher/tree/no_links.hpp"

namespace lull::publisher {

namespace {

constexpr std::size_t hash_block = 1 << 20;

// ELF(5): e_ident[4] is the class (1: 32 bits, 2: 64), e_ident[5] the byte order (1: little), e_machine stands at
// byte 18.
struct ElfMachine {
    std::uint8_t word;
    std::uint8_t order;
    std::uint16_t machine;
    std::string_view architecture;
};
constexpr std::array<ElfMachine, 9> elf_machines = {{
    {2, 1, 62, "amd64"},     // EM_X86_64
    {1, 1, 3, "i386"},       // EM_386
    {2, 1, 183, "arm64"},    // EM_AARCH64
    {1, 1, 40, "armhf"},     // EM_ARM
    {2, 1, 243, "riscv64"},  // EM_RISCV
    {2, 1, 21, "ppc64el"},   // EM_PPC64
    {2, 2, 22, "s390x"},     // EM_S390
    {2, 1, 8, "mips64el"},   // EM_MIPS
    {2, 1, 258, "loong64"},  // EM_LOONGARCH
}};

tl::unexpected<Error> changed(fs::path const& path) {
    return fail(Fault::failed,
                "cannot publish {}: it changed while it was being read; publish again when nothing writes to it",
                path.string());
}

Result<FileStamp> stamp_of_open(int fd, fs::path const& path) {
    struct stat status {};
    if (fstat(fd, &status) != 0) return fail_errno("look at", path);
    return stamp_of(status);
}

// Of the blocks that begin here, those that are not all zero.
Bytes data_in(View bytes) {
    Bytes data{};
    for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), sparse_block.count()))) {
        if (!is_zero(bytes.first(std::min<std::size_t>(bytes.size(), sparse_block.count())))) data += sparse_block;
    }
    return data;
}

// Reads and hashes; `done` grows by what was read.
Result<FileFacts> read_facts(FileToRead const& file, std::atomic<std::uint64_t>& done, std::stop_token const& stop) {
    auto const fd = open_without_links(file.path, O_RDONLY | O_NONBLOCK);
    if (!fd && fd.error().fault == Fault::failed) return pass(fd.error());
    if (!fd) {
        bool const gone = fd.error().fault == Fault::not_found;
        return gone ? changed(file.path)
                    : fail(fd.error().fault, "{}; the publishing user needs read permission for all of it",
                           fd.error().message);
    }
    auto const before = stamp_of_open(fd->get(), file.path);
    if (!before) return pass(before.error());
    if (*before != file.stamp) return changed(file.path);

    FileFacts facts;
    if (file.sparse) facts.data = Bytes();
    Sha256 hash;
    Buffer block(std::min<std::uint64_t>(hash_block, file.stamp.size.count()));
    for (std::uint64_t offset = 0; offset < file.stamp.size.count(); offset += block.size()) {
        if (stop.stop_requested()) return fail(Fault::cancelled, "reading {} was stopped", file.path.string());
        block.resize(std::min<std::uint64_t>(block.size(), file.stamp.size.count() - offset));
        if (auto status = read_exactly(fd->get(), offset, block, file.path); !status) {
            return status.error().fault == Fault::damaged ? changed(file.path) : pass(status.error());
        }
        if (offset == 0) facts.machine = elf_architecture(block).value_or("");
        hash.update(block);
        if (file.sparse) *facts.data += data_in(block);
        done += block.size();
    }
    facts.digest = hash.finish();

    auto const after = stamp_of_open(fd->get(), file.path);
    if (!after) return pass(after.error());
    if (*after != file.stamp) return changed(file.path);
    return facts;
}

}  // namespace

std::optional<std::string> elf_architecture(View head) {
    constexpr std::array magic = {std::byte{0x7f}, std::byte{'E'}, std::byte{'L'}, std::byte{'F'}};
    if (head.size() < 20 || !std::equal(magic.begin(), magic.end(), head.begin())) return std::nullopt;
    auto const at = [head](std::size_t index) { return std::to_integer<std::uint8_t>(head[index]); };
    auto const order = at(5);
    auto const machine = order == 1 ? at(18) | at(19) << 8 : at(19) | at(18) << 8;
    for (auto const& known : elf_machines) {
        if (known.word == at(4) && known.order == order && known.machine == machine)
            return std::string(known.architecture);
    }
    return std::nullopt;
}

Result<FileFacts> read_facts(FileToRead const& file) {
    std::atomic<std::uint64_t> ignored = 0;
    return read_facts(file, ignored, {});
}

Result<std::vector<FileFacts>> read_all_facts(std::vector<FileToRead> const& files, ReadingProgress const& progress) {
    Bytes total{};
    for (auto const& file : files) total += file.stamp.size;
    std::atomic<std::size_t> next = 0;
    std::atomic<std::uint64_t> done = 0;
    std::atomic<bool> failed = false;
    std::vector<Result<FileFacts>> results(
        files.size());  // each element has one writer: the thread that took its index

    enum class Telling { yes, no };
    auto const work = [&](Telling telling) {
        for (std::size_t i = next++; i < files.size() && !failed; i = next++) {
            results[i] = read_facts(files[i], done, progress.stop());
            if (!results[i]) failed = true;
            if (telling == Telling::yes) progress(Bytes(done), total);
        }
    };
    if (files.size() > 1) {
        std::thread second([&work] { work(Telling::no); });
        work(Telling::yes);
        second.join();
    } else {
        work(Telling::yes);
    }

    std::vector<FileFacts> facts;
    facts.reserve(results.size());
    if (failed) {
        auto const bad = std::find_if(results.begin(), results.end(), [](auto const& result) { return !result; });
        return pass(bad->error());
    }
    for (auto& result : results) facts.push_back(std::move(*result));
    return facts;
}

}  // namespace lull::publisher
