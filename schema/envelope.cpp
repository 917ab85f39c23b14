#include "schema/envelope.hpp"

#include <algorithm>

namespace lull {

namespace {

// What a signature is over. The zero byte ends the domain, so that no payload can pass for a longer domain's.
Buffer signed_bytes(View payload, std::string_view domain) {
    Buffer bytes = to_buffer(as_view(domain));
    bytes.reserve(domain.size() + 1 + payload.size());
    bytes.push_back(std::byte{0});
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

}  // namespace

bool TrustedKeys::contains(Ed25519Public const& key) const {
    return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
}

Envelope seal(Buffer payload, std::string_view domain, SigningKey const& key) {
    auto const signature = key.sign(signed_bytes(payload, domain));
    return Envelope{std::move(payload), {Signature{key.public_key(), signature}}};
}

Status check_signature(Envelope const& envelope, std::string_view domain, TrustedKeys const& trusted) {
    if (envelope.signatures.empty()) return fail(Fault::refused, "the {} is not signed; publish it again", domain);
    if (envelope.signatures.size() > limits::signatures) {
        return fail(Fault::refused, "the {} has {} signatures, more than {}", domain, envelope.signatures.size(),
                    limits::signatures);
    }
    auto const bytes = signed_bytes(envelope.payload, domain);
    bool any_trusted = false;
    for (auto const& [key, signature] : envelope.signatures) {
        if (!trusted.contains(key)) continue;
        any_trusted = true;
        if (verify_signature(key, bytes, signature)) return {};
    }
    auto const first = to_hex(envelope.signatures.front().key);
    if (!any_trusted) {
        return fail(
            Fault::refused,
            "the {} is signed by key {}, which is not trusted here; publish it with a key that is, or enrol this node "
            "anew with that key: lull nodes new NAME --trust PUBLIC.KEY, then lull-node join --force NAME.join",
            domain, first);
    }
    return fail(Fault::refused,
                "the {} does not match its signature by key {}: it was altered, or signed as something else", domain,
                first);
}

}  // namespace lull
