#include "store/page_check.hpp"

#include <unistd.h>

#include <array>
#include <cstring>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace lull::store {

namespace {

static_assert(sizeof(void*) == 8, "the offsets below are those of a 64-bit machine");

using PageNumber = std::uint64_t;
using Finding = std::optional<std::string>;

constexpr std::uint32_t magic = 0xBEEFC0DE;
constexpr PageNumber no_root = ~PageNumber{0};  // of an empty table
constexpr std::uint64_t first_data_page = 2;
constexpr std::uint64_t smallest_page = 256;
constexpr std::uint64_t largest_page = 65536;
constexpr int deepest_tree = 32;
constexpr std::size_t longest_key = 511;

constexpr std::size_t page_header = 16;
constexpr std::size_t node_header = 8;
constexpr std::size_t table_size = 48;
constexpr std::size_t number_size = 8;

constexpr std::uint16_t branch_page = 0x01;
constexpr std::uint16_t leaf_page = 0x02;
constexpr std::uint16_t overflow_page = 0x04;
constexpr std::uint16_t big_data = 0x01;    // the value lies in overflow pages
constexpr std::uint16_t table_data = 0x02;  // the value is a table

// Offsets of MDB_meta from the start of its page.
constexpr std::size_t free_table_at = 40;
constexpr std::size_t main_table_at = 88;
constexpr std::size_t last_page_at = 136;
constexpr std::size_t txnid_at = 144;
constexpr std::size_t meta_size = 152;

// Offset of MDB_db. The table of free pages has the size of a page at its start.
constexpr std::size_t root_at = 40;

// Offsets of MDB_page.
constexpr std::size_t flags_at = 10;
constexpr std::size_t lower_at = 12;
constexpr std::size_t upper_at = 14;
constexpr std::size_t overflow_count_at = 12;

template <typename Number>
Number number_at(View bytes, std::size_t offset) {
    Number number{};
    std::memcpy(&number, bytes.subspan(offset).first(sizeof number).data(), sizeof number);
    return number;
}

bool read_at(int file, std::uint64_t offset, std::span<std::byte> to) {
    return pread(file, to.data(), to.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(to.size());
}

struct Meta {
    std::uint64_t page_size;
    PageNumber last_page;
    PageNumber free_root;
    PageNumber main_root;
};

class PageCheck {
public:
    PageCheck(int file, Meta const& meta) : file_(file), meta_(meta) {}

    [[nodiscard]] Finding run() {
        auto found = tree(meta_.free_root, Kind::free_pages, 0);
        return found ? found : tree(meta_.main_root, Kind::main, 0);
    }

private:
    enum class Kind { free_pages, main, named };

    static Finding wrong(PageNumber page, std::string_view what) { return fmt::format("page {} {}", page, what); }
    [[nodiscard]] bool is_used(PageNumber page) const { return page >= first_data_page && page <= meta_.last_page; }

    // Pages that are visited more often than there are pages form a circle.
    [[nodiscard]] Finding tree(PageNumber root, Kind kind, int depth) {
        if (depth == 0 && root == no_root) return std::nullopt;
        if (!is_used(root)) return wrong(root, "does not exist, and is referred to");
        if (depth > deepest_tree || ++visited_ > meta_.last_page) return wrong(root, "is part of a circle");
        Buffer page(meta_.page_size);
        if (!read_at(file_, root * meta_.page_size, page)) return wrong(root, "lies behind its end");
        auto const flags = number_at<std::uint16_t>(page, flags_at);
        auto const lower = number_at<std::uint16_t>(page, lower_at);
        auto const upper = number_at<std::uint16_t>(page, upper_at);
        bool const is_node_page = flags == branch_page || flags == leaf_page;
        bool const is_filled = lower >= page_header && lower % 2 == 0 && lower <= upper && upper <= meta_.page_size;
        if (!is_node_page || !is_filled || number_at<PageNumber>(page, 0) != root)
            return wrong(root, "holds something else");
        for (std::size_t at = page_header; at < lower; at += sizeof(std::uint16_t)) {
            auto const offset = number_at<std::uint16_t>(page, at);
            if (offset < upper || offset + node_header > meta_.page_size) return wrong(root, "has a bad entry");
            auto const bytes = View(page).subspan(offset);
            auto found = flags == branch_page ? child(root, bytes, kind, depth) : entry(root, bytes, kind);
            if (found) return found;
        }
        return std::nullopt;
    }

    [[nodiscard]] Finding child(PageNumber page, View node, Kind kind, int depth) {
        auto const key = number_at<std::uint16_t>(node, 6);
        if (key > longest_key || node_header + key > node.size()) return wrong(page, "has a bad entry");
        auto const low = number_at<std::uint32_t>(node, 0);
        auto const high = number_at<std::uint16_t>(node, 4);
        return tree(PageNumber{low} | PageNumber{high} << 32U, kind, depth + 1);
    }

    [[nodiscard]] Finding entry(PageNumber page, View node, Kind kind) {
        auto const size = number_at<std::uint32_t>(node, 0);
        auto const flags = number_at<std::uint16_t>(node, 4);
        auto const key = number_at<std::uint16_t>(node, 6);
        bool const is_big = flags == big_data;
        bool const is_table = flags == table_data && kind == Kind::main && size == table_size;
        std::size_t const held = is_big ? number_size : size;
        bool const is_known = flags == 0 || is_big || is_table;
        if (!is_known || key == 0 || key > longest_key || node_header + key + held > node.size())
            return wrong(page, "has a bad entry");
        auto const value = node.subspan(node_header + key, held);
        if (is_table) return tree_of(value);
        if (is_big) return big_value(number_at<PageNumber>(value, 0), size, kind);
        return kind == Kind::free_pages ? free_list(page, value) : std::nullopt;
    }

    [[nodiscard]] Finding tree_of(View table) { return tree(number_at<PageNumber>(table, root_at), Kind::named, 0); }

    [[nodiscard]] Finding big_value(PageNumber first, std::uint64_t size, Kind kind) {
        if (!is_used(first)) return wrong(first, "does not exist, and is referred to");
        auto const start = first * meta_.page_size;
        std::array<std::byte, page_header> header{};
        if (!read_at(file_, start, header)) return wrong(first, "lies behind its end");
        auto const pages = number_at<std::uint32_t>(header, overflow_count_at);
        bool const is_there = number_at<PageNumber>(header, 0) == first &&
                              number_at<std::uint16_t>(header, flags_at) == overflow_page;
        if (!is_there || pages == 0 || !is_used(first + pages - 1) || page_header + size > pages * meta_.page_size)
            return wrong(first, "holds something else");
        if (kind != Kind::free_pages) return std::nullopt;
        Buffer list(size);
        if (!read_at(file_, start + page_header, list)) return wrong(first, "lies behind its end");
        return free_list(first, list);
    }

    // A count, and as many numbers of pages.
    [[nodiscard]] Finding free_list(PageNumber page, View list) const {
        auto const count = list.size() < number_size ? 0 : number_at<std::uint64_t>(list, 0);
        if (list.size() < number_size || count > list.size() / number_size - 1) return wrong(page, "has a bad list");
        for (std::uint64_t i = 1; i <= count; ++i)
            if (!is_used(number_at<PageNumber>(list, i * number_size))) return wrong(page, "has a bad list");
        return std::nullopt;
    }

    int file_;
    Meta meta_;
    std::uint64_t visited_ = 0;
};

}  // namespace

std::optional<std::string> fault_of_pages(int file, std::uint64_t txnid) {
    std::array<std::byte, meta_size> page{};
    std::uint64_t offset = 0;
    for (int which = 0; which < 2; ++which) {
        if (!read_at(file, offset, page) || number_at<std::uint32_t>(page, page_header) != magic)
            return "it has no head";
        Meta const meta{number_at<std::uint32_t>(page, free_table_at), number_at<PageNumber>(page, last_page_at),
                        number_at<PageNumber>(page, free_table_at + root_at),
                        number_at<PageNumber>(page, main_table_at + root_at)};
        bool const makes_sense = meta.page_size >= smallest_page && meta.page_size <= largest_page &&
                                 meta.last_page < (std::uint64_t{1} << 47U);
        if (!makes_sense) return "its head makes no sense";
        if (number_at<std::uint64_t>(page, txnid_at) == txnid) return PageCheck(file, meta).run();
        offset = meta.page_size;
    }
    return std::nullopt;
}

}  // namespace lull::store
