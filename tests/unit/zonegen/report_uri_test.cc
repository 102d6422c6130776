#include "zonegen/report_uri.h"

#include <gtest/gtest.h>

namespace mailzone::zonegen {
namespace {

TEST(ReportUris, AreReadWithTheirHosts) {
  const auto uris =
      parseReportUris(" mailto:a@Reports.Example , https://in.example:8443/x?y ,mailto:b@c.example?subject=d");
  ASSERT_TRUE(uris) << describe(uris.error());
  ASSERT_EQ(uris->size(), 3U);
  EXPECT_EQ((*uris)[0].text, "mailto:a@Reports.Example");
  EXPECT_EQ((*uris)[0].host.text(), "reports.example.");
  EXPECT_EQ((*uris)[1].host.text(), "in.example.");
  EXPECT_EQ((*uris)[2].host.text(), "c.example.");
  EXPECT_TRUE(parseReportUris("")->empty());
  EXPECT_TRUE(parseReportUris(" \t")->empty());
}

TEST(ReportUris, LetNothingOutOfTheTag) {
  const struct {
    const char* why;
    std::string list;
  } rows[] = {{"a semicolon would begin the next tag", "mailto:a@b.example; p=none"},
              {"a quote would end the string", "mailto:a\"@b.example"},
              {"a backslash is no URI character", "mailto:a\\@b.example"},
              {"a line break", "mailto:a@b.example\nmailto:c@d.example"},
              {"NUL", std::string("mailto:a@b.example\0x", 20)},
              {"DEL", "mailto:a\x7f@b.example"},
              {"UTF-8", "mailto:\xc3\xa4@b.example"},
              {"a blank inside", "mailto:a b@c.example"},
              {"the size suffix of RFC 7489", "mailto:a@b.example!10m"},
              {"a percent sign without digits", "mailto:a%2@b.example"},
              {"no scheme", "a@b.example"},
              {"http", "http://b.example/"},
              {"javascript", "javascript:alert(1)"},
              {"no host", "mailto:a@"},
              {"no local part", "mailto:@b.example"},
              {"two at signs", "mailto:a@b@c.example"},
              {"a host with an underscore", "mailto:a@_b.example"},
              {"an address literal", "mailto:a@[192.0.2.1]"},
              {"https without host", "https:///x"},
              {"an empty member", "mailto:a@b.example,,mailto:c@d.example"},
              {"a comma at the end", "mailto:a@b.example,"},
              {"only a comma", ","}};
  for (const auto& row : rows) {
    const auto uris = parseReportUris(row.list);
    ASSERT_FALSE(uris) << row.why;
    EXPECT_FALSE(uris.error().rule.empty()) << row.why;
  }
}

TEST(ReportUris, HaveLimits) {
  std::string list = "mailto:a0@b.example";
  for (std::size_t i = 1; i < kMaxReportUris; ++i) list += ",mailto:a" + std::to_string(i) + "@b.example";
  EXPECT_EQ(parseReportUris(list)->size(), kMaxReportUris);
  EXPECT_EQ(parseReportUris(list + ",mailto:z@b.example").error().code, Errc::limitExceeded);
  const std::string prefix = "mailto:", suffix = "@b.example";
  const auto fits = prefix + std::string(kMaxReportUriOctets - prefix.size() - suffix.size(), 'a') + suffix;
  EXPECT_TRUE(parseReportUris(fits));
  EXPECT_EQ(parseReportUris("mailto:a" + fits.substr(7)).error().code, Errc::limitExceeded);
}

}  // namespace
}  // namespace mailzone::zonegen
