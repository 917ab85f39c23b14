#include "core/crypto.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace lull {

namespace {

// Calls a libcrypto function to free a libcrypto object.
template <auto Free>
struct Freeing {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};

using MdContext = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Freeing<BIO_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freeing<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8 = std::unique_ptr<X509_SIG, Freeing<X509_SIG_free>>;

// PBKDF2 with HMAC-SHA256: a fifth of a second for a guess; libcrypto's own default is 2,048 rounds.
constexpr int passphrase_rounds = 600'000;
constexpr int salt_size = 16;

unsigned char const* octets(View bytes) { return reinterpret_cast<unsigned char const*>(bytes.data()); }
unsigned char* room_in(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// What libcrypto asks when a PEM is encrypted. It replaces a prompt on the terminal, which is its default.
struct PassphraseQuestion {
    std::string_view answer;
    bool asked = false;
};

int answer_passphrase(char* into, int size, int /*writing*/, void* question_of_caller) {
    auto& question = *static_cast<PassphraseQuestion*>(question_of_caller);
    question.asked = true;
    if (question.answer.empty() || question.answer.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(question.answer.begin(), question.answer.end(), into);
    return static_cast<int>(question.answer.size());
}

// Writes the key to `out` in the clear.
bool write_plain(BIO* out, EVP_PKEY* key) {
    return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
}

// Writes the key to `out`, encrypted by PBES2 (RFC 8018): PBKDF2 and AES-256-CBC.
bool write_encrypted(BIO* out, EVP_PKEY* key, std::string_view passphrase) {
    Pkcs8 const plain(EVP_PKEY2PKCS8(key));
    if (!plain) return false;
    EncryptedPkcs8 const sealed(PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase.data(),
                                              static_cast<int>(passphrase.size()), nullptr, salt_size,
                                              passphrase_rounds, plain.get()));
    return sealed && PEM_write_bio_PKCS8(out, sealed.get()) == 1;
}

}  // namespace

Result<Digest> Digest::from_bytes(View bytes) {
    if (bytes.size() != size) {
        return fail(Fault::damaged, "cannot read a SHA-256 digest: {} bytes instead of {}", bytes.size(), size);
    }
    Digest digest;
    std::copy(bytes.begin(), bytes.end(), digest.bytes_.begin());
    return digest;
}

Result<Digest> Digest::parse(std::string_view hex) {
    if (hex.size() != 2 * size) {
        return fail(Fault::damaged, "cannot read a SHA-256 digest: {} hexadecimal digits instead of {}", hex.size(),
                    2 * size);
    }
    auto const bytes = from_hex(hex);
    if (!bytes) return pass(bytes.error());
    return from_bytes(*bytes);
}

struct Sha256::State {
    MdContext context{EVP_MD_CTX_new()};
    State() {
        LULL_INVARIANT(context != nullptr);
        LULL_INVARIANT(EVP_DigestInit_ex2(context.get(), EVP_sha256(), nullptr) == 1);
    }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(View bytes) {
    LULL_INVARIANT(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
    std::array<std::byte, Digest::size> bytes{};
    LULL_INVARIANT(EVP_DigestFinal_ex(state_->context.get(), room_in(bytes), nullptr) == 1);
    LULL_INVARIANT(EVP_DigestInit_ex2(state_->context.get(), nullptr, nullptr) == 1);
    return Digest(bytes);
}

Digest sha256(View bytes) {
    std::array<std::byte, Digest::size> digest{};
    LULL_INVARIANT(EVP_Digest(bytes.data(), bytes.size(), room_in(digest), nullptr, EVP_sha256(), nullptr) == 1);
    return Digest(digest);
}

struct SigningKey::State {
    KeyHandle key;
};

SigningKey::SigningKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;

SigningKey SigningKey::generate() {
    KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    LULL_INVARIANT(key != nullptr);
    return SigningKey(std::make_unique<State>(State{std::move(key)}));
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem, std::string_view passphrase) {
    if (pem.size() > most_pem) {
        return fail(Fault::damaged, "cannot read the private key: {} bytes are too many", pem.size());
    }
    Bio const in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    LULL_INVARIANT(in != nullptr);
    PassphraseQuestion question{passphrase};
    KeyHandle key(PEM_read_bio_PrivateKey(in.get(), nullptr, answer_passphrase, &question));
    ERR_clear_error();
    if (!key && question.asked && passphrase.empty()) {
        return fail(Fault::refused, "cannot read the private key: it is encrypted, and no passphrase was given");
    }
    if (!key && question.asked) return fail(Fault::refused, "cannot read the private key: the passphrase is wrong");
    if (!key) return fail(Fault::damaged, "cannot read the private key: it is no PKCS#8 PEM (\"BEGIN PRIVATE KEY\")");
    if (EVP_PKEY_is_a(key.get(), "ED25519") != 1) {
        return fail(Fault::damaged, "cannot use the private key: it is no Ed25519 key");
    }
    return SigningKey(std::make_unique<State>(State{std::move(key)}));
}

std::string SigningKey::to_pem(std::string_view passphrase) const {
    LULL_INVARIANT(passphrase.size() <= most_passphrase);
    Bio const out(BIO_new(BIO_s_mem()));  // overwrites its memory when it is freed
    LULL_INVARIANT(out != nullptr);
    LULL_INVARIANT(passphrase.empty() ? write_plain(out.get(), state_->key.get())
                                      : write_encrypted(out.get(), state_->key.get(), passphrase));
    std::string pem(BIO_pending(out.get()), '\0');
    LULL_INVARIANT(BIO_read(out.get(), pem.data(), static_cast<int>(pem.size())) == static_cast<int>(pem.size()));
    return pem;
}

Ed25519Public SigningKey::public_key() const {
    Ed25519Public bytes{};
    std::size_t size = bytes.size();
    LULL_INVARIANT(EVP_PKEY_get_raw_public_key(state_->key.get(), room_in(bytes), &size) == 1 && size == bytes.size());
    return bytes;
}

Ed25519Signature SigningKey::sign(View message) const {
    MdContext const context(EVP_MD_CTX_new());
    LULL_INVARIANT(context != nullptr);
    LULL_INVARIANT(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1);
    Ed25519Signature signature{};
    std::size_t size = signature.size();
    LULL_INVARIANT(EVP_DigestSign(context.get(), room_in(signature), &size, octets(message), message.size()) == 1 &&
                   size == signature.size());
    return signature;
}

bool verify_signature(Ed25519Public const& key, View message, View signature) {
    if (signature.size() != std::tuple_size_v<Ed25519Signature>) return false;
    KeyHandle const handle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key), key.size()));
    MdContext const context(EVP_MD_CTX_new());
    LULL_INVARIANT(handle != nullptr && context != nullptr);
    LULL_INVARIANT(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, handle.get()) == 1);
    bool const good = EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                                       message.size()) == 1;
    ERR_clear_error();  // a bad signature leaves an entry in this thread's queue
    return good;
}

void fill_random(std::span<std::byte> bytes) {
    constexpr std::size_t step = std::numeric_limits<int>::max();
    while (!bytes.empty()) {
        auto const part = bytes.first(std::min(step, bytes.size()));
        LULL_INVARIANT(RAND_bytes(room_in(part), static_cast<int>(part.size())) == 1);
        bytes = bytes.subspan(part.size());
    }
}

std::uint64_t random_u64() {
    std::uint64_t number = 0;
    fill_random(std::as_writable_bytes(std::span(&number, 1)));
    return number;
}

std::size_t DigestHash::operator()(Digest const& digest) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, digest.view().data(), sizeof hash);
    return hash;
}

}  // namespace lull
