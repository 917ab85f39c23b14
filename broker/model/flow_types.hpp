#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/byte_rate.hpp"

// What decision code and shell exchange about the flow of bulk data.

namespace lull::broker {

// A live connection on the exchange, named by the shell; never reused.
using SessionId = std::uint64_t;

// Where the bytes of a session flow. Sessions of one site share what lies between this machine and them.
struct Route {
    std::string site;  // an address, or a network that the operator named
    std::string line;  // interface of this machine
};

// A frame of DATA or a probe was handed to the kernel.
struct FrameLeft {
    SessionId session = 0;
    std::optional<std::uint64_t> probe{};  // its number
    Bytes size{};                          // of the payload
    TimePoint at;
    Bytes unsent{};  // of this connection, that the kernel had not sent yet
};

// The counters of an interface at one instant, both on the wire and since any origin.
struct CounterReading {
    TimePoint at;
    Bytes all;   // sent by the interface
    Bytes ours;  // of them, sent by us
};

// The counters of a line, every 20 ms while somebody fetches.
struct LineReading {
    std::string line;
    CounterReading counters;
    std::optional<ByteRate> link_speed{};  // if the driver tells
};

}  // namespace lull::broker
