#pragma once

#include "store/address_predictor.hpp"

namespace lull::store {

// Goes through a block as both ends of a delta have to: through runs of bytes that are copied, and operands, whose new
// value is predicted. The sink says what an operand's value really is, and everything is learnt from that.
template <class Sink>
class BlockWalk {
public:
    // All of them have to outlive this.
    BlockWalk(View base, AddressSpace const& old_space, AddressSpace const& new_space, BlockMap const& map, Sink& sink)
        : base_(base),
          old_space_(old_space),
          new_space_(new_space),
          predictor_(old_space, new_space, map),
          sink_(sink) {}

    void walk(CopyBlock const& block) {
        auto const shift = block.to - block.from;
        auto const end = block.from + block.length;
        auto cursor = block.from;
        columns_.fill(0);
        for_each_operand(
            base_, block.from, end, block.mode, old_space_, [&](Place const& place, Operand const& operand) {
                auto const to = operand.at + shift;
                if (new_place_ == nullptr || !new_place_->holds(to)) new_place_ = new_space_.place_at(to);
                if (new_place_ == nullptr) return;
                if (operand.at > cursor) sink_.copy(cursor, cursor + shift, operand.at - cursor);
                cursor = operand.at + 4;
                if (auto const row = row_of(block.mode); row != 0) {
                    auto& column = columns_[place.address_of(operand.at) / 4 % (row / 4)];
                    auto const old = read_word(base_, operand.at);
                    column = sink_.operand(operand.at, to, old + column) - old;
                } else {
                    auto const address = new_place_->address_of(to);
                    auto const predicted = value_for(block.mode, address, predictor_.predict(operand.target));
                    predictor_.learn(operand.target,
                                     target_of(block.mode, address, sink_.operand(operand.at, to, predicted)));
                }
            });
        if (end > cursor) sink_.copy(cursor, cursor + shift, end - cursor);
    }

    [[nodiscard]] AddressPredictor const& predictor() const { return predictor_; }

private:
    View base_;
    AddressSpace const& old_space_;
    AddressSpace const& new_space_;
    AddressPredictor predictor_;
    Sink& sink_;
    Place const* new_place_ = nullptr;
    std::array<std::uint32_t, 6> columns_{};
};

}  // namespace lull::store
