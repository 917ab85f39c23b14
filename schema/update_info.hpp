#pragma once

#include <vector>

#include "schema/activation.hpp"
#include "schema/call.hpp"
#include "schema/envelope.hpp"
#include "schema/rollout.hpp"

namespace lull {

// How much others on the network may notice of a release. immediate: all that it takes; the others keep out of their
// way.
enum class Urgency : std::uint8_t { background, normal, urgent, immediate };
constexpr Urgency enum_last(Urgency) { return Urgency::immediate; }

// What happens while a release is in use on a node: it waits until nobody uses it; or who uses it is asked to end, and
// ended; or it is switched at once, and who uses it keeps its files.
enum class Policy : std::uint8_t { wait, restart, now };
constexpr Policy enum_last(Policy) { return Policy::now; }

// As people write them: "background", "wait". Fault::usage names all of them.
[[nodiscard]] Result<Urgency> parse_urgency(std::string_view text);
[[nodiscard]] Result<Policy> parse_policy(std::string_view text);
// The reverse.
[[nodiscard]] std::string_view to_text(Urgency urgency);
[[nodiscard]] std::string_view to_text(Policy policy);

// One build of a release, for one architecture.
struct Build {
    ArchitectureName architecture;
    Digest manifest;        // SHA-256 of the manifest's encoded envelope: the object by that name
    Bytes manifest_size{};  // plain bytes of that object
    Bytes size{};           // sum of the files' sizes
    std::uint64_t files = 0;
    // What the manifest says but version, times and holes: builds with the same are one to those who publish.
    std::optional<Digest> contents{};
    static void describe(auto& self, auto& visit) {
        visit("a", self.architecture);
        visit("m", self.manifest);
        visit("l", self.manifest_size);
        visit("z", self.size);
        visit("f", self.files);
        visit("c", self.contents);
    }
    bool operator==(Build const&) const = default;
};

// Whether two lists of builds are for the same architectures and have the same contents: the same manifests, or
// manifests that differ in times only.
[[nodiscard]] bool same_contents(std::vector<Build> const& a, std::vector<Build> const& b);

// What is announced about a release. The publisher signs it; the broker adds its place in the log around it.
struct UpdateInfo {
    SoftwareName software;
    VersionName version;
    WallTime time;                  // when it was published, by the publisher's clock
    std::vector<Build> builds;      // at most one an architecture
    std::vector<GroupName> groups;  // empty: every node
    Urgency urgency = Urgency::normal;
    Policy policy = Policy::wait;
    std::optional<Activation> activation{};  // none: that of a release whose publisher says nothing of it
    std::optional<Rollout> rollout{};        // none: it may become live everywhere at once
    // Programs of the tree that a node may have run by an executor (remote calls); none: no program.
    std::optional<std::vector<std::string>> callable{};

    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("t", self.time);
        visit("b", self.builds);
        visit("g", self.groups);
        visit("u", self.urgency);
        visit("p", self.policy);
        visit("c", self.activation);
        visit("o", self.rollout);
        visit("x", self.callable);
    }
    bool operator==(UpdateInfo const&) const = default;

    // The build for this architecture, else the one for "any", else null.
    [[nodiscard]] Build const* build_for(ArchitectureName const& architecture) const;
};

// Checks the signature, decodes, and checks the rules (at least one build, no architecture twice). Fault::refused or
// damaged.
[[nodiscard]] Result<UpdateInfo> open_update_info(Envelope const& envelope, TrustedKeys const& trusted);

// The same without asking who signed: for records that were checked before they were written.
[[nodiscard]] Result<UpdateInfo> decode_update_info(View payload);

// An entry of the broker's log.
struct LogEntry {
    Seq seq;
    Seq prev;         // the entry before it
    WallTime time;    // when the broker committed it
    Envelope update;  // the signed update-info
    static void describe(auto& self, auto& visit) {
        visit("q", self.seq);
        visit("p", self.prev);
        visit("t", self.time);
        visit("u", self.update);
    }
    bool operator==(LogEntry const&) const = default;
};

}  // namespace lull
