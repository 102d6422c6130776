#include "zonegen/master_file.h"

#include <gtest/gtest.h>

#include "tests/support/model_fixture.h"

namespace mailzone::zonegen {
namespace {

using test::name;

Result<MasterFile> read(std::string_view text) {
  return readMasterFile(text, name("shop.example"), ZoneId{1});
}

std::string printed(const MasterFile& file) {
  std::string out;
  for (const auto& r : file.records) {
    out += r.owner.text() + ' ' + std::to_string(r.ttl.seconds()) + ' ' + r.type.text() + ' ' + r.content + '\n';
  }
  return out;
}

TEST(MasterFile, IsReadAsRfc1035Writes) {
  const auto file = read(
      "; a zone\r\n"
      "$TTL 1h\n"
      "@   IN SOA ns1 hostmaster.shop.example. (\n"
      "      2026112501 ; serial\n"
      "      3h 1h      ; refresh, retry\n"
      "      1w 60 )    ; expire, minimum\n"
      "    NS ns1\n"
      "    300 IN NS ns2.other.example.\n"
      "\n"
      "ns1 A 192.0.2.53\n"
      "    IN 60 AAAA 2001:DB8::53\n"
      "    \n"
      "www IN CNAME @\n"
      "txt TXT ( \"two ; strings\"\n"
      "   unquoted ) ; and a comment\n"
      "$ORIGIN sub\n"
      "a\\.b MX 10 @\n"
      "@ CAA 0 issue \"ca.example\"\n"
      "$ttl 5m\n"
      "_sip._tcp SRV 0 0 5060 sip.shop.example.");
  ASSERT_FALSE(file) << "NS ns1 has TTL 3600, the other 300";
  EXPECT_EQ(file.error().rule,
            "line 8, column 12: the records of one owner and type share a TTL (RFC 2181 section 5.2)");
  EXPECT_EQ(file.error().remedy, "write 3600, as before");
}

TEST(MasterFile, GivesRecordsAndTheSoaApart) {
  const auto file = read(
      "$TTL 1h\n"
      "@   IN SOA ns1 hostmaster.shop.example. (\n"
      "      2026112501 ; serial\n"
      "      3h 1h      ; refresh, retry\n"
      "      1w1d 60 )  ; expire, minimum\n"
      "    NS ns1\n"
      "ns1 A 192.0.2.53\n"
      "    IN 60 AAAA 2001:DB8::53\n"
      "    \n"
      "www IN CNAME @\n"
      "www IN CNAME @ ; said twice\n"
      "txt TXT ( \"two ; strings\"\n"
      "   unquoted ) ; and a comment\n"
      "$ORIGIN sub\n"
      "a\\.b MX 10 mx\n"
      "@ CAA 0 issue \"ca.example\"\n"
      "$ttl 5m\n"
      "_sip._tcp SRV 0 0 5060 sip.shop.example.");
  ASSERT_TRUE(file) << describe(file.error());
  ASSERT_TRUE(file->soa);
  EXPECT_EQ(file->soa->primaryServer.text(), "ns1.shop.example.");
  EXPECT_EQ(file->soa->serial, 2026112501U);
  EXPECT_EQ(file->soa->expire, 691200U);
  EXPECT_EQ(file->soa->ttl.seconds(), 3600U);
  EXPECT_EQ(printed(*file),
            "shop.example. 3600 NS ns1.shop.example.\n"
            "ns1.shop.example. 3600 A 192.0.2.53\n"
            "ns1.shop.example. 60 AAAA 2001:db8::53\n"
            "www.shop.example. 3600 CNAME shop.example.\n"
            "txt.shop.example. 3600 TXT \"two ; strings\" \"unquoted\"\n"
            "a\\.b.sub.shop.example. 3600 MX 10 mx.sub.shop.example.\n"
            "sub.shop.example. 3600 CAA 0 issue \"ca.example\"\n"
            "_sip._tcp.sub.shop.example. 300 SRV 0 0 5060 sip.shop.example.\n");
  for (const auto& record : file->records) EXPECT_EQ(record.zone, ZoneId{1});
}

TEST(MasterFile, TakesTheTtlFromTheRecordBeforeOrTheSoa) {
  EXPECT_EQ(printed(*read("@ SOA ns h 1 2 3 4 77\n@ NS ns\nx 5 A 192.0.2.1\ny A 192.0.2.2\n")),
            "shop.example. 77 NS ns.shop.example.\nx.shop.example. 5 A 192.0.2.1\ny.shop.example. 5 A 192.0.2.2\n");
}

TEST(MasterFile, ReadsATransfersSecondSoa) {
  EXPECT_TRUE(read("@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\n@ 60 SOA ns h 1 2 3 4 5\n"));
}

TEST(MasterFile, OfNothingIsEmpty) {
  for (const auto* text : {"", "\n\n", "; only a comment", "  \t \n", "()"}) {
    const auto file = read(text);
    ASSERT_TRUE(file) << text;
    EXPECT_TRUE(file->records.empty());
    EXPECT_FALSE(file->soa);
  }
}

TEST(MasterFile, SaysWhereItIsWrong) {
  const struct {
    const char* why;
    std::string text;
    const char* place;
  } rows[] = {{"an open parenthesis", "x 60 A (192.0.2.1\n\n", "line 1, column 8: "},
              {"nested parentheses", "x 60 A ((192.0.2.1))\n", "line 1, column 9: "},
              {"a closing parenthesis alone", "\nx 60 A 192.0.2.1 )\n", "line 2, column 18: "},
              {"an open quote", "x 60 TXT \"a\ny 60 TXT \"b\"\n", "line 1, column 10: "},
              {"a quote that ends in a backslash", "x 60 TXT \"a\\", "line 1, column 10: "},
              {"no owner yet", "  60 A 192.0.2.1\n", "line 1, column 3: "},
              {"no TTL", "x A 192.0.2.1\n", "line 1, column 3: "},
              {"no type", "x 60 IN\n", "line 1, column 6: "},
              {"only an owner", "x\n", "line 1, column 1: "},
              {"not a type", "x 60 IN TXTT \"a\"\n", "line 1, column 9: "},
              {"two classes", "x 60 IN IN A 192.0.2.1\n", "line 1, column 9: "},
              {"class CH", "x 60 CH A 192.0.2.1\n", "line 1, column 6: "},
              {"a quoted type", "x 60 \"A\" 192.0.2.1\n", "line 1, column 6: "},
              {"a quoted owner", "\"x\" 60 A 192.0.2.1\n", "line 1, column 1: "},
              {"a bad TTL", "x 60y A 192.0.2.1\n", "line 1, column 3: "},
              {"a TTL above 2^31-1", "x 2147483648 A 192.0.2.1\n", "line 1, column 3: "},
              {"a TTL above 2^31-1 by its unit", "x 3551w A 192.0.2.1\n", "line 1, column 3: "},
              {"outside of the zone", "x 60 A 192.0.2.1\nother.example. 60 A 192.0.2.1\n", "line 2, column 1: "},
              {"an origin outside of the zone", "$ORIGIN other.example.\nx 60 A 192.0.2.1\n", "line 2, column 1: "},
              {"a label of 64", std::string(64, 'a') + " 60 A 192.0.2.1\n", "line 1, column 1: "},
              {"a relative name that grows too long",
               "$ORIGIN " + std::string(63, 'a') + '.' + std::string(63, 'b') + '.' + std::string(63, 'c') + "\n" +
                   std::string(60, 'd') + " 60 A 192.0.2.1\n",
               "line 2, column 1: "},
              {"the offending field, in another line", "x 60 MX ( 10\n   _bad )\n", "line 2, column 4: "},
              {"one field too many", "x 60 A 192.0.2.1 more\n", "line 1, column 18: "},
              {"one field too few", "x 60 MX 10\n", "line 1, column 9: "},
              {"no content", "x 60 TXT\n", "line 1, column 6: "},
              {"$INCLUDE", "$INCLUDE /etc/passwd\n", "line 1, column 1: "},
              {"$GENERATE", "$GENERATE 1-9 x$ A 192.0.2.$\n", "line 1, column 1: "},
              {"$TTL without value", "$TTL\n", "line 1, column 1: "},
              {"$TTL with a word", "$TTL soon\n", "line 1, column 6: "},
              {"$ORIGIN with a bad name", "$ORIGIN a..b.\n", "line 1, column 9: "},
              {"a SOA below the apex", "x 60 SOA ns h 1 2 3 4 5\n", "line 1, column 6: "},
              {"a SOA of six fields", "@ 60 SOA ns h 1 2 3 4\n", "line 1, column 6: "},
              {"a serial above 2^32-1", "@ 60 SOA ns h 4294967296 2 3 4 5\n", "line 1, column 15: "},
              {"an interval that is none", "@ 60 SOA ns h 1 2 x 4 5\n", "line 1, column 19: "},
              {"two SOAs", "@ 60 SOA ns h 1 2 3 4 5\n@ 60 SOA ns h 2 2 3 4 5\n", "line 2, column 6: "},
              {"a type that is not read", "x 60 TLSA 3 1 1 00\n", "line 1, column 6: "},
              {"a control character", "x 60 A 192.0.2.1\x01\n", "line 1, column 17: "},
              {"NUL in quotes", std::string("x 60 TXT \"a\0\"\n", 14), "line 1, column 12: "}};
  for (const auto& row : rows) {
    const auto file = read(row.text);
    ASSERT_FALSE(file) << row.why;
    EXPECT_EQ(file.error().rule.rfind(row.place, 0), 0U) << row.why << ": " << describe(file.error());
  }
}

TEST(MasterFile, HasLimits) {
  const std::string line = "x 60 TXT \"a\" ;";
  EXPECT_TRUE(read(line + std::string(65535 - line.size(), 'c') + "\n"));
  const auto longLine = read("\n" + line + std::string(65536 - line.size(), 'c') + "\n");
  ASSERT_FALSE(longLine);
  EXPECT_EQ(longLine.error().rule.rfind("line 2, ", 0), 0U);

  std::string words = "x 60 TXT (";
  for (int i = 0; i < 1000; ++i) words += "\na";
  EXPECT_FALSE(read(words + " )"));

  const auto zone = name("shop.example");
  const std::string three = "$TTL 60\na A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\n";
  EXPECT_TRUE(readMasterFile(three, zone, ZoneId{1}, {three.size(), 3}));
  EXPECT_EQ(readMasterFile(three, zone, ZoneId{1}, {three.size() - 1, 3}).error().code, Errc::limitExceeded);
  const auto many = readMasterFile(three, zone, ZoneId{1}, {three.size(), 2});
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Errc::limitExceeded);
  EXPECT_EQ(many.error().rule, "line 4, column 3: a zone has at most 2 records");
}

TEST(MasterFile, PrintsHostileNamesAndTextsSoThatTheyReadBack) {
  const auto zone = name("shop.example");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::vector<RRset> rrsets;
  for (const auto* label :
       {"a.b", "a\\b", "\"", ";", "(", ")", "@", "$TTL", "*", " ", "\t\n", "IN", "60", "A", "\xff"}) {
    rrsets.push_back({*zone.child(label), rrtype::TXT, *Ttl::of(60), {txtContent(all)}});
    rrsets.push_back({*zone.child(label), rrtype::CAA, *Ttl::of(60), {"0 issue " + txtContent("a;\"\\")}});
  }
  const auto text = writeMasterFile(zone, rrsets);
  const auto file = read(text);
  ASSERT_TRUE(file) << describe(file.error());
  std::vector<RRset> again;
  for (const auto& r : file->records) again.push_back({r.owner, r.type, r.ttl, {r.content}});
  EXPECT_EQ(again.size(), rrsets.size());
  EXPECT_EQ(writeMasterFile(zone, again), text);
  for (const auto& rrset : rrsets)
    EXPECT_NE(std::find(again.begin(), again.end(), rrset), again.end()) << rrset.owner.text();
}

}  // namespace
}  // namespace mailzone::zonegen
