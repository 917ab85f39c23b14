#include "schema/ids.hpp"

#include <catch2/catch.hpp>

namespace ids_test {

using namespace lull;

TEST_CASE("names take letters, digits and the punctuation of their kind") {
    CHECK(SoftwareName::parse("kiosk-browser_2.0+x")->text() == "kiosk-browser_2.0+x");
    CHECK_FALSE(VersionName::parse("1:2").has_value());
    CHECK(VersionName::parse("1.4.2~rc1+b7")->text() == "1.4.2~rc1+b7");
    CHECK(NodeName::parse("7")->text() == "7");
    CHECK(ArchitectureName::parse("x86_64").has_value());
    CHECK(SoftwareName::parse(std::string(64, 'a')).has_value());
    CHECK(SoftwareName().unset());
}

TEST_CASE("names refuse what could mean something to a shell, a path or a terminal") {
    for (std::string const bad :
         {"", "-rf", ".", "..", ".hidden", "a/b", "a b", "a\nb", "a;b", "a$b", "\xc3\xa9", "a'b", "~a", "+a"}) {
        CAPTURE(bad);
        auto const parsed = SoftwareName::parse(bad);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().fault == Fault::usage);
    }
    CHECK_FALSE(SoftwareName::parse(std::string(65, 'a')).has_value());
    CHECK_FALSE(NodeName::parse(std::string(64, 'a')).has_value());
    CHECK_FALSE(SoftwareName::parse(std::string_view("a\0b", 3)).has_value());
    CHECK_FALSE(NodeName::parse("a+b").has_value());
}

TEST_CASE("the error of a bad name shows what was given, what is allowed and an example") {
    auto const message = NodeName::parse("till 17\x1b[2J").error().message;
    CHECK(message.find("'till 17\\x1b[2J'") != std::string::npos);
    CHECK(message.find("name of a node") != std::string::npos);
    CHECK(message.find("._-") != std::string::npos);
    CHECK(message.find("for example till-17") != std::string::npos);
    CHECK(NodeName::parse(std::string(5000, 'x')).error().message.size() < 300);
}

TEST_CASE("this machine's architecture is a good name") { CHECK_FALSE(native_architecture().unset()); }

TEST_CASE("a peer's key is read from its 64 digits only") {
    std::string const hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    CHECK(PeerKey::parse(hex)->hex() == hex);
    CHECK_FALSE(PeerKey::parse(hex.substr(1)).has_value());
    CHECK_FALSE(PeerKey::parse(hex + "00").has_value());
    CHECK_FALSE(PeerKey::parse("zz" + hex.substr(2)).has_value());
    CHECK_FALSE(PeerKey::parse("").has_value());
}

TEST_CASE("roles have names") {
    CHECK(to_text(Role::node) == "node");
    CHECK(to_text(Role::publisher) == "publisher");
    CHECK(to_text(Role::operator_) == "operator");
}

}  // namespace ids_test
