#include "core/crypto.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <unordered_set>

namespace crypto_test {

using namespace lull;

namespace {

// RFC 8032, 7.1.
struct Vector {
    std::string_view secret;
    std::string_view key;
    std::string_view message;
    std::string_view signature;
};

constexpr Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

Buffer bytes_of(std::string_view hex) {
    auto bytes = from_hex(hex);
    REQUIRE(bytes);
    return std::move(*bytes);
}

Ed25519Public public_of(std::string_view hex) {
    auto const bytes = bytes_of(hex);
    Ed25519Public key{};
    REQUIRE(bytes.size() == key.size());
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

std::string base64(View bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        auto const held = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t j = 0; j < 3; ++j) {
            group = group << 8 | (j < held ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) text += j <= held ? letters[group >> (18 - 6 * j) & 63] : '=';
    }
    return text;
}

// RFC 8410, 7: a PKCS#8 Ed25519 key is this prefix and the secret.
std::string pem_of(std::string_view secret) {
    auto const der = bytes_of("302e020100300506032b657004220420" + std::string(secret));
    return "-----BEGIN PRIVATE KEY-----\n" + base64(der) + "\n-----END PRIVATE KEY-----\n";
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
    CHECK(sha256(as_view("abc")).hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256({}).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256(as_view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex() ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256(as_view(std::string(1'000'000, 'a'))).hex() ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 in pieces is SHA-256 of the whole, and finishing starts anew") {
    Sha256 hash;
    for (int round = 0; round < 2; ++round) {
        hash.update(as_view("a"));
        hash.update({});
        hash.update(as_view("bc"));
        CHECK(hash.finish() == sha256(as_view("abc")));
    }
    CHECK(hash.finish() == sha256({}));
    hash.update(as_view("ab"));
    Sha256 moved(std::move(hash));
    moved.update(as_view("c"));
    CHECK(moved.finish() == sha256(as_view("abc")));
}

TEST_CASE("a digest is read from exactly 32 bytes or 64 digits") {
    auto const digest = sha256(as_view("abc"));
    CHECK(Digest::parse(digest.hex()) == digest);
    CHECK(Digest::from_bytes(digest.view()) == digest);
    auto const hex = digest.hex();
    for (auto const& text :
         {std::string(), hex.substr(1), hex.substr(2), hex + "0", hex + "00", std::string(64, 'x')}) {
        auto const parsed = Digest::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().fault == Fault::damaged);
    }
    CHECK_FALSE(Digest::from_bytes(digest.view().first(31)));
    CHECK_FALSE(Digest::from_bytes(as_view(std::string(33, 'x'))));
}

TEST_CASE("a digest that was not set says so, and digests are ordered and hashed by their bytes") {
    CHECK(Digest().unset());
    CHECK_FALSE(sha256({}).unset());
    CHECK(Digest() < sha256({}));
    std::unordered_set<Digest, DigestHash> set = {sha256({}), sha256(as_view("a")), sha256({})};
    CHECK(set.size() == 2);
}

TEST_CASE("Ed25519 gives the keys and signatures of RFC 8032 and accepts them") {
    for (auto const& vector : vectors) {
        auto const key = SigningKey::from_pem(pem_of(vector.secret), "");
        REQUIRE(key);
        CHECK(to_hex(key->public_key()) == vector.key);
        auto const message = bytes_of(vector.message);
        CHECK(to_hex(key->sign(message)) == vector.signature);
        CHECK(verify_signature(public_of(vector.key), message, bytes_of(vector.signature)));
    }
}

TEST_CASE("a signature fails when any bit of it or of the message changes, and under another key") {
    auto const key = SigningKey::generate();
    auto message = to_buffer(as_view("release 1.4.2"));
    auto const signature = key.sign(message);
    REQUIRE(verify_signature(key.public_key(), message, signature));
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
        auto tampered = signature;
        tampered[bit / 8] ^= std::byte{1} << (bit % 8);
        CHECK_FALSE(verify_signature(key.public_key(), message, tampered));
    }
    message[0] ^= std::byte{1};
    CHECK_FALSE(verify_signature(key.public_key(), message, signature));
    CHECK_FALSE(verify_signature(key.public_key(), {}, signature));
    CHECK_FALSE(verify_signature(SigningKey::generate().public_key(), as_view("release 1.4.2"), signature));
    CHECK(verify_signature(key.public_key(), as_view("release 1.4.2"), signature));
}

TEST_CASE("signatures of another length and keys that are no points are refused") {
    auto const key = SigningKey::generate();
    auto const signature = key.sign(as_view("x"));
    CHECK_FALSE(verify_signature(key.public_key(), as_view("x"), {}));
    CHECK_FALSE(verify_signature(key.public_key(), as_view("x"), View(signature).first(63)));
    auto longer = to_buffer(signature);
    longer.push_back(std::byte{0});
    CHECK_FALSE(verify_signature(key.public_key(), as_view("x"), longer));
    Ed25519Public ones{};
    ones.fill(std::byte{0xff});
    CHECK_FALSE(verify_signature(ones, as_view("x"), signature));
}

TEST_CASE("a key without passphrase survives the way to PEM and back") {
    auto const key = SigningKey::generate();
    auto const pem = key.to_pem("");
    CHECK(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    auto const again = SigningKey::from_pem(pem, "");
    REQUIRE(again);
    CHECK(again->public_key() == key.public_key());
    CHECK(again->sign(as_view("x")) == key.sign(as_view("x")));
    CHECK(SigningKey::from_pem(pem, "a passphrase that nobody needs"));
}

TEST_CASE("an encrypted key opens with its passphrase only, and nobody is asked on a terminal") {
    auto const key = SigningKey::generate();
    auto const pem = key.to_pem("correct horse");
    CHECK(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    auto const again = SigningKey::from_pem(pem, "correct horse");
    REQUIRE(again);
    CHECK(again->public_key() == key.public_key());

    auto const wrong = SigningKey::from_pem(pem, "wrong horse");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().fault == Fault::refused);
    CHECK(wrong.error().message.find("passphrase is wrong") != std::string::npos);

    auto const missing = SigningKey::from_pem(pem, "");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().fault == Fault::refused);
    CHECK(missing.error().message.find("no passphrase was given") != std::string::npos);
}

TEST_CASE("the longest passphrase works and a longer one is wrong") {
    auto const key = SigningKey::generate();
    std::string const longest(SigningKey::most_passphrase, 'p');
    auto const pem = key.to_pem(longest);
    CHECK(SigningKey::from_pem(pem, longest));
    CHECK(SigningKey::from_pem(pem, longest + "p").error().fault == Fault::refused);
}

TEST_CASE("text that is no Ed25519 key is damaged") {
    auto const pem = SigningKey::generate().to_pem("");
    std::string const x25519 =  // RFC 8410 encodes X25519 keys alike
        "-----BEGIN PRIVATE KEY-----\n" + base64(bytes_of("302e020100300506032b656e04220420" + std::string(64, '4'))) +
        "\n-----END PRIVATE KEY-----\n";
    for (auto const& text : {std::string(), std::string("hello"), pem.substr(0, pem.size() / 2), x25519,
                             std::string(SigningKey::most_pem + 1, 'x')}) {
        auto const key = SigningKey::from_pem(text, "");
        REQUIRE_FALSE(key);
        CHECK(key.error().fault == Fault::damaged);
    }
    CHECK(SigningKey::from_pem(x25519, "").error().message.find("no Ed25519 key") != std::string::npos);
}

TEST_CASE("random bytes differ from call to call and fill everything") {
    std::set<std::uint64_t> numbers;
    for (int i = 0; i < 100; ++i) numbers.insert(random_u64());
    CHECK(numbers.size() == 100);
    Buffer bytes(4096);
    fill_random(bytes);
    auto const zeros = std::count(bytes.begin(), bytes.end(), std::byte{0});
    CHECK(zeros < 100);
    fill_random({});
}

}  // namespace crypto_test
