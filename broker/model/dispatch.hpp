#pragma once

#include <concepts>
#include <utility>

#include "schema/roles.hpp"

namespace lull::broker {

// One callable object of several lambdas, each for one type.
template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

template <class Handlers, class M>
concept Handles = !is_for_broker(M::type) || std::invocable<Handlers&, M>;

template <class Handlers, class Messages>
inline constexpr bool handles_all = false;
template <class Handlers, class... Messages>
inline constexpr bool handles_all<Handlers, std::variant<Messages...>> = (Handles<Handlers, Messages> && ...);

// Whether these handlers take every message that the table of roles lets a peer send to the broker. A handler that is
// missing, or whose parameter does not fit, makes this false.
template <class Handlers>
concept HandlesEveryMessage = handles_all<Handlers, AnyMessage>;

// Gives the message to its handler; returns false for a message that no peer may send to the broker.
template <HandlesEveryMessage Handlers>
bool dispatch(Message message, Handlers handlers) {
    return std::visit(
        [&]<class M>(M& concrete) {
            if constexpr (is_for_broker(M::type)) {
                handlers(std::move(concrete));
                return true;
            } else {
                return false;
            }
        },
        message);
}

}  // namespace lull::broker
