#include "backend/dispatcher.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "replica_fixture.h"

namespace mailzone::backend {
namespace {

using nlohmann::json;

class DispatcherFixture : public ReplicaFixture {
 protected:
  void SetUp() override {
    ReplicaFixture::SetUp();
    slot = std::make_unique<ReplicaSlot>(replica);
    access = std::make_unique<ReplicaAccess>(*slot);
  }
  json ask(const std::string& line) {
    Dispatcher dispatcher(*access);
    const std::string reply = dispatcher.onLine(line);
    EXPECT_TRUE(reply.ends_with("}\n")) << reply;
    EXPECT_EQ(reply.find('\n'), reply.size() - 1) << "one line";
    return json::parse(reply);
  }
  json ask(const json& request) { return ask(request.dump()); }
  json lookup(std::string_view qname, std::string_view qtype, int zone = -1) {
    return ask(
        {{"method", "lookup"},
         {"parameters",
          {{"qname", qname}, {"qtype", qtype}, {"zone-id", zone}, {"remote", "192.0.2.1"}, {"local", "0.0.0.0"}}}});
  }
  std::unique_ptr<ReplicaSlot> slot;
  std::unique_ptr<ReplicaAccess> access;
};

const char* const kMethods[] = {"APILookup",
                                "abortTransaction",
                                "activateDomainKey",
                                "addDomainKey",
                                "commitTransaction",
                                "createSlaveDomain",
                                "deactivateDomainKey",
                                "deleteTSIGKey",
                                "directBackendCmd",
                                "feedEnts",
                                "feedEnts3",
                                "feedRecord",
                                "getBeforeAndAfterNamesAbsolute",
                                "getDomainKeys",
                                "getTSIGKey",
                                "getTSIGKeys",
                                "getUnfreshSlaveInfos",
                                "getUpdatedMasters",
                                "publishDomainKey",
                                "removeDomainKey",
                                "replaceRRSet",
                                "searchRecords",
                                "setDomainMetadata",
                                "setFresh",
                                "setNotified",
                                "setStale",
                                "setTSIGKey",
                                "startTransaction",
                                "superMasterBackend",
                                "unpublishDomainKey"};

TEST_F(DispatcherFixture, NeverDeniesWhileItIsNotFilled) {
  EXPECT_EQ(ask({{"method", "initialize"}, {"parameters", {{"path", "/x"}}}})["result"], true);
  std::vector<std::string> methods(std::begin(kMethods), std::end(kMethods));
  for (const char* more :
       {"lookup", "list", "getAllDomains", "getDomainInfo", "getDomainMetadata", "getAllDomainMetadata"}) {
    methods.emplace_back(more);
  }
  const json parameters = {
      {"qname", "t1.shop.example."}, {"qtype", "ANY"}, {"zone-id", 1}, {"name", "shop.example."}, {"kind", "X"},
      {"zonename", "shop.example."}, {"domain_id", 1}};
  for (const bool broken : {false, true}) {
    for (const auto& method : methods) {
      const auto reply = ask({{"method", method}, {"parameters", parameters}});
      EXPECT_FALSE(reply.contains("result")) << method << (broken ? " broken: " : " unfilled: ") << reply;
      EXPECT_TRUE(reply["log"].is_array()) << method;
    }
    if (broken) break;
    fill();
    EXPECT_TRUE(lookup("shop.example.", "SOA").contains("result"));
    replica->setBroken();
  }
}

TEST_F(DispatcherFixture, RefusesOtherMethodsOfPowerDnsWithAReasonAndUnknownOnesWithoutResult) {
  fill();
  for (const char* method : kMethods) {
    const auto reply = ask({{"method", method}, {"parameters", json::object()}});
    EXPECT_EQ(reply["result"], false) << method;
    EXPECT_GT(reply["log"][0].get<std::string>().size(), 10U) << method;
  }
  EXPECT_FALSE(ask({{"method", "makeCoffee"}, {"parameters", json::object()}}).contains("result"));
  EXPECT_FALSE(ask({{"method", ""}, {"parameters", json::object()}}).contains("result"));
}

TEST_F(DispatcherFixture, LooksUpWhateverTheCaseAndGivesNumbersAsNumbers) {
  fill({{source(SourceKind::domain, 10), {rrset(1, "t1.shop.example", "TXT", {"\"a \\\"quoted\\\" \\255\""}, 60)}}});
  const json want = json::array({{{"qtype", "TXT"},
                                  {"qname", "t1.shop.example."},
                                  {"content", "\"a \\\"quoted\\\" \\255\""},
                                  {"ttl", 60},
                                  {"domain_id", 1},
                                  {"auth", 1}}});
  for (const char* qname : {"t1.shop.example.", "T1.ShOp.EXAMPLE.", "t1.shop.example", "\\1161.shop.example."}) {
    for (const char* qtype : {"ANY", "TXT"}) {
      for (const int zone : {-1, 1}) EXPECT_EQ(lookup(qname, qtype, zone)["result"], want) << qname << qtype << zone;
      EXPECT_EQ(lookup(qname, qtype, 2)["result"], json::array()) << "another zone";
      EXPECT_EQ(lookup(qname, qtype, 99)["result"], json::array()) << "no zone";
    }
  }
  EXPECT_EQ(lookup("t1.shop.example.", "A")["result"], json::array());
  EXPECT_EQ(lookup("t1.shop.example.", "TYPE16")["result"], want);
  EXPECT_EQ(lookup("t1.shop.example.", "NOSUCHTYPE")["result"], json::array()) << "nothing is stored under it";
  EXPECT_EQ(lookup("t1.shop.example.", "TYPE0")["result"], json::array());
  EXPECT_EQ(lookup("t1.other.example.", "ANY")["result"], json::array());
  EXPECT_EQ(lookup(".", "SOA")["result"], json::array());
}

TEST_F(DispatcherFixture, KeepsBothSidesOfADelegationApartByZone) {
  fill();
  EXPECT_EQ(lookup("dkim.shop.example.", "SOA", -1)["result"][0]["domain_id"], 2);
  EXPECT_EQ(lookup("dkim.shop.example.", "SOA", 1)["result"], json::array()) << "the parent has no SOA there";
  EXPECT_EQ(lookup("dkim.shop.example.", "NS", 1)["result"][0]["auth"], 0);
  EXPECT_EQ(lookup("dkim.shop.example.", "NS", 2)["result"][0]["auth"], 1);
  EXPECT_EQ(lookup("dkim.shop.example.", "NS", -1)["result"].size(), 2U) << "any zone: the child first";
  EXPECT_EQ(lookup("dkim.shop.example.", "NS", -1)["result"][0]["domain_id"], 2);
  EXPECT_EQ(lookup("dkim.shop.example.", "DS", 1)["result"], json::array());
}

TEST_F(DispatcherFixture, GivesEmptyNonTerminalsAndWildcardsAsNames) {
  fill({{source(SourceKind::domain, 10), {rrset(1, "*.w.shop.example", "A", {"192.0.2.1"})}}});
  EXPECT_EQ(lookup("w.shop.example.", "ANY")["result"][0]["qtype"], "");
  EXPECT_EQ(lookup("*.w.shop.example.", "ANY")["result"][0]["qname"], "*.w.shop.example.");
  EXPECT_EQ(lookup("x.w.shop.example.", "ANY")["result"], json::array()) << "PowerDNS expands wildcards itself";
}

TEST_F(DispatcherFixture, TellsOfZones) {
  fill();
  {
    auto writer = Replica::Writer::begin(*replica).value();
    std::vector<ServedZone> zones = {servedZone(1, "shop.example", 42), servedZone(2, "dkim.shop.example")};
    zones[0].metadata = {{"ALLOW-AXFR-FROM", {"192.0.2.1", "192.0.2.2"}}, {"X-\"odd\"", {"\\"}}};
    ASSERT_TRUE(writer.setZones(zones));
    ASSERT_TRUE(writer.commit());
  }
  const json shop = {
      {"id", 1},         {"zone", "shop.example."}, {"kind", "native"}, {"serial", 42}, {"notified_serial", 42},
      {"last_check", 0}, {"masters", json::array()}};
  EXPECT_EQ(ask({{"method", "getDomainInfo"}, {"parameters", {{"name", "SHOP.example."}}}})["result"], shop);
  EXPECT_EQ(ask({{"method", "getDomainInfo"}, {"parameters", {{"name", "t1.shop.example."}}}})["result"], false);
  const auto all = ask({{"method", "getAllDomains"}, {"parameters", {{"include_disabled", true}}}})["result"];
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0], shop);
  const auto meta = [&](const char* method, json parameters) {
    return ask({{"method", method}, {"parameters", std::move(parameters)}})["result"];
  };
  EXPECT_EQ(meta("getDomainMetadata", {{"name", "shop.example."}, {"kind", "ALLOW-AXFR-FROM"}}),
            json::array({"192.0.2.1", "192.0.2.2"}));
  EXPECT_EQ(meta("getDomainMetadata", {{"name", "shop.example."}, {"kind", "PRESIGNED"}}), false);
  EXPECT_EQ(meta("getDomainMetadata", {{"name", "no.example."}, {"kind", "PRESIGNED"}}), false);
  EXPECT_EQ(meta("getAllDomainMetadata", {{"name", "shop.example."}}),
            json({{"ALLOW-AXFR-FROM", {"192.0.2.1", "192.0.2.2"}}, {"X-\"odd\"", {"\\"}}}));
  EXPECT_EQ(meta("getAllDomainMetadata", {{"name", "dkim.shop.example."}}), json::object());
  EXPECT_EQ(meta("getAllDomainMetadata", {{"name", "no.example."}}), false);
}

TEST_F(DispatcherFixture, ListsAZoneAsItsLookupsSay) {
  fill({{source(SourceKind::domain, 10),
         {rrset(1, "a.b.shop.example", "TXT", {"\"x\"", "\"y\""}), rrset(1, "*.shop.example", "A", {"192.0.2.1"})}}});
  for (const int id : {-1, 1}) {
    const auto rows =
        ask({{"method", "list"}, {"parameters", {{"zonename", "Shop.example."}, {"domain_id", id}}}})["result"];
    std::map<std::string, json> byName;
    for (const auto& each : rows) {
      auto& group = byName.try_emplace(each["qname"], json::array()).first->second;
      group.push_back(each);
    }
    EXPECT_EQ(byName.size(), 5U);
    for (const auto& [owner, group] : byName) EXPECT_EQ(lookup(owner, "ANY", 1)["result"], group) << owner;
  }
  EXPECT_EQ(ask({{"method", "list"}, {"parameters", {{"zonename", "no.example."}, {"domain_id", -1}}}})["result"],
            false);
  EXPECT_EQ(ask({{"method", "list"}, {"parameters", {{"zonename", "shop.example."}, {"domain_id", 2}}}})["result"],
            false);
}

TEST_F(DispatcherFixture, AnswersBadInputWithOneErrorAndGoesOn) {
  fill();
  Dispatcher dispatcher(*access);
  const std::string good =
      R"({"method": "lookup", "parameters": {"qname": "shop.example.", "qtype": "SOA", "zone-id": -1}})";
  const std::pair<const char*, std::string> rows[] = {
      {"empty", ""},
      {"no JSON", "hello"},
      {"cut short", good.substr(0, 40)},
      {"two documents", good + good},
      {"an array", "[1]"},
      {"a string", "\"lookup\""},
      {"a number", "17"},
      {"no method", R"({"parameters":{}})"},
      {"a method that is a number", R"({"method":1,"parameters":{}})"},
      {"a method that is an object", R"({"method":{"a":"lookup"},"parameters":{}})"},
      {"parameters that are text", R"({"method":"lookup","parameters":"x"})"},
      {"no parameters", R"({"method":"lookup"})"},
      {"no qname", R"({"method":"lookup","parameters":{"qtype":"ANY"}})"},
      {"qname null", R"({"method":"lookup","parameters":{"qname":null,"qtype":"ANY"}})"},
      {"qname a list", R"({"method":"lookup","parameters":{"qname":["a"],"qtype":"ANY"}})"},
      {"qname empty", R"({"method":"lookup","parameters":{"qname":"","qtype":"ANY"}})"},
      {"a label of 64",
       R"({"method":"lookup","parameters":{"qname":")" + std::string(64, 'a') + R"(.","qtype":"ANY"}})"},
      {"a name of 300", R"({"method":"lookup","parameters":{"qname":")" +
                            [] {
                              std::string out;
                              for (int i = 0; i < 100; ++i) out += "aa.";
                              return out;
                            }() +
                            R"(","qtype":"ANY"}})"},
      {"qtype a number", R"({"method":"lookup","parameters":{"qname":"a.","qtype":16}})"},
      {"zone-id text", R"({"method":"lookup","parameters":{"qname":"a.","qtype":"ANY","zone-id":"1"}})"},
      {"zone-id too large", R"({"method":"lookup","parameters":{"qname":"a.","qtype":"ANY","zone-id":4294967295}})"},
      {"zone-id a fraction", R"({"method":"lookup","parameters":{"qname":"a.","qtype":"ANY","zone-id":1.5}})"},
      {"zone-id below -1", R"({"method":"lookup","parameters":{"qname":"a.","qtype":"ANY","zone-id":-2}})"},
      {"list without a zone", R"({"method":"list","parameters":{"domain_id":1}})"},
      {"not UTF-8", "{\"method\":\"lookup\",\"parameters\":{\"qname\":\"\xff.\",\"qtype\":\"ANY\"}}"},
      {"deeply nested", std::string(20000, '[')},
      {"deeply nested in the parameters", R"({"method":"lookup","parameters":{"a":)" + std::string(20000, '[')},
      {"65 parameters",
       [] {
         std::string out = R"({"method":"lookup","parameters":{"qname":"a.","qtype":"ANY")";
         for (int i = 0; i < 65; ++i) out += ",\"p" + std::to_string(i) + "\":1";
         return out + "}}";
       }()},
  };
  for (const auto& [why, line] : rows) {
    const auto reply = json::parse(dispatcher.onLine(line));
    EXPECT_FALSE(reply.contains("result")) << why << ": " << reply;
    EXPECT_FALSE(reply["log"][0].get<std::string>().empty()) << why;
    EXPECT_EQ(json::parse(dispatcher.onLine(good))["result"].size(), 1U) << "after " << why;
  }
  EXPECT_FALSE(json::parse(Dispatcher::lineTooLong(10)).contains("result"));
}

TEST_F(DispatcherFixture, AcceptsWhatMeansTheSameInJson) {
  fill();
  for (
      const auto& line : {
          R"({"parameters":{"zone-id":-1.0,"qtype":"SOA","qname":"shop.example."},"method":"lookup"})",
          "\t{ \"method\" : \"lookup\",\r\n \"parameters\" : {\"qname\":\"shop.\\u0065xample.\",\"qtype\":\"SOA\"} } ",
          R"({"method":"lookup","parameters":{"qname":"x.","qname":"shop.example.","qtype":"SOA","more":{"qname":"y."}}})",
          R"({"id":7,"x":{"method":"list"},"method":"lookup","parameters":{"qname":"shop.example.","qtype":"SOA","l":[{"a":1}]}})",
      }) {
    EXPECT_EQ(ask(std::string(line))["result"].size(), 1U) << line;
  }
}

TEST_F(DispatcherFixture, ChangesToAnotherReplicaWithoutANewConnection) {
  fill();
  Dispatcher dispatcher(*access);
  const std::string line = R"({"method":"getAllDomains","parameters":{}})";
  EXPECT_TRUE(json::parse(dispatcher.onLine(line)).contains("result"));
  auto fresh = replica->replace();
  ASSERT_TRUE(fresh);
  slot->set(*fresh);
  EXPECT_FALSE(json::parse(dispatcher.onLine(line)).contains("result")) << "the new one is not filled";
  replica = *fresh;
  fill();
  EXPECT_TRUE(json::parse(dispatcher.onLine(line)).contains("result"));
}

// 225 exchanges recorded between Debian's PowerDNS 4.7.3 and a small responder over a unix socket. What PowerDNS really
// sends is understood in full; what a read-only backend with the same zone answers is the same.
TEST_F(DispatcherFixture, UnderstandsEveryRecordedRequestAndAnswersAsRecorded) {
  auto writer = Replica::Writer::beginFill(*replica).value();
  const std::vector<ServedZone> zones = {servedZone(1, "unit.test")};
  ASSERT_TRUE(writer.setZones(zones));
  const std::vector<zonegen::ZoneRRset> records = {
      rrset(1, "unit.test", "SOA", {"ns.unit.test. hostmaster.unit.test. 1 2 3 4 5"}),
      rrset(1, "unit.test", "NS", {"ns1.unit.test.", "ns2.unit.test."}), rrset(1, "ns1.unit.test", "A", {"10.0.0.1"}),
      rrset(1, "ns2.unit.test", "A", {"10.0.0.2"})};
  ASSERT_TRUE(writer.apply(source(SourceKind::zone, 1), records));
  ASSERT_TRUE(writer.commitFill());

  std::ifstream file(MAILZONE_SOURCE_DIR "/tests/data/remote-api/golden-transcript-4.7.3.json");
  const auto transcript = json::parse(file);
  ASSERT_EQ(transcript.size(), 225U);
  std::size_t compared = 0;
  bool untouched = true;  // until the recorded responder was written to
  for (const auto& exchange : transcript) {
    const auto method = exchange["request"]["method"].get<std::string>();
    const auto reply = ask(exchange["raw_request"].get<std::string>());
    ASSERT_TRUE(reply.contains("result")) << exchange["raw_request"] << " -> " << reply;
    untouched = untouched && !method.starts_with("set") && method != "startTransaction";
    auto want = exchange["reply"]["result"];
    auto have = reply["result"];
    const bool isNo = (want == false || want == json::array()) && (have == false || have == json::array());
    if (method == "initialize") {
      EXPECT_EQ(have, want);
    } else if ((method == "lookup" || method == "list") && untouched) {
      ASSERT_EQ(isNo || have.size() == want.size(), true) << exchange["raw_request"] << have;
      if (isNo) continue;
      const auto plain = [](json rows) {
        std::multiset<std::string> out;
        for (auto& each : rows) {
          each.erase("domain_id");  // the recorded responder knew none
          out.insert(each.dump());
        }
        return out;
      };
      EXPECT_EQ(plain(have), plain(want)) << exchange["raw_request"];
    } else if (method == "getDomainInfo" || method == "getAllDomains") {
      EXPECT_EQ(have.type(), want.type()) << exchange["raw_request"] << have;
      if (isNo) continue;
      const auto& first = have.is_array() ? have[0] : have;
      const auto& recorded = want.is_array() ? want[0] : want;
      for (const auto& [key, value] : recorded.items()) EXPECT_EQ(first[key].type(), value.type()) << key;
      EXPECT_EQ(first["zone"], recorded["zone"]);
    } else {
      continue;
    }
    ++compared;
  }
  EXPECT_GE(compared, 60U);
}

}  // namespace
}  // namespace mailzone::backend
