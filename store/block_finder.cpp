#include "store/block_finder.hpp"

namespace lull::store {

namespace {

constexpr std::int64_t least_better =
    12;  // bytes by which another match has to be longer than the present block goes on
constexpr std::uint64_t most_compared =
    4ULL << 30;  // bytes of all matches: what repeats itself without end is left to others

class BlockFinder {
public:
    BlockFinder(View old_bytes, View new_bytes, std::stop_token const& stop)
        : old_(old_bytes),
          new_(new_bytes),
          stop_(stop),
          suffixes_(old_bytes) {}

    std::optional<std::vector<CopyBlock>> find() {
        while (scan_ < size(new_)) {
            if (!find_next()) return std::nullopt;
            if (length_ != score_ || scan_ == size(new_)) cut();
        }
        return std::move(blocks_);
    }

private:
    static std::int64_t size(View bytes) { return std::ssize(bytes); }

    [[nodiscard]] bool equal(std::int64_t old_at, std::int64_t new_at) const {
        return old_at >= 0 && old_at < size(old_) &&
               old_[static_cast<std::size_t>(old_at)] == new_[static_cast<std::size_t>(new_at)];
    }

    // Goes on to where a match begins that is better than what the present block has there.
    bool find_next() {
        score_ = 0;
        auto counted = scan_ += length_;
        for (; scan_ < size(new_); ++scan_) {
            if ((++searches_ & 0xfff) == 0 && stop_.stop_requested()) return false;
            auto const match = suffixes_.longest(new_.subspan(static_cast<std::size_t>(scan_)));
            length_ = match.length;
            at_ = match.at;
            compared_ += match.length;
            if (compared_ > most_compared) return false;
            for (; counted < scan_ + length_; ++counted) score_ += equal(counted + shift_, counted) ? 1 : 0;
            if ((length_ == score_ && length_ != 0) || length_ > score_ + least_better) break;
            score_ -= equal(scan_ + shift_, scan_) ? 1 : 0;
        }
        return true;
    }

    // How far the present block reaches, with at least half of its bytes equal.
    [[nodiscard]] std::int64_t forward() const {
        std::int64_t good = 0;
        std::int64_t best = 0;
        std::int64_t length = 0;
        for (std::int64_t i = 0; last_scan_ + i < scan_ && last_at_ + i < size(old_);) {
            good += equal(last_at_ + i, last_scan_ + i) ? 1 : 0;
            ++i;
            if (good * 2 - i > best * 2 - length) {
                best = good;
                length = i;
            }
        }
        return length;
    }

    // How far the next one reaches back.
    [[nodiscard]] std::int64_t backward() const {
        if (scan_ >= size(new_)) return 0;
        std::int64_t good = 0;
        std::int64_t best = 0;
        std::int64_t length = 0;
        for (std::int64_t i = 1; scan_ >= last_scan_ + i && at_ >= i; ++i) {
            good += equal(at_ - i, scan_ - i) ? 1 : 0;
            if (good * 2 - i > best * 2 - length) {
                best = good;
                length = i;
            }
        }
        return length;
    }

    // Ends the present block and begins the next one; where both would reach, each gets what it has more of.
    void cut() {
        auto ahead = forward();
        auto back = backward();
        if (auto const overlap = (last_scan_ + ahead) - (scan_ - back); overlap > 0) {
            std::int64_t good = 0;
            std::int64_t best = 0;
            std::int64_t length = 0;
            for (std::int64_t i = 0; i < overlap; ++i) {
                good += equal(last_at_ + ahead - overlap + i, last_scan_ + ahead - overlap + i) ? 1 : 0;
                good -= equal(at_ - back + i, scan_ - back + i) ? 1 : 0;
                if (good > best) {
                    best = good;
                    length = i + 1;
                }
            }
            ahead += length - overlap;
            back -= length;
        }
        if (ahead > 0) {
            blocks_.push_back({static_cast<std::uint32_t>(last_at_), static_cast<std::uint32_t>(last_scan_),
                               static_cast<std::uint32_t>(ahead)});
        }
        last_scan_ = scan_ - back;
        last_at_ = at_ - back;
        shift_ = at_ - scan_;
    }

    View old_;
    View new_;
    std::stop_token stop_;
    SuffixArray suffixes_;
    std::vector<CopyBlock> blocks_;
    std::uint64_t searches_ = 0;
    std::uint64_t compared_ = 0;
    std::int64_t scan_ = 0;  // where in the new bytes the search has got to
    std::int64_t at_ = 0;    // the match there
    std::int64_t length_ = 0;
    std::int64_t score_ = 0;      // of its bytes, that the present block has as well
    std::int64_t last_scan_ = 0;  // the present block
    std::int64_t last_at_ = 0;
    std::int64_t shift_ = 0;
};

}  // namespace

std::optional<std::vector<CopyBlock>> find_blocks(View old_bytes, View new_bytes, std::stop_token const& stop) {
    if (stop.stop_requested()) return std::nullopt;  // the sort of the suffixes cannot be stopped
    return BlockFinder(old_bytes, new_bytes, stop).find();
}

}  // namespace lull::store
