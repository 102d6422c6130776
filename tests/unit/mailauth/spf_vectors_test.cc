// The RFC 7208 test suite of openspf.org, all of it. tests/data/spf has its licence.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mailauth/spf.h"
#include "mailauth/text.h"
#include "tests/support/fake_resolver.h"

namespace mailzone::mailauth {
namespace {

using mailzone::testing::FakeResolver;
using nlohmann::json;

// The file has raw octets as U+0080 to U+00FF.
std::string octets(const json& value) {
  const std::string utf8 = value.get<std::string>();
  std::string out;
  for (std::size_t at = 0; at < utf8.size(); ++at) {
    const auto byte = static_cast<unsigned char>(utf8[at]);
    if (byte < 0x80) {
      out += utf8[at];
    } else {
      out += static_cast<char>((byte & 3U) << 6U | (static_cast<unsigned char>(utf8[++at]) & 63U));
    }
  }
  return out;
}

std::string joined(const json& value) {
  if (!value.is_array()) return octets(value);
  std::string out;
  for (const auto& part : value) out += octets(part);
  return out;
}

// Records that no DNS library would hand on (labels of 64 octets, empty labels) are left out.
std::optional<DnsName> target(const json& value) {
  const auto name = nameFromRaw(octets(value));
  return name ? std::optional<DnsName>(*name) : std::nullopt;
}

void addRecord(FakeResolver& dns, const DnsName& owner, const std::string& type, const json& value) {
  if (type == "TXT") {
    dns.txtRecords[owner].push_back(joined(value));
  } else if (type == "A") {
    dns.aRecords[owner].push_back(FakeResolver::ip(octets(value)));
  } else if (type == "AAAA") {
    dns.aaaaRecords[owner].push_back(FakeResolver::ip(octets(value)));
  } else if (type == "MX") {
    if (const auto host = target(value[1])) {
      dns.mxRecords[owner].push_back({static_cast<std::uint16_t>(value[0].get<int>()), *host});
    } else if (octets(value[1]).empty()) {
      dns.mxRecords[owner].push_back({0, DnsName()});
    }
  } else if (type == "PTR") {
    if (const auto host = target(value)) dns.ptrRecords[owner].push_back(*host);
  } else if (type == "CNAME") {
    if (const auto host = target(value)) dns.cnameRecords[owner] = *host;
  } else {
    FAIL() << "the suite has a record of type " << type;
  }
}

FakeResolver zoneOf(const json& zonedata) {
  FakeResolver dns;
  std::map<DnsName, std::set<std::uint16_t>> answering;
  std::set<DnsName> timeouts;
  for (const auto& [text, entries] : zonedata.items()) {
    const auto owner = nameFromRaw(text);
    if (!owner) continue;
    dns.empty.insert(*owner);
    const bool hasTxt =
        std::any_of(entries.begin(), entries.end(), [](const json& e) { return e.is_object() && e.contains("TXT"); });
    for (const auto& entry : entries) {
      if (entry == "TIMEOUT") {
        timeouts.insert(*owner);
        continue;
      }
      for (const auto& [type, value] : entry.items()) {
        if (value == "NONE" || (type == "SPF" && hasTxt)) continue;
        const std::string real = type == "SPF" ? "TXT" : type;
        addRecord(dns, *owner, real, value);
        answering[*owner].insert(RecordType::parse(real)->number());
      }
    }
  }
  // TIMEOUT at a name stands for every type that has no record there.
  dns.fails = [answering, timeouts](const DnsName& name, RecordType type) {
    if (timeouts.count(name) == 0) return false;
    const auto found = answering.find(name);
    return found == answering.end() || found->second.count(type.number()) == 0;
  };
  return dns;
}

TEST(SpfVectors, AllOf203Agree) {
  std::ifstream file(MAILZONE_SOURCE_DIR "/tests/data/spf/rfc7208-tests.json");
  const json scenarios = json::parse(file);
  int tests = 0;
  for (const auto& scenario : scenarios) {
    for (const auto& [name, test] : scenario["tests"].items()) {
      ++tests;
      auto dns = zoneOf(scenario["zonedata"]);
      SpfRequest request;
      request.client = FakeResolver::ip(octets(test["host"]));
      request.helo = octets(test["helo"]);
      request.mailFrom = octets(test["mailfrom"]);
      const auto result = checkSpf(request, dns);
      const auto& expected = test["result"];
      const std::string got(word(result.verdict));
      const bool agrees =
          expected.is_array() ? std::find(expected.begin(), expected.end(), got) != expected.end() : expected == got;
      EXPECT_TRUE(agrees) << scenario["description"] << " / " << name << ": " << got << " instead of " << expected
                          << "; " << result.reason;
      EXPECT_FALSE(result.reason.empty()) << name;
      if (test.contains("explanation") && result.verdict == Verdict::fail) {
        const std::string wanted = test["explanation"] == "DEFAULT" ? "" : octets(test["explanation"]);
        EXPECT_EQ(result.explanation, wanted) << scenario["description"] << " / " << name;
      }
    }
  }
  EXPECT_EQ(tests, 203);
}

}  // namespace
}  // namespace mailzone::mailauth
