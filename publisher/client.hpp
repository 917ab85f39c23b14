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

// Follows a release. Fault::unreachable if the broker says nothing in the beginning. `seen` is told each time that the broker says something new, and says whether that is the end.
struct FollowUntil {
    std::function<std::optional<Status>(ReleaseProgress const&)> seen;
    std::function<std::string(ReleaseProgress const&)> text;  // for people, where it ends otherwise
    std::optional<Duration> within;                           // fails after that
    std::function<void(std::string const&)> lost;             // told why nothing comes; it is tried again
};
[[nodiscard]] Result<ReleaseProgress> follow(ClientOptions const& options, Follow const& what, FollowUntil until);

// Where the plain bytes of objects come from.
using ObjectSource = std::function<Result<Buffer>(Digest const&)>;

// Publishes what is described, from this source. The same as below else.
[[nodiscard]] Result<Committed> publish(ClientOptions const& options, Publication publication, ObjectSource source, ClientProgress const& progress);

// Publishes a release; returns once it is durable at the broker. SIGINT and SIGTERM end it, and the next try goes on
// from there.
[[nodiscard]] Result<Committed> publish(ClientOptions const& options, Release const& release,
                                        Envelope const& update_info, ClientProgress const& progress);

}  // namespace lull::publisher
