#pragma once

#include <functional>
#include <string>

#include "publisher/client/broker_call.hpp"
#include "publisher/client/upload.hpp"
#include "publisher/release/builder.hpp"

namespace lull::publisher {

// What publishing reports while it runs.
struct ClientProgress {
    std::function<void(Bytes done, Bytes total)> uploaded;
    std::function<void(std::string const& text)> waiting;  // why there is no connection; at most once
};

// Where the plain bytes of objects come from.
using ObjectSource = std::function<Result<Buffer>(Digest const&)>;

// Publishes a publication with objects of this source. Otherwise as below.
[[nodiscard]] Result<Committed> publish(ClientOptions const& options, Publication publication, ObjectSource source,
                                        ClientProgress const& progress);

// Publishes a release; returns when it is durable at the broker. After SIGINT or SIGTERM the next call continues where
// this one ended.
[[nodiscard]] Result<Committed> publish(ClientOptions const& options, Release const& release,
                                        Envelope const& update_info, ClientProgress const& progress);

}  // namespace lull::publisher
