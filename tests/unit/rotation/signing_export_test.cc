#include "rotation/signing_export.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "fake_key_store.h"
#include "tests/support/temporary_folder.h"

namespace mailzone::rotation {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::FakeKeyStore;

const TimePoint kNow = parseSqlTime("2026-11-25 10:00:00").value();

std::string contentOf(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

tenantdb::SigningRow row(std::string name, std::string author, std::string d, std::string selector, std::int64_t key,
                         std::string pem = "PEM") {
  return {std::move(name), std::move(author), std::move(d), std::move(selector), KeyId{key}, Secret(std::move(pem))};
}

struct Export {
  test::TemporaryFolder folder;
  FakeKeyStore store;
  ExportOptions options{folder.path() + "/export", "", true, seconds{60}};

  void give(std::vector<tenantdb::SigningRow>&& rows) { store.extraRows = std::move(rows); }
  void giveUsual() {
    std::vector<tenantdb::SigningRow> rows;
    rows.push_back(row("common", "sig.shop.example", "sig.shop.example", "mz1", 1, "COMMON"));
    rows.push_back(row("t1.shop.example", "t1.shop.example", "t1.shop.example", "mz1", 2, "T1"));
    rows.push_back(row("0123.rp.shop.example", "custom.example", "custom.example", "mz2", 3, "CUSTOM"));
    rows.push_back(row("bounce.custom.example", "custom.example", "custom.example", "mz2", 3, "CUSTOM"));
    give(std::move(rows));
  }
  [[nodiscard]] std::string current() const { return fs::read_symlink(options.path + "/current").string(); }
};

TEST(SigningExport, WritesTablesKeysAndAuthorsOfOneGeneration) {
  Export e;
  e.giveUsual();
  const auto report = writeSigningExport(e.store, e.options, kNow);
  ASSERT_TRUE(report.has_value()) << describe(report.error());
  EXPECT_EQ(report->generation, "generation-1");
  EXPECT_EQ(report->rows, 4U);
  EXPECT_EQ(report->keys, 3U);
  EXPECT_TRUE(report->badRows.empty());
  EXPECT_EQ(e.current(), "generation-1");
  const std::string at = e.options.path + "/generation-1";
  EXPECT_EQ(contentOf(at + "/keytable"), "common sig.shop.example:mz1:" + at + "/keys/1.pem\n" +
                                             "t1.shop.example t1.shop.example:mz1:" + at + "/keys/2.pem\n" +
                                             "0123.rp.shop.example custom.example:mz2:" + at + "/keys/3.pem\n" +
                                             "bounce.custom.example custom.example:mz2:" + at + "/keys/3.pem\n");
  EXPECT_EQ(contentOf(at + "/signingtable"), "* %\n* common\n");
  EXPECT_EQ(contentOf(at + "/keys/3.pem"), "CUSTOM");
  EXPECT_EQ(contentOf(at + "/authors/0123.rp.shop.example"), "custom.example\n");
  EXPECT_FALSE(fs::exists(at + "/authors/t1.shop.example"));
}

TEST(SigningExport, LeavesKeysOutForAnOpenDkimThatReadsTheViewLive) {
  Export e;
  e.options.keys = false;
  e.giveUsual();
  const auto report = writeSigningExport(e.store, e.options, kNow);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->keys, 0U);
  const std::string at = e.options.path + "/current";
  EXPECT_FALSE(fs::exists(at + "/keytable"));
  EXPECT_TRUE(fs::is_empty(at + "/keys"));
  EXPECT_EQ(contentOf(at + "/authors/0123.rp.shop.example"), "custom.example\n");
}

TEST(SigningExport, ShowsKeysToItsGroupAndToNobodyElse) {
  Export e;
  e.giveUsual();
  ASSERT_TRUE(writeSigningExport(e.store, e.options, kNow).has_value());
  for (const auto& entry : fs::recursive_directory_iterator(e.options.path + "/generation-1")) {
    struct stat status {};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, entry.is_directory() ? 0750U : 0640U) << entry.path();
  }
  struct stat status {};
  ASSERT_EQ(::stat(e.options.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0750U);
}

TEST(SigningExport, KeepsTheOldGenerationUntilOpenDkimNeedsItNoLonger) {
  Export e;
  for (int i = 0; i < 3; ++i) {
    e.giveUsual();
    ASSERT_TRUE(writeSigningExport(e.store, e.options, kNow + seconds{i}).has_value());
  }
  EXPECT_EQ(e.current(), "generation-3");
  EXPECT_TRUE(fs::exists(e.options.path + "/generation-1"));
  EXPECT_TRUE(fs::exists(e.options.path + "/generation-2"));
  e.giveUsual();
  ASSERT_TRUE(writeSigningExport(e.store, e.options, kNow + seconds{61}).has_value());
  EXPECT_FALSE(fs::exists(e.options.path + "/generation-1")) << "left at 1 s, 60 s ago";
  EXPECT_TRUE(fs::exists(e.options.path + "/generation-2")) << "left at 2 s, 59 s ago";
  EXPECT_TRUE(fs::exists(e.options.path + "/generation-3"));
}

TEST(SigningExport, LeavesTheOldOneInPlaceWhenTheDatabaseGoesAway) {
  Export e;
  e.giveUsual();
  ASSERT_TRUE(writeSigningExport(e.store, e.options, kNow).has_value());
  for (const bool inTheMiddle : {false, true}) {
    e.giveUsual();
    e.store.calls = 0;
    e.store.failAt = inTheMiddle ? 2 : 1;
    const auto report = writeSigningExport(e.store, e.options, kNow);
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, Errc::unavailable);
    EXPECT_EQ(e.current(), "generation-1");
    EXPECT_FALSE(fs::exists(e.options.path + "/generation-2")) << "no half of a generation is left";
  }
}

TEST(SigningExport, WaitsForTheCommonKeyBecauseWithoutItMailWouldMissASignature) {
  Export e;
  std::vector<tenantdb::SigningRow> rows;
  rows.push_back(row("t1.shop.example", "t1.shop.example", "t1.shop.example", "mz1", 2));
  e.give(std::move(rows));
  const auto report = writeSigningExport(e.store, e.options, kNow);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::temporary);
  EXPECT_FALSE(fs::exists(e.options.path + "/current"));
}

TEST(SigningExport, LeavesOutRowsThatWouldSpoilTheTable) {
  const struct {
    const char* why;
    const char* name;
    const char* d;
    const char* selector;
    const char* pem;
  } bad[] = {
      {"a line break adds a row", "x.example\nt1.shop.example", "x.example", "mz1", "PEM"},
      {"a blank ends the key", "x.example y", "x.example", "mz1", "PEM"},
      {"a colon shifts the fields", "x.example", "x.example:mz9", "mz1", "PEM"},
      {"a comment", "#x.example", "x.example", "mz1", "PEM"},
      {"a path", "../../x", "x.example", "mz1", "PEM"},
      {"a wildcard", "*", "x.example", "mz1", "PEM"},
      {"no name", "", "x.example", "mz1", "PEM"},
      {"no domain", "x.example", "", "mz1", "PEM"},
      {"no selector", "x.example", "x.example", "", "PEM"},
      {"no key", "x.example", "x.example", "mz1", ""},
  };
  for (const auto& one : bad) {
    Export e;
    std::vector<tenantdb::SigningRow> rows;
    rows.push_back(row("common", "sig.shop.example", "sig.shop.example", "mz1", 1));
    rows.push_back(row(one.name, "x.example", one.d, one.selector, 9, one.pem));
    e.give(std::move(rows));
    const auto report = writeSigningExport(e.store, e.options, kNow);
    ASSERT_TRUE(report.has_value()) << one.why;
    EXPECT_EQ(report->badRows.size(), 1U) << one.why;
    EXPECT_EQ(report->rows, 1U) << one.why;
    const std::string table = contentOf(e.options.path + "/current/keytable");
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 1) << one.why;
  }
}

TEST(SigningExport, LeavesOutARowThatOpenDkimWouldCut) {
  Export e;
  const std::string label(63, 'a');
  const std::string name = label + "." + label + "." + label + "." + std::string(50, 'b');
  std::vector<tenantdb::SigningRow> rows;
  rows.push_back(row("common", "sig.shop.example", "sig.shop.example", "mz1", 1));
  rows.push_back(row(name, name, name, std::string(200, 'c') + "." + std::string(50, 'd'), 2));
  e.options.path += "/" + std::string(200, 'e') + "/" + std::string(150, 'f');
  fs::create_directories(e.options.path);
  e.give(std::move(rows));
  const auto report = writeSigningExport(e.store, e.options, kNow);
  ASSERT_TRUE(report.has_value()) << describe(report.error());
  EXPECT_EQ(report->badRows.size(), 1U);
}

TEST(SigningExport, ClearsWhatAKilledWriterLeft) {
  Export e;
  e.giveUsual();
  ASSERT_TRUE(writeSigningExport(e.store, e.options, kNow).has_value());
  fs::create_directories(e.options.path + "/generation-2/keys");
  std::ofstream(e.options.path + "/generation-2/keytable") << "common";
  ASSERT_EQ(::symlink("generation-2", (e.options.path + "/current.new").c_str()), 0);
  e.giveUsual();
  const TimePoint later =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()) + seconds{61};
  const auto report = writeSigningExport(e.store, e.options, later);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->generation, "generation-3");
  EXPECT_EQ(e.current(), "generation-3");
  EXPECT_FALSE(fs::exists(e.options.path + "/generation-2"));
}

TEST(SigningExport, RefusesAFolderThatItsTablesCannotName) {
  Export e;
  for (const std::string& path : {std::string(), std::string("relative"), e.folder.path() + "/with blank",
                                  e.folder.path() + "/with#hash", e.folder.path() + "/with:colon"}) {
    e.giveUsual();
    e.options.path = path;
    const auto report = writeSigningExport(e.store, e.options, kNow);
    ASSERT_FALSE(report.has_value()) << path;
    EXPECT_EQ(report.error().code, Errc::settings) << path;
  }
}

TEST(SigningExport, RefusesAGroupThatDoesNotExist) {
  Export e;
  e.giveUsual();
  e.options.group = "no-such-group-here";
  const auto report = writeSigningExport(e.store, e.options, kNow);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::settings);
}

TEST(Reload, NeverSignalsAProcessThatIsNotOpenDkim) {
  test::TemporaryFolder folder;
  const std::string file = folder.path() + "/pid";
  for (const std::string& content : {std::string(), std::string("none"), std::string("0"), std::string("1"),
                                     std::string("-1"), std::string("99999999999"), std::to_string(::getpid())}) {
    std::ofstream(file) << content;
    const auto told = reloadOpenDkim(file);
    ASSERT_FALSE(told.has_value()) << content;
    EXPECT_EQ(told.error().code, Errc::notFound) << content;
  }
  EXPECT_EQ(reloadOpenDkim(folder.path() + "/missing").error().code, Errc::notFound);
}

}  // namespace
}  // namespace mailzone::rotation
