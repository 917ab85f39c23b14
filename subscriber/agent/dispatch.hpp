#pragma once

#include "core/clock.hpp"
#include "schema/roles.hpp"
#include "subscriber/model/events.hpp"

// Calls the handler of an event or a message. There has to be one of exactly the form below for each: one that is
// missing, or takes other arguments, does not compile. tests/unit/subscriber/agent/dispatch_test.cpp proves it.

namespace lull::subscriber {

// How a message came on the exchange. The payload of DATA stays with the shell until the agent decides about it.
struct Arrival {
    Bytes payload{};
    TimePoint came{};
};

struct Dispatch {
    template <class Owner, class OneEvent>
    using EventHandler = void (Owner::*)(OneEvent const&, Moment);
    template <class Owner, class OneMessage>
    using MessageHandler = void (Owner::*)(OneMessage const&, Arrival const&, Moment);
    template <class Owner, class OneMessage>
    using AnnouncementHandler = void (Owner::*)(OneMessage const&, Moment);

    template <class Owner>
    static void event(Owner& owner, Event const& event, Moment now) {
        std::visit(
            [&]<class OneEvent>(OneEvent const& concrete) {
                constexpr EventHandler<Owner, OneEvent> handler = &Owner::on_event;
                (owner.*handler)(concrete, now);
            },
            event);
    }

    // False: the table of roles does not know this message as one for nodes.
    template <class Owner>
    [[nodiscard]] static bool message(Owner& owner, Message const& message, Arrival const& arrival, Moment now) {
        return std::visit(
            [&]<class OneMessage>(OneMessage const& concrete) {
                if constexpr (is_for_nodes(OneMessage::type)) {
                    constexpr MessageHandler<Owner, OneMessage> handler = &Owner::on_message;
                    (owner.*handler)(concrete, arrival, now);
                }
                return is_for_nodes(OneMessage::type);
            },
            message);
    }

    // False: the table of roles does not know this message as one that is announced.
    template <class Owner>
    [[nodiscard]] static bool announcement(Owner& owner, Message const& message, Moment now) {
        return std::visit(
            [&]<class OneMessage>(OneMessage const& concrete) {
                if constexpr (is_announced(OneMessage::type)) {
                    constexpr AnnouncementHandler<Owner, OneMessage> handler = &Owner::on_announced;
                    (owner.*handler)(concrete, now);
                }
                return is_announced(OneMessage::type);
            },
            message);
    }
};

}  // namespace lull::subscriber
