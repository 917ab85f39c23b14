#include "schema/address.hpp"

#include <catch2/catch.hpp>

namespace address_test {

using namespace lull;

namespace {
std::string const key(64, 'a');
}

TEST_CASE("an address names host, three ports and the key") {
    auto const address = BrokerAddress::parse("tcp://broker.example:7700/" + key);
    REQUIRE(address.has_value());
    CHECK(address->host == "broker.example");
    CHECK(address->port == 7700);
    CHECK(address->key.hex() == key);
    CHECK(address->ingest() == "tcp://broker.example:7700");
    CHECK(address->announce() == "tcp://broker.example:7701");
    CHECK(address->exchange() == "tcp://broker.example:7702");
}

TEST_CASE("an address survives its text") {
    for (std::string const host :
         {"a", "till-17.shop.example", "10.0.0.1", "[2001:db8::1]", "[::1]", "my_host", "0a.1"}) {
        for (std::string const port : {"1", "7700", "65532"}) {
            auto const text = "tcp://" + host + ":" + port + "/" + key;
            CAPTURE(text);
            auto const address = BrokerAddress::parse(text);
            REQUIRE(address.has_value());
            CHECK(address->to_text() == text);
            CHECK(BrokerAddress::parse(address->to_text()) == *address);
        }
    }
    CHECK(BrokerAddress::parse("tcp://[::1]:7700/" + key)->host == "::1");
}

TEST_CASE("what is no address is refused with an example") {
    for (auto const& bad : {
             std::string(),
             std::string("broker:7700"),
             "udp://broker:7700/" + key,
             "tcp://broker/" + key,
             "tcp://:7700/" + key,
             "tcp://broker:/" + key,
             "tcp://broker:0/" + key,
             "tcp://broker:65533/" + key,
             "tcp://broker:99999999999999999999/" + key,
             "tcp://broker:-1/" + key,
             std::string("tcp://broker:7700"),
             std::string("tcp://broker:7700/"),
             "tcp://broker:7700/" + key + "0",
             "tcp://broker:7700/" + key.substr(1),
             "tcp://broker:7700/" + key.substr(1) + "g",
             "tcp://broker:77x/" + key,
             "tcp://*:7700/" + key,
             "tcp://bro ker:7700/" + key,
             "tcp://bro..ker:7700/" + key,
             "tcp://-broker:7700/" + key,
             "tcp://broker.:7700/" + key,
             "tcp://1.2.3:7700/" + key,
             "tcp://1.2.3.256:7700/" + key,
             "tcp://::1:7700/" + key,
             "tcp://[::1:7700/" + key,
             "tcp://[::g]:7700/" + key,
             "tcp://[]:7700/" + key,
             "tcp://[broker]:7700/" + key,
             "tcp://" + std::string(64, 'x') + ":7700/" + key,
             "tcp://" + std::string(300, 'x') + ":7700/" + key,
             std::string("tcp://bro\0ker:7700/", 19) + key,
             std::string("tcp://[::1\0]:7700/", 18) + key,
         }) {
        CAPTURE(bad);
        auto const address = BrokerAddress::parse(bad);
        REQUIRE_FALSE(address.has_value());
        CHECK(address.error().fault == Fault::usage);
        CHECK(address.error().message.find("tcp://broker.example:7700/KEY") != std::string::npos);
        CHECK(address.error().message.find('\0') == std::string::npos);
    }
}

}  // namespace address_test
