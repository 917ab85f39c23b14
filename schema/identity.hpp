#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto.hpp"
#include "core/files.hpp"
#include "schema/address.hpp"
#include "schema/ids.hpp"

// Keys as files: JSON for what programs exchange, PKCS#8 PEM for signing keys. What holds secrets is 0600 in a 0700
// directory.

namespace lull {

// The public half of somebody's keys: what others are told. File kind "lull public key 1".
struct PublicIdentity {
    std::string name;  // for people: 1..64 of letters, digits and ._-@
    PeerKey curve;
    Ed25519Public signing{};

    [[nodiscard]] static Result<PublicIdentity> load(fs::path const& path);
    [[nodiscard]] Status save(fs::path const& path) const;
    bool operator==(PublicIdentity const&) const = default;
};

struct Identity;

// The secret half. Lies in a directory as `curve.secret` (hexadecimal) and `signing.pem` beside `public.key`.
struct SecretIdentity {
    std::string name;
    std::array<std::byte, 32> curve_secret{};
    SigningKey signing;

    // Reads both halves. Fault::not_found names the command that makes keys; Fault::refused: open to others, wrong
    // passphrase.
    [[nodiscard]] static Result<Identity> load(fs::path const& directory, std::string_view passphrase);

    // Writes both halves durably, `public.key` last; the caller derives the CURVE public key. Keys that are there
    // already are never overwritten: Fault::refused.
    [[nodiscard]] Status save(fs::path const& directory, std::string_view passphrase, PublicIdentity const& open) const;
};

// Both halves of one's own keys.
struct Identity {
    PublicIdentity open;
    SecretIdentity secret;
};

// Everything that a node needs to join: who it is, where the broker is, whose signatures count. File kind "lull join
// bundle 1".
struct JoinBundle {
    NodeName node;
    BrokerAddress broker;
    std::array<std::byte, 32> curve_secret{};
    std::vector<Ed25519Public> trusted;  // 1..16 signing keys

    // Fault::refused with the chmod to run if the file is open to others.
    [[nodiscard]] static Result<JoinBundle> load(fs::path const& path);
    // Writes the file durably with mode 0600; the directory must exist.
    [[nodiscard]] Status save(fs::path const& path) const;
    bool operator==(JoinBundle const&) const = default;
};

}  // namespace lull
