#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "schema/codec.hpp"

namespace lull {

// What a signature is over: the domain, a zero byte, then the payload as it came. See TRUST.md.
namespace domain {
inline constexpr std::string_view update_info = "lull update-info 1";
inline constexpr std::string_view manifest = "lull manifest 1";
inline constexpr std::string_view manifest_2 = "lull manifest 2";
}  // namespace domain

struct Signature {
    Ed25519Public key{};
    Ed25519Signature signature{};
    static void describe(auto& self, auto& visit) {
        visit("k", self.key);
        visit("s", self.signature);
    }
    bool operator==(Signature const&) const = default;
};

// Signed bytes that are carried and stored as they were signed, never encoded again.
struct Envelope {
    static constexpr std::size_t most_elements = 256;  // sixteen signatures have 84
    Buffer payload;
    std::vector<Signature> signatures;
    static void describe(auto& self, auto& visit) {
        visit("p", self.payload);
        visit("s", self.signatures);
    }
    bool operator==(Envelope const&) const = default;
};

// The signing keys that somebody trusts. Roles and thresholds come with root metadata; until then one signature
// suffices.
class TrustedKeys {
public:
    TrustedKeys() = default;
    explicit TrustedKeys(std::vector<Ed25519Public> keys) : keys_(std::move(keys)) {}
    [[nodiscard]] bool contains(Ed25519Public const& key) const;
    [[nodiscard]] std::vector<Ed25519Public> const& keys() const { return keys_; }

private:
    std::vector<Ed25519Public> keys_;
};

// Signs a payload for one domain.
[[nodiscard]] Envelope seal(Buffer payload, std::string_view domain, SigningKey const& key);

// Makes sure that a trusted key signed the payload for this domain; call before decoding it. Fault::refused otherwise.
[[nodiscard]] Status check_signature(Envelope const& envelope, std::string_view domain, TrustedKeys const& trusted);

}  // namespace lull
