#include "harness/keep.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "harness/topology.h"
#include "harness/verdict.h"

namespace mailzone::harness {

void keepRunning(const Stage& stage, Receiver& receiver, pid_t pid) {
  const std::string client = stage.database == Database::sqlite
                                 ? "sqlite3 -cmd 'PRAGMA foreign_keys=on' -cmd 'PRAGMA recursive_triggers=on' "
                                   "/var/lib/mailzone/mailzone.db"
                                 : "mariadb mailzone -e";
  fmt::print(stderr,
             "\nIt stays up until Ctrl-C. Enter it from another terminal:\n"
             "  nsenter --target {0} --net --mount --pid --uts --ipc\n"
             "Then, for example:\n"
             "  dig +short t1.shop.example TXT; dig +short _dmarc.t1.shop.example TXT; dig +short t1.shop.example MX\n"
             "  dig +short mz1._domainkey.t1.shop.example TXT; dig +short mz1._domainkey.custom.example TXT\n"
             "  dig +short -x {1}; dig +short mx1.shop.example A; dig @{2} shop.example SOA\n"
             "  mailzone status; mailzone tenant list; mailzone domain show custom.example; mailzone key list\n"
             "  {3} \"INSERT INTO tenant (platform_id, slug) VALUES (1, 'mine')\"\n"
             "  dig +short mine.shop.example TXT; mailzone domain show mine.shop.example\n"
             "  mailzone-harness send --from orders@mine.shop.example\n"
             "  mailzone-harness send --door submission --login t1 --from boss@t2.shop.example --envelope "
             "owner@t1.shop.example\n"
             "Logs and mails: {4}. What the receiver says of each mail follows here.\n\n",
             pid, addressText("mta"), addressText("platform-dns"), client, stage.layout.work);
  receiver.onMail([](const ReceivedMail& mail) {
    const Verdict& v = mail.verdict;
    fmt::print(stderr, "from {} envelope {}: spf={} dkim={} d={} s={} dmarc={} ({}) ptr={} -> {}\n", v.from,
               v.envelopeFrom, v.spf, v.dkim, v.dkimDomain, v.selector, v.dmarc, v.alignment, v.ptr, v.reply);
  });
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  int number = 0;
  sigwait(&ends, &number);
}

}  // namespace mailzone::harness
