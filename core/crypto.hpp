#pragma once

#include <array>
#include <compare>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

// The home of libcrypto (OpenSSL 3): SHA-256 (FIPS 180-4), Ed25519 (RFC 8032), PKCS#8 PEM (RFC 5958), random bytes.

namespace lull {

// A SHA-256 digest. The default value is all zeros and names nothing.
class Digest {
public:
    static constexpr std::size_t size = 32;
    Digest() = default;
    explicit Digest(std::array<std::byte, size> const& bytes) : bytes_(bytes) {}

    // Takes exactly 32 bytes.
    [[nodiscard]] static Result<Digest> from_bytes(View bytes);
    // Takes exactly 64 hexadecimal digits.
    [[nodiscard]] static Result<Digest> parse(std::string_view hex);

    [[nodiscard]] View view() const { return bytes_; }
    [[nodiscard]] std::string hex() const { return to_hex(bytes_); }
    [[nodiscard]] bool unset() const { return *this == Digest(); }
    auto operator<=>(Digest const&) const = default;

private:
    std::array<std::byte, size> bytes_{};
};

// SHA-256 over bytes that come in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(View bytes);
    // Ends the computation; the object is then as new.
    [[nodiscard]] Digest finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] Digest sha256(View bytes);

using Ed25519Public = std::array<std::byte, 32>;
using Ed25519Signature = std::array<std::byte, 64>;

// An Ed25519 private key. Never printed, never copied.
class SigningKey {
public:
    static constexpr std::size_t most_passphrase = 1024;  // bytes; what libcrypto can read back
    static constexpr std::size_t most_pem = 64 * 1024;    // bytes

    [[nodiscard]] static SigningKey generate();
    // Reads PKCS#8 PEM; `passphrase` is used where the PEM is encrypted. Fault::refused if it is wrong or missing.
    [[nodiscard]] static Result<SigningKey> from_pem(std::string_view pem, std::string_view passphrase);
    // Writes PKCS#8 PEM, encrypted with AES-256-CBC if the passphrase is not empty. Aborts if it is longer than
    // most_passphrase.
    [[nodiscard]] std::string to_pem(std::string_view passphrase) const;

    [[nodiscard]] Ed25519Public public_key() const;
    [[nodiscard]] Ed25519Signature sign(View message) const;

    ~SigningKey();
    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;

private:
    struct State;
    explicit SigningKey(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// True only if the signature is by this key over exactly this message.
[[nodiscard]] bool verify_signature(Ed25519Public const& key, View message, View signature);

// From the kernel's generator by way of libcrypto; aborts if there is none.
void fill_random(std::span<std::byte> bytes);
[[nodiscard]] std::uint64_t random_u64();

// 0..2^32-1 hash for hash tables: digests are uniform already.
struct DigestHash {
    std::size_t operator()(Digest const& digest) const noexcept;
};

}  // namespace lull
