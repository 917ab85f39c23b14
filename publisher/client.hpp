#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "publisher/builder.hpp"
#include "publisher/exchange.hpp"
#include "publisher/upload.hpp"

namespace lull::publisher {

struct ClientOptions {
    BrokerAddress broker;
    CurveKeyPair own;
    Duration patience = std::chrono::seconds(10);  // without any progress
};

// What an operation tells while it runs.
struct ClientProgress {
    std::function<void(Bytes done, Bytes total)> uploaded;
    std::function<void(std::string const& text)> waiting;  // why nothing happens yet; once a reason
};

// Asks the broker, and asks again for as many pages as there are: an answer with the rows of all of them.
// Fault::unreachable says whether nobody listens or somebody does not accept our key; Fault::refused carries the
// broker's own words.
[[nodiscard]] Result<Answer> request(ClientOptions const& options, Admin const& question);

// Publishes a release; returns once it is durable at the broker. SIGINT and SIGTERM end it, and the next try goes on
// from there.
[[nodiscard]] Result<Committed> publish(ClientOptions const& options, Release const& release,
                                        Envelope const& update_info, ClientProgress const& progress);

}  // namespace lull::publisher
