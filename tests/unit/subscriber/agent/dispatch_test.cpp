#include "subscriber/agent/dispatch.hpp"

#include <catch2/catch.hpp>

namespace dispatch_test {

using namespace lull;
using namespace lull::subscriber;

// The proofs of this file hold when it compiles: a handler counts only in exactly the form that Dispatch asks for.

namespace {

template <class Owner, class OneEvent>
concept HandlesEvent = requires {
    static_cast<Dispatch::EventHandler<Owner, OneEvent>>(&Owner::on_event);
};
template <class Owner, class OneMessage>
concept HandlesMessage = requires {
    static_cast<Dispatch::MessageHandler<Owner, OneMessage>>(&Owner::on_message);
};

struct Exact {
    void on_event(Tick const&, Moment) {}
    void on_event(ExchangeReady const&, Moment) {}
    void on_message(Ping const&, Arrival const&, Moment) {}
    void on_message(Pong const&, Arrival const&, Moment) {}
};
static_assert(HandlesEvent<Exact, Tick> && HandlesMessage<Exact, Ping>);

// Missing.
static_assert(!HandlesEvent<Exact, ExchangeLost> && !HandlesMessage<Exact, Grant>);

// Slightly wrong: by value, without the time, with a result, with something else that an event could be made of.
struct ByValue {
    void on_event(Tick, Moment) {}
    void on_message(Ping, Arrival const&, Moment) {}
};
struct WithoutTime {
    void on_event(Tick const&) {}
    void on_message(Ping const&, Arrival const&) {}
};
struct WithResult {
    bool on_event(Tick const&, Moment) { return true; }
    bool on_message(Ping const&, Arrival const&, Moment) { return true; }
};
struct Base {
    void on_event(Event const&, Moment) {}
    void on_message(Message const&, Arrival const&, Moment) {}
};
template <class Wrong>
constexpr bool refused = !HandlesEvent<Wrong, Tick> && !HandlesMessage<Wrong, Ping>;
static_assert(refused<ByValue> && refused<WithoutTime> && refused<WithResult> && refused<Base>);

// An owner that handles every message for nodes, and counts them.
struct Everything {
    template <class OneMessage>
    void on_message(OneMessage const&, Arrival const&, Moment) {
        ++heard;
    }
    template <class OneMessage>
    void on_announced(OneMessage const&, Moment) {
        ++announced;
    }
    int heard = 0;
    int announced = 0;
};

template <std::size_t... Index>
std::vector<Message> one_of_each(std::index_sequence<Index...>) {
    return {Message(std::variant_alternative_t<Index, AnyMessage>{})...};
}

}  // namespace

TEST_CASE("a message that is not for nodes, or not announced, reaches no handler") {
    Everything everything;
    for (auto const& message : one_of_each(std::make_index_sequence<std::variant_size_v<AnyMessage>>())) {
        CAPTURE(to_text(type_of(message)));
        auto const before = everything.heard;
        CHECK(Dispatch::message(everything, message, {}, {}) == is_for_nodes(type_of(message)));
        CHECK(everything.heard == before + (is_for_nodes(type_of(message)) ? 1 : 0));
        CHECK(Dispatch::announcement(everything, message, {}) == is_announced(type_of(message)));
    }
    CHECK(everything.heard == static_cast<int>(messages_to_nodes.size()));
    CHECK(everything.announced == static_cast<int>(announced_messages.size()));
}

}  // namespace dispatch_test
