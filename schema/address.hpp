#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schema/ids.hpp"

namespace lull {

// Where a broker is and which key it proves itself with. Its three ports follow each other: ingest, announce, exchange.
struct BrokerAddress {
    std::string host;        // name, IPv4, or IPv6 without brackets
    std::uint16_t port = 0;  // of ingest; 1..65532
    PeerKey key;             // the broker's CURVE public key

    // Reads "tcp://HOST:PORT/KEY" with KEY in 64 hexadecimal digits; HOST is a name, IPv4 or [IPv6]. Fault::usage
    // otherwise.
    [[nodiscard]] static Result<BrokerAddress> parse(std::string_view text);
    // The reverse.
    [[nodiscard]] std::string to_text() const;

    // ZeroMQ endpoints to connect to: "tcp://HOST:PORT".
    [[nodiscard]] std::string ingest() const { return endpoint(0); }
    [[nodiscard]] std::string announce() const { return endpoint(1); }
    [[nodiscard]] std::string exchange() const { return endpoint(2); }

    bool operator==(BrokerAddress const&) const = default;

private:
    [[nodiscard]] std::string endpoint(unsigned offset) const;
};

}  // namespace lull
