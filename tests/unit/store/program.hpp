#pragma once

#include <cstring>
#include <random>
#include <vector>

#include "store/address_delta_format.hpp"
#include "store/compression.hpp"
#include "store/elf.hpp"
#include "store/operands.hpp"

// Programs that no compiler has made: functions that call each other and name data, a table of their addresses, headers
// of ELF. What is changed in one moves the rest of it, and every operand follows.

namespace lull::test {

struct ProgramChanges {
    std::size_t size = 100'000;  // about, in all
    std::size_t grown = 0;       // bytes more in one function in the middle
    std::size_t edits = 0;       // bytes that are others
    bool moved = false;          // a third of the functions stand at the end
};

class Program {
public:
    static constexpr std::uint64_t code_address = 0x401000;
    static constexpr std::size_t code_offset = 0x1000;

    Program(std::uint64_t seed, ProgramChanges const& changes) : changes_(changes) {
        auto const functions = changes.size / 64;
        for (std::size_t i = 0; i < functions; ++i) order_.push_back(i);
        if (changes.moved)
            std::rotate(order_.begin() + static_cast<std::ptrdiff_t>(functions / 3),
                        order_.begin() + static_cast<std::ptrdiff_t>(functions / 2), order_.end());
        places_.resize(functions);
        write(seed);  // learns where everything is
        write(seed);
        std::mt19937_64 random(seed + 1);
        for (std::size_t i = 0; i < changes.edits; ++i)
            bytes_[code_offset + random() % (bytes_.size() - code_offset)] = static_cast<std::byte>(random() & 0xff);
    }

    [[nodiscard]] Buffer const& bytes() const { return bytes_; }
    // Of the part that begins at `offset`.
    [[nodiscard]] store::AddressSpace space(std::size_t offset = 0, std::size_t length = ~std::size_t{0}) const {
        length = std::min(length, bytes_.size() - offset);
        store::Module module;
        for (auto const& part : store::read_elf(bytes_)) {
            auto const end = part.offset + part.in_file;
            auto const here = std::clamp<std::uint64_t>(offset, part.offset, end);
            auto const here_end = std::clamp<std::uint64_t>(offset + length, here, end);
            auto const add = [&](std::uint64_t begin, std::uint64_t size, std::optional<std::uint32_t> at) {
                if (size > 0)
                    module.ranges.push_back({part.address + (begin - part.offset), size, at, part.executable});
            };
            add(part.offset, here - part.offset, {});
            add(here, here_end - here, static_cast<std::uint32_t>(here - offset));
            add(here_end, end - here_end, {});
        }
        return {{module}, length};
    }

private:
    template <class T>
    void put(T value) {
        auto const at = bytes_.size();
        bytes_.resize(at + sizeof value);
        std::memcpy(bytes_.data() + at, &value, sizeof value);
    }
    void put_bytes(std::initializer_list<unsigned> bytes) {
        for (auto const byte : bytes) bytes_.push_back(static_cast<std::byte>(byte));
    }
    // The four bytes that lead from behind them to an address.
    void put_distance(std::uint64_t target) {
        put(static_cast<std::uint32_t>(target - (code_address + (bytes_.size() - code_offset) + 4)));
    }

    void write(std::uint64_t seed) {
        bytes_.clear();
        write_headers();
        for (auto const function : order_) write_function(seed, function);
        data_offset_ = (bytes_.size() + 0xfff) & ~std::size_t{0xfff};
        bytes_.resize(data_offset_);
        data_address_ = code_address + data_offset_ + 0x1000;
        for (std::size_t i = 0; i < places_.size(); ++i) put(places_[(i * 7) % places_.size()]);
        for (std::size_t i = 0; i < 2000; ++i) put(static_cast<std::uint8_t>(i * i >> 3));
    }
    void write_headers() {
        bytes_.resize(code_offset);
        auto const set = [&](std::size_t at, auto value) { std::memcpy(bytes_.data() + at, &value, sizeof value); };
        std::memcpy(bytes_.data(),
                    "\x7f"
                    "ELF\x02\x01\x01",
                    7);
        set(18, std::uint16_t{62});
        set(32, std::uint64_t{64});
        set(54, std::uint16_t{56});
        set(56, std::uint16_t{2});
        auto const code_size = data_offset_ > code_offset ? data_offset_ - code_offset : 0;
        auto const load = [&](std::size_t at, std::uint32_t flags, std::uint64_t offset, std::uint64_t address,
                              std::uint64_t size, std::uint64_t memory) {
            set(at, std::uint32_t{1});
            set(at + 4, flags);
            set(at + 8, offset);
            set(at + 16, address);
            set(at + 32, size);
            set(at + 40, memory);
        };
        auto const data_size = places_.size() * 8 + 2000;
        load(64, 5, code_offset, code_address, code_size, code_size);
        load(120, 6, data_offset_, data_address_, data_size, data_size + 5000);
    }
    // The same function in every version: only where it and others stand makes a difference.
    void write_function(std::uint64_t seed, std::size_t number) {
        std::mt19937_64 random(seed * 1'000'003 + number);
        places_[number] = code_address + (bytes_.size() - code_offset);
        auto const any_function = [&] { return places_[random() % places_.size()]; };
        for (auto instructions = 4 + random() % 8; instructions > 0; --instructions) {
            switch (random() % 4) {
                case 0: put_bytes({0xe8}), put_distance(any_function()); break;
                case 1: put_bytes({0x0f, 0x84}), put_distance(any_function()); break;
                case 2: put_bytes({0x48, 0x8b, 0x05}), put_distance(data_address_ + random() % 2000 * 8); break;
                default: put(static_cast<std::uint32_t>(random() & 0x7f7f7f7f));
            }
        }
        if (number == places_.size() / 2) bytes_.insert(bytes_.end(), changes_.grown, std::byte{0x90});
    }

    ProgramChanges changes_;
    std::vector<std::size_t> order_;
    std::vector<std::uint64_t> places_;
    std::size_t data_offset_ = 0;
    std::uint64_t data_address_ = code_address + 0x2000;
    Buffer bytes_;
};

// An address delta taken to pieces, to be put together again with others.
struct AddressDeltaParts {
    std::uint64_t plain = 0;
    std::uint64_t literals = 0;
    std::uint64_t prefixed = 0;
    Buffer side;  // unpacked
    Buffer literal_frame;

    explicit AddressDeltaParts(View delta) {
        store::VarintReader reader(delta.subspan(store::address_delta::magic.size()));
        plain = reader.next();
        side.resize(reader.next());
        literals = reader.next();
        prefixed = reader.next();
        auto const side_frame = reader.take(reader.next());
        literal_frame = to_buffer(delta.subspan(store::address_delta::magic.size() + reader.at()));
        LULL_INVARIANT(reader.good() && store::decompress_behind({}, side_frame, side));
    }
    [[nodiscard]] Buffer frame() const {
        auto const side_frame = store::compress_behind({}, side, store::quick_level).value();
        Buffer frame(store::address_delta::magic.begin(), store::address_delta::magic.end());
        for (auto const number :
             {plain, std::uint64_t{side.size()}, literals, prefixed, std::uint64_t{side_frame.size()}})
            store::put_varint(frame, number);
        frame.insert(frame.end(), side_frame.begin(), side_frame.end());
        frame.insert(frame.end(), literal_frame.begin(), literal_frame.end());
        return frame;
    }
};

}  // namespace lull::test
