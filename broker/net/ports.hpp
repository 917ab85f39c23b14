#pragma once

#include "core/messaging.hpp"
#include "schema/address.hpp"

namespace lull::broker {

// The broker's three sockets, encrypted and bound. An Authenticator has to answer already: without one the
// sockets admit no peer.
struct Ports {
    Socket ingest;    // XSUB: update-infos of publishers
    Socket announce;  // XPUB: to every node
    Socket exchange;  // ROUTER: sessions

    // Binds the three ports that follow `listen.port`. `welcome` is what a new subscriber gets first. Fault::refused
    // names the port that is in use.
    [[nodiscard]] static Result<Ports> open(MessagingContext& context, CurveKeyPair const& keys,
                                            BrokerAddress const& listen, View welcome);
};

}  // namespace lull::broker
