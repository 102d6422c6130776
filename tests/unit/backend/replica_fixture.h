// A replica in a temporary folder, filled from a few lines.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "backend/replica.h"
#include "backend/replica_slot.h"

namespace mailzone::backend {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mailzone-replica-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

[[nodiscard]] inline DnsName name(std::string_view text) {
  return DnsName::parse(text).value();
}

[[nodiscard]] inline zonegen::ZoneRRset rrset(int zone, std::string_view owner, std::string_view type,
                                              std::vector<std::string> contents, int ttl = 300) {
  return {ZoneId{zone}, RRset{name(owner), RecordType::parse(type).value(), Ttl::of(ttl).value(), std::move(contents)}};
}

[[nodiscard]] inline ServedZone servedZone(int id, std::string_view apex, std::uint32_t serial = 1) {
  ServedZone zone;
  zone.id = id;
  zone.name = name(apex);
  zone.serial = serial;
  return zone;
}

inline constexpr SourceId source(SourceKind kind, std::int64_t id) {
  return SourceId{kind, id};
}

/// A small map, and no waiting for the disk: nothing here outlives the process.
inline constexpr Replica::Options kOptions{std::size_t{1} << 30, false};

class ReplicaFixture : public testing::Test {
 protected:
  void SetUp() override { replica = Replica::open(folder.path(), kOptions).value(); }

  /// Two zones, the second one delegated from the first; SOA and NS at both.
  void fill(const std::vector<std::pair<SourceId, std::vector<zonegen::ZoneRRset>>>& more = {}) {
    auto writer = Replica::Writer::beginFill(*replica).value();
    const std::vector<ServedZone> zones = {servedZone(1, "shop.example"), servedZone(2, "dkim.shop.example")};
    ASSERT_TRUE(writer.setZones(zones));
    for (const auto& [from, records] : base()) ASSERT_TRUE(writer.apply(from, records));
    for (const auto& [from, records] : more) ASSERT_TRUE(writer.apply(from, records));
    ASSERT_TRUE(writer.setPosition({7, "nonce"}));
    ASSERT_TRUE(writer.commitFill());
  }
  static std::vector<std::pair<SourceId, std::vector<zonegen::ZoneRRset>>> base() {
    return {{source(SourceKind::zone, 1),
             {rrset(1, "shop.example", "SOA", {"ns1.shop.example. h.shop.example. 1 2 3 4 5"})}},
            {source(SourceKind::zone, 2),
             {rrset(2, "dkim.shop.example", "SOA", {"ns1.shop.example. h.shop.example. 1 2 3 4 5"})}},
            {source(SourceKind::staticRecord, 1), {rrset(1, "shop.example", "NS", {"ns1.shop.example."})}},
            {source(SourceKind::staticRecord, 2), {rrset(2, "dkim.shop.example", "NS", {"ns1.shop.example."})}},
            {source(SourceKind::platform, 1), {rrset(1, "dkim.shop.example", "NS", {"ns1.shop.example."})}}};
  }
  void apply(SourceId from, const std::vector<zonegen::ZoneRRset>& records) {
    auto writer = Replica::Writer::begin(*replica).value();
    auto done = writer.apply(from, records);
    ASSERT_TRUE(done) << describe(done.error());
    ASSERT_TRUE(writer.commit());
  }
  /// The records as "owner type content", sorted as stored; "(cannot tell)" or "(broken)".
  std::string ask(int zone, std::string_view owner, std::string_view type = "ANY") {
    auto reader = Replica::Reader::open(replica).value();
    if (!reader.begin()) return "(not ready)";
    std::string out;
    switch (reader.lookup(zone, name(owner).canonicalKey(), RecordType::parse(type).value(), out)) {
      case Found::records:
        return out;
      case Found::nothing:
        return "";
      case Found::cannotTell:
        return "(cannot tell)";
      case Found::broken:
        return "(broken)";
    }
    return "?";
  }
  std::vector<BadSource> bad() {
    auto reader = Replica::Reader::open(replica).value();
    EXPECT_TRUE(reader.begin());
    return reader.badSources().value();
  }
  /// Every node, with who contributes what.
  std::map<std::string, Node> nodes() {
    std::map<std::string, Node> out;
    auto reader = Replica::Reader::open(replica).value();
    EXPECT_TRUE(reader.begin());
    EXPECT_TRUE(reader.eachNode([&](std::string_view key, const Node& node) { out[std::string(key)] = node; }));
    return out;
  }

  TemporaryFolder folder;
  std::shared_ptr<Replica> replica;
};

}  // namespace mailzone::backend
