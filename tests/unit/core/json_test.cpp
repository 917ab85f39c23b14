#include "core/json.hpp"

#include <catch2/catch.hpp>

namespace json_test {

using namespace lull;

TEST_CASE("a key that is missing in a constant object is an exception, not the end of the process") {
    auto const json = Json::parse(R"({"name": "app", "nodes": [{"seq": 7}]})");
    CHECK(json["name"] == "app");
    CHECK(json["nodes"][0]["seq"] == 7);
    CHECK_THROWS_AS(json["version"], JsonError);
    CHECK_THROWS_AS(json["nodes"][0]["state"], JsonError);
    CHECK_THROWS(json.at("version"));
    CHECK_THROWS(json["name"]["first"]);
}

TEST_CASE("keys keep the order in which they were written") {
    Json json;
    json["b"] = 1;
    json["a"] = 2;
    CHECK(json.dump() == R"({"b":1,"a":2})");
}

}  // namespace json_test
