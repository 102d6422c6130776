#include "zonegen/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "zonegen/merge.h"
#include "zonegen/record_set.h"

namespace mailzone::zonegen {
namespace {

/// The records of one zone and owner.
struct Name {
  DnsName owner;
  std::map<RecordType, std::set<std::string>> contents;
  std::map<RecordType, std::set<Ttl>> ttls;
  [[nodiscard]] bool has(RecordType type) const { return contents.count(type) != 0; }
};
/// By canonical key, so that the names below another follow it.
using Names = std::map<std::string, Name>;

/// Domain name of a target: the last field.
std::optional<DnsName> targetOf(RecordType type, const std::string& content) {
  if (type != rrtype::MX && type != rrtype::NS && type != rrtype::PTR && type != rrtype::SRV) return std::nullopt;
  const auto blank = content.rfind(' ');
  const auto name = DnsName::parse(blank == std::string::npos ? content : content.substr(blank + 1));
  if (!name || name->isRoot()) return std::nullopt;
  return *name;
}

class Checker {
 public:
  Checker(const std::vector<Zone>& zones, const std::vector<ZoneRRset>& records) : zones_(zones) {
    for (const auto& each : records) {
      auto& name = names_[each.zone][each.rrset.owner.canonicalKey()];
      name.owner = each.rrset.owner;
      name.contents[each.rrset.type].insert(each.rrset.contents.begin(), each.rrset.contents.end());
      name.ttls[each.rrset.type].insert(each.rrset.ttl);
    }
  }

  std::vector<Finding> run() {
    for (const auto& zone : zones_) checkApex(zone);
    for (const auto& [id, names] : names_) {
      const Zone* zone = zoneById(id);
      for (const auto& [key, name] : names) {
        if (zone == nullptr) {
          add(id, name, name.contents.begin()->first, fmt::format("zone {} is not there", raw(id)),
              "correct the zone_id");
        } else {
          checkName(*zone, name);
        }
      }
    }
    const auto rank = [](const Finding& f) {
      return std::tuple(f.zone, f.owner.canonicalKey(), f.type, f.error.rule, f.error.value);
    };
    std::sort(findings_.begin(), findings_.end(),
              [&](const Finding& a, const Finding& b) { return rank(a) < rank(b); });
    return std::move(findings_);
  }

 private:
  [[nodiscard]] const Zone* zoneById(ZoneId id) const {
    const auto it = std::find_if(zones_.begin(), zones_.end(), [&](const Zone& each) { return each.id == id; });
    return it == zones_.end() ? nullptr : &*it;
  }

  void checkName(const Zone& zone, const Name& name) {
    checkPlace(zone, name);
    checkTypes(zone, name);
    checkTexts(zone, name);
    checkTargets(zone, name);
  }

  void add(ZoneId zone, const Name& name, RecordType type, std::string rule, std::string remedy) {
    addAbout(zone, name, type, name.owner.textNoDot(), std::move(rule), std::move(remedy));
  }
  void addAbout(ZoneId zone, const Name& name, RecordType type, std::string_view value, std::string rule,
                std::string remedy) {
    findings_.push_back(
        {zone, name.owner, type, fail(Errc::conflict, value, std::move(rule), std::move(remedy)).value()});
  }

  [[nodiscard]] const Name* find(ZoneId zone, const DnsName& owner) const {
    const auto names = names_.find(zone);
    if (names == names_.end()) return nullptr;
    const auto it = names->second.find(owner.canonicalKey());
    return it == names->second.end() ? nullptr : &it->second;
  }

  void checkApex(const Zone& zone) {
    const auto* found = find(zone.id, zone.name);
    Name none;
    none.owner = zone.name;
    const Name& apex = found == nullptr ? none : *found;
    const auto soa = apex.contents.find(rrtype::SOA);
    if (soa == apex.contents.end() || soa->second.size() != 1) {
      add(zone.id, apex, rrtype::SOA, "a zone has exactly one SOA (RFC 1035 section 5.2)", "correct the row in zone");
    }
    if (!apex.has(rrtype::NS)) {
      add(zone.id, apex, rrtype::NS, "a zone has NS records at its apex (RFC 1034 section 4.2.1)",
          "add them as static records");
    }
  }

  /// The delegation to others at or above `owner`, below the apex.
  [[nodiscard]] std::optional<DnsName> cutAbove(const Zone& zone, const DnsName& owner) const {
    for (auto name = owner; name != zone.name && name.isAtOrBelow(zone.name); name = name.parent()) {
      const auto* at = find(zone.id, name);
      if (at != nullptr && at->has(rrtype::NS)) return name;
    }
    return std::nullopt;
  }

  void checkPlace(const Zone& zone, const Name& name) {
    const auto first = name.contents.begin()->first;
    if (!name.owner.isAtOrBelow(zone.name)) {
      add(zone.id, name, first, "the name lies outside its zone " + zone.name.textNoDot(), "move it to its zone");
      return;
    }
    const auto cut = cutAbove(zone, name.owner);
    const auto* answering = zoneOf(zones_, name.owner);
    for (const auto& [type, contents] : name.contents) {
      const bool glue = type == rrtype::A || type == rrtype::AAAA;
      if (cut) {
        const bool ofCut = name.owner == *cut && (type == rrtype::NS || type == rrtype::DS);
        if (!ofCut && !glue) {
          add(zone.id, name, type, "the record is hidden below the delegation of " + cut->textNoDot(),
              "write it in the delegated zone");
        }
      } else if (answering->id != zone.id) {
        add(zone.id, name, type, "the name is answered from the zone " + answering->name.textNoDot(),
            "write the record in that zone");
      }
    }
  }

  void checkTypes(const Zone& zone, const Name& name) {
    const auto cname = name.contents.find(rrtype::CNAME);
    if (cname != name.contents.end()) {
      if (name.contents.size() > 1) {
        add(zone.id, name, rrtype::CNAME, "a CNAME stands beside other data (RFC 2181 section 10.1)",
            "remove the CNAME or the other records");
      }
      if (cname->second.size() > 1) {
        add(zone.id, name, rrtype::CNAME, "a name has one CNAME (RFC 2181 section 10.1)", "remove the others");
      }
    }
    for (const auto& [type, ttls] : name.ttls) {
      if (ttls.size() > 1) {
        add(zone.id, name, type, "the records of one owner and type share a TTL (RFC 2181 section 5.2)",
            "give them one TTL; the lowest is served");
      }
    }
    const auto mx = name.contents.find(rrtype::MX);
    if (mx != name.contents.end() && mx->second.size() > 1 && mx->second.count("0 .") != 0) {
      add(zone.id, name, rrtype::MX, "a null MX stands beside another (RFC 7505 section 3)", "remove one of them");
    }
  }

  void checkTexts(const Zone& zone, const Name& name) {
    const auto texts = name.contents.find(rrtype::TXT);
    if (texts == name.contents.end()) return;
    std::map<TextKind, int> count;
    for (const auto& content : texts->second) ++count[textKind(name.owner, content)];
    const struct {
      TextKind kind;
      const char* rule;
    } rules[] = {{TextKind::spf, "a name has one SPF record: two are a permanent error (RFC 7208 section 4.5)"},
                 {TextKind::dmarc, "a name has one DMARC record: of two, all are discarded (RFC 9989 section 4.10)"},
                 {TextKind::dkim, "a selector has one key record (RFC 6376 section 3.6.2.2)"}};
    for (const auto& [kind, rule] : rules) {
      if (count[kind] > 1) add(zone.id, name, rrtype::TXT, rule, "join them into one");
    }
  }

  void checkTargets(const Zone& zone, const Name& name) {
    for (const auto& [type, contents] : name.contents) {
      for (const auto& content : contents) {
        if (const auto target = targetOf(type, content)) checkTarget(zone, name, type, *target);
      }
    }
  }

  void checkTarget(const Zone& zone, const Name& name, RecordType type, const DnsName& target) {
    const auto* home = zoneOf(zones_, target);
    if (home == nullptr) return;  // somebody else's: asking is a resolver's work
    const auto* at = find(home->id, target);
    if (at == nullptr && !cutAbove(*home, target)) at = wildcardFor(*home, target);
    if (at != nullptr && at->has(rrtype::CNAME)) {
      addAbout(zone.id, name, type, target.textNoDot(),
               fmt::format("the target of a record of type {} is an alias (RFC 2181 section 10.3)", type.text()),
               "name the host itself");
      return;
    }
    if (cutAbove(*home, target)) return;
    if (at == nullptr || (!at->has(rrtype::A) && !at->has(rrtype::AAAA))) {
      addAbout(zone.id, name, type, target.textNoDot(),
               fmt::format("the target of a record of type {} has no address in our zones", type.text()),
               "add its A or AAAA record");
    }
  }

  /// The wildcard that answers for a name that is not there: that of its closest encloser (RFC 4592 section 3.3.1).
  [[nodiscard]] const Name* wildcardFor(const Zone& zone, const DnsName& owner) const {
    const auto names = names_.find(zone.id);
    if (names == names_.end()) return nullptr;
    for (auto encloser = owner.parent(); encloser.isAtOrBelow(zone.name); encloser = encloser.parent()) {
      const auto key = encloser.canonicalKey();
      const auto it = names->second.lower_bound(key);
      const bool exists = it != names->second.end() && it->first.compare(0, key.size(), key) == 0;
      if (exists || encloser == zone.name) {
        const auto wildcard = encloser.child("*");
        return wildcard ? find(zone.id, *wildcard) : nullptr;
      }
    }
    return nullptr;
  }

  const std::vector<Zone>& zones_;
  std::map<ZoneId, Names> names_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check(const std::vector<Zone>& zones, const std::vector<ZoneRRset>& records) {
  return Checker(zones, records).run();
}

}  // namespace mailzone::zonegen
