#include "harness/judge.h"

#include <gtest/gtest.h>

#include <functional>

namespace mailzone::harness {
namespace {

/// A mail that passes everything: two signatures, the second aligned.
Facts goodMail() {
  Facts facts;
  facts.client = *IpAddress::parse("192.0.2.25");
  facts.helo = "mx1.shop.example";
  facts.mailFrom = "a@t1.shop.example";
  facts.recipients = {"b@receiver.example"};
  facts.tlsVersion = "TLSv1.3";
  facts.iprev = AuthResult::pass;
  facts.ptrName = "mx1.shop.example";
  facts.spf = {AuthResult::pass, "t1.shop.example", "ip4"};
  facts.signatures = {{AuthResult::pass, "sig.shop.example", "mz1", "verified"},
                      {AuthResult::pass, "t1.shop.example", "mz1", "verified"}};
  facts.dmarc = {AuthResult::pass, DmarcPolicy::none, "t1.shop.example", "", {true, true}, {true, true}, 1};
  facts.from = "a@t1.shop.example";
  facts.fromDomain = "t1.shop.example";
  facts.messageId = "<1@t1.shop.example>";
  facts.hops = 1;
  return facts;
}

void everySignature(Facts& facts, AuthResult result) {
  for (SignatureFact& signature : facts.signatures) signature.result = result;
}

void dmarcFails(Facts& facts, DmarcPolicy policy) {
  facts.dmarc.result = AuthResult::fail;
  facts.dmarc.policy = policy;
  facts.dmarc.aligned = {};
  facts.dmarc.alignedSignature.reset();
}

std::string answerTo(const Facts& facts, bool bulk = true) {
  const Judgement judgement = judge(JudgeProfile{"gmail", bulk}, facts);
  return std::to_string(judgement.code) + ' ' + judgement.enhanced +
         (judgement.folder.empty() ? "" : ' ' + judgement.folder);
}

TEST(Judge, TakesAMailThatPassesEverything) {
  EXPECT_EQ(answerTo(goodMail()), "250 2.0.0 inbox");
  EXPECT_EQ(answerTo(goodMail(), false), "250 2.0.0 inbox");
}

// Each row is a twin of goodMail() that differs in what its first column names, and in nothing else.
TEST(Judge, GivesEachCauseItsCode) {
  struct Row {
    const char* why;
    std::function<void(Facts&)> change;
    std::string bulk;
    std::string other;  ///< the answer to a sender who is no bulk sender
  };
  const std::string inbox = "250 2.0.0 inbox";
  const std::vector<Row> rows = {
      {"more than 50 hops", [](Facts& f) { f.hops = 51; }, "554 5.4.6", "554 5.4.6"},
      {"50 hops", [](Facts& f) { f.hops = 50; }, inbox, inbox},
      {"wrong form", [](Facts& f) { f.form = {{"there is no Message-ID"}}; }, "550 5.7.1", "550 5.7.1"},
      {"no PTR", [](Facts& f) { f.iprev = AuthResult::permerror; }, "550 5.7.25", "550 5.7.25"},
      {"a PTR that does not lead back", [](Facts& f) { f.iprev = AuthResult::fail; }, "550 5.7.25", "550 5.7.25"},
      {"a PTR that was not looked up", [](Facts& f) { f.iprev = AuthResult::none; }, "550 5.7.25", "550 5.7.25"},
      {"a PTR that cannot be told", [](Facts& f) { f.iprev = AuthResult::temperror; }, "451 4.7.23", "451 4.7.23"},
      {"no TLS", [](Facts& f) { f.tlsVersion.clear(); }, "550 5.7.29", "550 5.7.29"},
      {"neither SPF nor DKIM",
       [](Facts& f) {
         f.spf.result = AuthResult::softfail;
         everySignature(f, AuthResult::fail);
       },
       "550 5.7.26", "550 5.7.26"},
      {"SPF none and no signature",
       [](Facts& f) {
         f.spf.result = AuthResult::none;
         f.signatures.clear();
       },
       "550 5.7.26", "550 5.7.26"},
      {"a key in testing mode is no pass",
       [](Facts& f) {
         f.spf.result = AuthResult::neutral;
         everySignature(f, AuthResult::policy);
       },
       "550 5.7.26", "550 5.7.26"},
      {"neither, but SPF cannot be told",
       [](Facts& f) {
         f.spf.result = AuthResult::temperror;
         everySignature(f, AuthResult::fail);
       },
       "451 4.7.26", "451 4.7.26"},
      {"neither, but one signature cannot be told",
       [](Facts& f) {
         f.spf.result = AuthResult::softfail;
         everySignature(f, AuthResult::fail);
         f.signatures[1].result = AuthResult::temperror;
       },
       "451 4.7.26", "451 4.7.26"},
      {"SPF fail by -all although DKIM and DMARC pass", [](Facts& f) { f.spf.result = AuthResult::fail; }, "550 5.7.26",
       "550 5.7.26"},
      {"DMARC cannot be told", [](Facts& f) { f.dmarc.result = AuthResult::temperror; }, "451 4.7.26", "451 4.7.26"},
      {"DMARC fails under reject", [](Facts& f) { dmarcFails(f, DmarcPolicy::reject); }, "550 5.7.26", "550 5.7.26"},
      {"DMARC fails under reject while a signature cannot be told",
       [](Facts& f) {
         dmarcFails(f, DmarcPolicy::reject);
         f.signatures[1].result = AuthResult::temperror;
       },
       "451 4.7.26", "451 4.7.26"},
      {"DMARC fails under quarantine by strict alignment alone",
       [](Facts& f) { dmarcFails(f, DmarcPolicy::quarantine); }, "250 2.0.0 spam", "250 2.0.0 spam"},
      {"DMARC fails under none by strict alignment alone", [](Facts& f) { dmarcFails(f, DmarcPolicy::none); }, inbox,
       inbox},
      {"SPF softfail", [](Facts& f) { f.spf.result = AuthResult::softfail; }, "550 5.7.27", inbox},
      {"SPF neutral", [](Facts& f) { f.spf.result = AuthResult::neutral; }, "550 5.7.27", inbox},
      {"SPF none", [](Facts& f) { f.spf.result = AuthResult::none; }, "550 5.7.27", inbox},
      {"SPF permerror", [](Facts& f) { f.spf.result = AuthResult::permerror; }, "550 5.7.27", inbox},
      {"SPF temperror", [](Facts& f) { f.spf.result = AuthResult::temperror; }, "421 4.7.27", inbox},
      {"the body was changed", [](Facts& f) { everySignature(f, AuthResult::fail); }, "550 5.7.30", inbox},
      {"no signature", [](Facts& f) { f.signatures.clear(); }, "550 5.7.30", inbox},
      {"the keys are gone", [](Facts& f) { everySignature(f, AuthResult::permerror); }, "550 5.7.30", inbox},
      {"a key cannot be told",
       [](Facts& f) {
         everySignature(f, AuthResult::fail);
         f.signatures[0].result = AuthResult::temperror;
       },
       "421 4.7.30", inbox},
      {"one of two signatures is enough", [](Facts& f) { f.signatures[0].result = AuthResult::fail; }, inbox, inbox},
      {"nothing aligns, policy none",
       [](Facts& f) {
         dmarcFails(f, DmarcPolicy::none);
         f.dmarc.related = {};
       },
       "550 5.7.32", inbox},
      {"nothing aligns, policy quarantine",
       [](Facts& f) {
         dmarcFails(f, DmarcPolicy::quarantine);
         f.dmarc.related = {};
       },
       "550 5.7.32", "250 2.0.0 spam"},
      {"nothing aligns, but a signature cannot be told",
       [](Facts& f) {
         dmarcFails(f, DmarcPolicy::none);
         f.dmarc.related = {};
         f.signatures[1].result = AuthResult::temperror;
       },
       "421 4.7.32", inbox},
      {"SPF alone is related",
       [](Facts& f) {
         f.dmarc.related = {true, false};
       },
       inbox, inbox},
      {"DKIM alone is related",
       [](Facts& f) {
         f.dmarc.related = {false, true};
       },
       inbox, inbox},
      {"no DMARC record",
       [](Facts& f) {
         f.dmarc.result = AuthResult::none;
         f.dmarc.recordDomain.clear();
       },
       "550 5.7.40", inbox},
      {"a void DMARC record",
       [](Facts& f) {
         f.dmarc.result = AuthResult::permerror;
         f.dmarc.recordDomain.clear();
       },
       "550 5.7.40", inbox},
  };
  for (const Row& row : rows) {
    Facts facts = goodMail();
    row.change(facts);
    EXPECT_EQ(answerTo(facts), row.bulk) << row.why;
    EXPECT_EQ(answerTo(facts, false), row.other) << row.why << ", not a bulk sender";
  }
}

// With every cause at once the first rule answers; with that cause gone the next one does, down to the end.
TEST(Judge, AsksItsRulesInTheOrderThatIsWrittenDown) {
  Facts facts = goodMail();
  facts.form = {{"there is no Message-ID"}};
  facts.iprev = AuthResult::fail;
  facts.tlsVersion.clear();
  facts.spf.result = AuthResult::fail;
  everySignature(facts, AuthResult::fail);
  dmarcFails(facts, DmarcPolicy::reject);
  facts.dmarc.related = {};

  const auto text = [&] { return judge({}, facts).text.back(); };
  EXPECT_EQ(answerTo(facts), "550 5.7.1");
  facts.form.clear();
  EXPECT_EQ(answerTo(facts), "550 5.7.25");
  facts.iprev = AuthResult::pass;
  EXPECT_EQ(answerTo(facts), "550 5.7.29");
  facts.tlsVersion = "TLSv1.2";
  EXPECT_EQ(answerTo(facts), "550 5.7.26");
  EXPECT_NE(text().find("either SPF or DKIM must pass"), std::string::npos) << text();
  facts.signatures[0].result = AuthResult::pass;
  EXPECT_EQ(answerTo(facts), "550 5.7.26");
  EXPECT_NE(text().find("-all"), std::string::npos) << text();
  facts.spf.result = AuthResult::softfail;
  EXPECT_EQ(answerTo(facts), "550 5.7.26");
  EXPECT_NE(text().find("DMARC policy"), std::string::npos) << text();
  facts.dmarc.policy = DmarcPolicy::quarantine;
  EXPECT_EQ(answerTo(facts), "550 5.7.27");
  facts.spf.result = AuthResult::pass;
  facts.signatures[0].result = AuthResult::fail;
  EXPECT_EQ(answerTo(facts), "550 5.7.30");
  facts.signatures[0].result = AuthResult::pass;
  EXPECT_EQ(answerTo(facts), "550 5.7.32");
  facts.dmarc.related.spf = true;
  EXPECT_EQ(answerTo(facts), "250 2.0.0 spam");
  facts.dmarc.result = AuthResult::none;
  facts.dmarc.recordDomain.clear();
  EXPECT_EQ(answerTo(facts), "550 5.7.40");
  facts.dmarc.result = AuthResult::pass;
  facts.dmarc.recordDomain = "t1.shop.example";
  EXPECT_EQ(answerTo(facts), "250 2.0.0 inbox");
}

// Whatever the other facts are: while something temporary is behind a refusal, the refusal is temporary. Form, hops,
// TLS and a PTR that is surely wrong ask no DNS of the sender's domains, and SPF's `fail` is an answer.
TEST(Judge, NeverRefusesForGoodWhatOnlyDnsKeepsFromPassing) {
  for (const DmarcPolicy policy : {DmarcPolicy::none, DmarcPolicy::quarantine, DmarcPolicy::reject}) {
    for (const AuthResult spf : {AuthResult::pass, AuthResult::softfail, AuthResult::temperror}) {
      for (const AuthResult dkim : {AuthResult::pass, AuthResult::fail, AuthResult::temperror}) {
        for (const bool related : {false, true}) {
          Facts facts = goodMail();
          facts.spf.result = spf;
          facts.signatures = {{dkim, "t1.shop.example", "mz1", ""}};
          dmarcFails(facts, policy);
          facts.dmarc.related = {related, false};
          const auto words = [&] {
            return std::string(mailauth::word(spf)) + ' ' + std::string(mailauth::word(dkim)) + ' ' + answerTo(facts);
          };
          const bool temporary = spf == AuthResult::temperror || dkim == AuthResult::temperror;
          // Bulk senders must pass SPF whatever the signature may turn out to be.
          EXPECT_TRUE(!temporary || spf == AuthResult::softfail || judge({}, facts).code < 500) << words();
          facts.dmarc.result = AuthResult::temperror;
          const bool nothingPasses = spf == AuthResult::softfail && dkim == AuthResult::fail;
          EXPECT_TRUE(nothingPasses || judge({}, facts).code < 500) << words();
        }
      }
    }
  }
}

TEST(Judge, TellsInGmailsWordsWhatDidNotPass) {
  Facts facts = goodMail();
  facts.spf.result = AuthResult::softfail;
  facts.signatures.clear();
  const Judgement judgement = judge({}, facts);
  ASSERT_EQ(judgement.text.size(), 3U);
  EXPECT_EQ(judgement.text[0], "DKIM = did not pass");
  EXPECT_EQ(judgement.text[1], "SPF [t1.shop.example] with ip: [192.0.2.25] = did not pass");
}

TEST(Facts, NameTheSignatureThatDecides) {
  Facts facts = goodMail();
  EXPECT_EQ(decisiveSignature(facts)->domain, "t1.shop.example") << "the aligned one that passed";
  facts.dmarc.alignedSignature.reset();
  EXPECT_EQ(decisiveSignature(facts)->domain, "sig.shop.example") << "else the first";
  facts.signatures.clear();
  EXPECT_EQ(decisiveSignature(facts), nullptr);
  EXPECT_EQ(alignmentName({false, false}), "none");
  EXPECT_EQ(alignmentName({true, false}), "spf");
  EXPECT_EQ(alignmentName({false, true}), "dkim");
  EXPECT_EQ(alignmentName({true, true}), "both");
}

}  // namespace
}  // namespace mailzone::harness
