#include "schema/envelope.hpp"

#include <catch2/catch.hpp>

namespace envelope_test {

using namespace lull;

namespace {

Buffer payload() { return to_buffer(as_view("what was published")); }

Status check(Envelope const& envelope, SigningKey const& trusted, std::string_view domain = domain::manifest) {
    return check_signature(envelope, domain, TrustedKeys({trusted.public_key()}));
}

void check_refused(Status const& status, std::string const& reason) {
    REQUIRE_FALSE(status.has_value());
    CHECK(status.error().fault == Fault::refused);
    CHECK(status.error().message.find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("what a trusted key sealed is accepted") {
    auto const key = SigningKey::generate();
    CHECK(check(seal(payload(), domain::manifest, key), key).has_value());
    CHECK(check(seal({}, domain::manifest, key), key).has_value());
}

TEST_CASE("a change of any byte of payload, signature or key is refused") {
    auto const key = SigningKey::generate();
    auto const good = seal(payload(), domain::manifest, key);
    for (std::size_t i = 0; i < good.payload.size(); ++i) {
        auto bad = good;
        bad.payload[i] ^= std::byte{0x20};
        check_refused(check(bad, key), "altered");
    }
    for (std::size_t i = 0; i < 64; ++i) {
        auto bad = good;
        bad.signatures[0].signature[i] ^= std::byte{1};
        check_refused(check(bad, key), "altered");
    }
    for (std::size_t i = 0; i < 32; ++i) {
        auto bad = good;
        bad.signatures[0].key[i] ^= std::byte{1};
        check_refused(check(bad, key), "not trusted here");
    }
    auto shorter = good;
    shorter.payload.pop_back();
    check_refused(check(shorter, key), "altered");
    auto longer = good;
    longer.payload.push_back(std::byte{0});
    check_refused(check(longer, key), "altered");
}

TEST_CASE("a signature counts for one domain only") {
    auto const key = SigningKey::generate();
    auto const sealed = seal(payload(), domain::manifest, key);
    CHECK(check(sealed, key, domain::manifest).has_value());
    check_refused(check(sealed, key, domain::update_info), "altered");
    check_refused(check(sealed, key, "lull manifest"), "altered");
}

TEST_CASE("bytes cannot wander from the payload into the domain") {
    auto const key = SigningKey::generate();
    auto sealed = seal(to_buffer(as_view(" 1x")), "lull", key);
    sealed.payload = to_buffer(as_view("x"));
    check_refused(check(sealed, key, "lull 1"), "altered");
}

TEST_CASE("a key that is not trusted signs in vain, and the message names it") {
    auto const key = SigningKey::generate();
    auto const stranger = SigningKey::generate();
    auto const status = check(seal(payload(), domain::manifest, stranger), key);
    check_refused(status, to_hex(stranger.public_key()));
    check_refused(check_signature(seal(payload(), domain::manifest, key), domain::manifest, TrustedKeys()),
                  "not trusted here");
}

TEST_CASE("one signature of a trusted key suffices among others") {
    auto const key = SigningKey::generate();
    auto const stranger = SigningKey::generate();
    auto sealed = seal(payload(), domain::manifest, stranger);
    sealed.signatures.push_back(seal(payload(), domain::manifest, key).signatures[0]);
    CHECK(check(sealed, key).has_value());
}

TEST_CASE("a key cannot borrow the signature of another") {
    auto const key = SigningKey::generate();
    auto sealed = seal(payload(), domain::manifest, SigningKey::generate());
    sealed.signatures[0].key = key.public_key();
    check_refused(check(sealed, key), "altered");
}

TEST_CASE("no signature at all and too many are refused") {
    auto const key = SigningKey::generate();
    check_refused(check(Envelope{payload(), {}}, key), "not signed");
    auto sealed = seal(payload(), domain::manifest, key);
    sealed.signatures.resize(limits::signatures, sealed.signatures[0]);
    CHECK(check(sealed, key).has_value());
    sealed.signatures.push_back(sealed.signatures[0]);
    check_refused(check(sealed, key), "17 signatures");
}

TEST_CASE("an envelope crosses the wire byte for byte") {
    auto const sealed = seal(payload(), domain::manifest, SigningKey::generate());
    CHECK(decode<Envelope>(encode(sealed), limits::envelope) == sealed);
}

TEST_CASE(
    "an envelope is refused before its elements could cost memory, and may have as many signatures as are allowed") {
    auto sealed = seal(payload(), domain::manifest, SigningKey::generate());
    sealed.signatures.resize(limits::signatures, sealed.signatures[0]);
    CHECK(decode<Envelope>(encode(sealed), limits::envelope) == sealed);
    auto bomb = to_buffer(as_view(std::string_view("\xdc\x03\xe8", 3)));
    bomb.resize(bomb.size() + 1000, std::byte{0xc0});
    CHECK(Document::parse(bomb, limits::envelope).has_value());
    auto const refused = decode<Envelope>(bomb, limits::envelope);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message.find("more elements") != std::string::npos);
}

}  // namespace envelope_test
