"""Runs inside private namespaces, started by signing_chain_test: daemons with the shipped configuration, a receiver and
a relay that store what arrives, and the cases. Prints one JSON object a line. Expectations stand in the test, not here."""
import base64
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time

import dkim

ROOT = sys.argv[1]
HOST = "192.0.2.25"
APPLICATION, OUTSIDER = "192.0.2.80", "203.0.113.66"
KEYS = json.load(open(f"{ROOT}/keys.json"))  # "mz1._domainkey.t1.shop.example": TXT
TOKEN = json.load(open(f"{ROOT}/token.json"))
DEADLINE = 20


class Sink(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        sender = b""
        self.say("220 sink")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                self.wfile.write(b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            elif verb.startswith(b"MAIL"):
                sender = line.strip()
                self.say("250 ok")
            elif verb.startswith(b"RCPT TO:<NOBODY@"):
                self.say("550 5.1.1 unknown")
            elif verb == b"DATA":
                self.say("354 go on")
                text = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    text += line[1:] if line.startswith(b".") else line
                with self.server.arrived:
                    self.server.mails.append((sender, text))
                    self.server.arrived.notify_all()
                self.say("250 stored")
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def sink(address, arrived):
    server = Server((address, 25), Sink)
    server.mails, server.arrived = [], arrived
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


ARRIVED = threading.Condition()
RECEIVER, RELAY = sink("203.0.113.25", ARRIVED), sink("198.51.100.25", ARRIVED)


def txt(name, timeout=5):
    name = (name.decode() if isinstance(name, bytes) else name).rstrip(".")
    value = KEYS.get(name)
    return value.encode() if value else None


def judged(mail, to):
    sender, text = mail
    header = text.split(b"\r\n\r\n")[0]
    signatures = []
    for index in range(len(re.findall(rb"(?im)^dkim-signature:", header))):
        verifier = dkim.DKIM(text)
        try:
            result = verifier.verify(idx=index, dnsfunc=txt)
        except Exception as problem:  # noqa: BLE001: whatever it says, it is not a pass
            result = repr(problem)
        signatures.append({"d": (verifier.domain or b"").decode(), "ok": result is True,
                           "h": [h.decode().lower() for h in (verifier.include_headers or [])],
                           "why": "" if result is True else str(result)})
    authors = re.findall(rb"(?im)^from[ \t]*:[ \t]*(.*?)\r?$", header)
    return {"to": to, "sender": re.search(rb"<(.*)>", sender).group(1).decode("latin1"),
            "from": [a.decode("latin1") for a in authors], "signatures": signatures}


def connect(port, source=None):
    link = socket.create_connection((HOST, port), DEADLINE, source_address=(source, 0) if source else None)
    return link, link.makefile("rb")


def reply(stream):
    while line := stream.readline():
        if line[3:4] != b"-":
            return line.strip().decode("latin1")
    return "closed"


def submit(sender, head, port=587, login="t1", source=None, body=b"hello\r\n", to=b"r@receiver.example", options=b""):
    link, stream = connect(port, source)
    with link:
        reply(stream)
        link.sendall(b"EHLO client.example\r\n")
        reply(stream)
        lines = []
        if login:
            plain = base64.b64encode(b"\0" + login.encode() + b"\0password of " + login.lower().encode())
            lines.append(b"AUTH PLAIN " + plain + b"\r\n")
        lines += [b"MAIL FROM:<" + sender + b">" + options + b"\r\n", b"RCPT TO:<" + to + b">\r\n", b"DATA\r\n",
                  head + b"\r\n" + body + b".\r\n"]
        for line in lines:
            link.sendall(line)
            said = reply(stream)
            if said[:1] not in ("2", "3"):
                break
        return said


def case(name, *arguments, expect=1, **options):
    """`expect`: how many mails arrive if the last reply is 2xx; one more is waited for no longer than it takes."""
    with ARRIVED:
        RECEIVER.mails.clear()
        RELAY.mails.clear()
    said = submit(*arguments, **options)
    with ARRIVED:
        if said.startswith("2"):
            ARRIVED.wait_for(lambda: len(RECEIVER.mails) + len(RELAY.mails) >= expect, DEADLINE)
        mails = [judged(m, "receiver") for m in RECEIVER.mails] + [judged(m, "relay") for m in RELAY.mails]
        last = RECEIVER.mails[-1][1] if RECEIVER.mails else b""
    print(json.dumps({"case": name, "reply": said, "mails": mails}), flush=True)
    return last


def author(address):
    return b"From: " + address + b"\r\nTo: r@receiver.example\r\nSubject: hello\r\n"


def wait_for_port(port, address=HOST):
    until = time.monotonic() + DEADLINE
    while True:
        try:
            return socket.create_connection((address, port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise SystemExit(f"nothing listens on {address}:{port}")
            time.sleep(0.02)


def wait_for(condition, what):
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"not in time: {what}")
        time.sleep(0.02)


def start(*argv):
    log = open(f"{ROOT}/log/{os.path.basename(argv[0])}", "ab")
    return subprocess.Popen(argv, stdout=log, stderr=log)


def opendkim(name):
    return start("/usr/sbin/opendkim", "-f", "-x", f"{ROOT}/opendkim/{name}.conf")


T1, T2 = b"a@t1.shop.example", b"a@t2.shop.example"
RETURN_PATH = b"x@" + TOKEN["second.example"].encode() + b".rp.shop.example"
WEBAPP = {"port": 10025, "login": None, "source": APPLICATION}
OUTSIDE = {"port": 25, "login": None, "source": OUTSIDER, "to": b"x@forward.example"}
SMUGGLED = b"MAIL FROM:<a@t2.shop.example>\r\nRCPT TO:<r@receiver.example>\r\nDATA\r\n" + author(T2) + b"\r\nx\r\n"


def honest():
    case("mailbox", T1, author(T1))
    case("marketing", T1, author(T1) + b"List-Unsubscribe: <https://u.example/1>\r\nList-Unsubscribe-Post: "
         b"List-Unsubscribe=One-Click\r\n", port=588)
    case("webapp", T2, author(T2), **WEBAPP)
    case("custom", b"a@custom.example", author(b"a@custom.example"))
    case("custom by bounce", b"b@bounce.custom.example", author(b"a@custom.example"))
    case("custom by return path", RETURN_PATH, author(b"a@second.example"))
    case("without own key", b"a@t3.shop.example", author(b"a@t3.shop.example"), login="t3")
    case("login in capitals", T1, author(T1), login="T1")
    case("display name", T1, author(b'"boss@t2.shop.example" <a@t1.shop.example>'))
    case("local part of 63", b"a" * 63 + b"@t1.shop.example", author(T1))
    case("local part of 300", b"a" * 300 + b"@t1.shop.example", author(T1))
    case("no From", T1, b"Subject: x\r\n")
    case("first line no header", T1, b"this is no header\r\n" + author(T2))
    case("line of 3000", T1, author(T1), body=b"x" * 3000 + b"\r\n")
    case("MIME", T1, author(T1) + b"Date: Wed, 25 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@t1.shop.example>\r\n"
         b"Cc: c@receiver.example\r\nReply-To: r@t1.shop.example\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/alternative; boundary=x\r\nContent-Transfer-Encoding: 7bit\r\n"
         b"List-Unsubscribe: <https://u.example/1>\r\n",
         body=b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n")
    case("8 bit", T1, author(T1), body="größer\r\n".encode(), options=b" BODY=8BITMIME")
    case("headers of 80 KiB", T1, author(T1) + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(90)))


def forged():
    for name, address in [("sibling", b"boss@t2.shop.example"), ("platform", b"boss@shop.example"),
                          ("other custom domain", b"boss@other.example"), ("common", b"boss@sig.shop.example"),
                          ("forwarding", b"boss@srs.shop.example"), ("return path", b"boss@rp.shop.example"),
                          ("below common", b"boss@x.sig.shop.example"), ("comment", b"s@sig(c).shop.example"),
                          ("quoted domain", b's@"sig".shop.example'), ("two authors", T1 + b", " + T2),
                          ("group", b"g: a@t1.shop.example;"), ("empty", b"<>"), ("no domain", b"boss"),
                          ("two addresses", b"<a@t1.shop.example> <a@t2.shop.example>"),
                          ("quoted pair", b'"x\\" <a@t2.shop.example>" <a@t1.shop.example>'),
                          ("folded", b"boss\r\n @sig.shop.example")]:
        case("From " + name, T1, author(address))
    case("two From", T1, author(T1) + b"From: a@t2.shop.example\r\n")
    case("two From, other order", T1, author(T2) + b"From: a@t1.shop.example\r\n")
    case("two From, odd spelling", T1, author(T1) + b"fRoM : a@t2.shop.example\r\n")
    case("return path, other author", RETURN_PATH, author(b"a@custom.example"))
    case("return path, subdomain author", RETURN_PATH, author(T1))
    case("return path not known yet", b"x@" + TOKEN["other.example"].encode() + b".rp.shop.example",
         author(b"a@other.example"), login="t2")
    case("return path as author", RETURN_PATH, author(RETURN_PATH))


def envelopes():
    case("envelope of another", T2, author(T1))
    case("null sender", b"", author(T2))
    case("null sender, own", b"", author(T1))
    case("percent", b"a%t1.shop.example@out1.shop.example", author(T1))
    case("percent to another", b"a%t2.shop.example@out1.shop.example", author(T2))
    case("bang", b"t1.shop.example!a@out1.shop.example", author(T1))
    case("quoted local part", b'"a@t1.shop.example"@out1.shop.example', author(b"postmaster@out1.shop.example"))
    case("two at signs", b"a@t1.shop.example@out1.shop.example", author(b"postmaster@out1.shop.example"))
    case("source route", b"@t1.shop.example:a@t2.shop.example", author(T2))
    case("non-ASCII", "a@ť1.shop.example".encode(), author(T1), options=b" SMTPUTF8")
    case("host of ours", b"a@out1.shop.example", author(b"a@out1.shop.example"))
    case("row common", b"a@common", author(b"a@common"))
    case("no login", T1, author(T1), login=None)
    case("login with realm", T1, author(T1), login="t1@out1.shop.example")
    case("suspended tenant", b"a@t4.shop.example", author(b"a@t4.shop.example"), login="t4")
    case("webapp from outside", T1, author(T1), port=10025, login=None, source=OUTSIDER)
    case("webapp, foreign sender", b"a@evil.example", author(T1), **WEBAPP)
    case("webapp, common", b"a@sig.shop.example", author(b"a@sig.shop.example"), **WEBAPP)
    case("webapp, row common", b"a@common", author(b"a@common"), **WEBAPP)
    case("webapp, null sender", b"", author(T2), **WEBAPP)
    case("webapp, suspended", b"a@t4.shop.example", author(b"a@t4.shop.example"), **WEBAPP)


def smuggled():
    case("LF.LF", T1, author(T1), body=b"text\n.\n" + SMUGGLED, **WEBAPP)
    case("LF.CRLF", T1, author(T1), body=b"text\n.\r\n" + SMUGGLED, **WEBAPP)
    case("CRLF.LF", T1, author(T1), body=b"text\r\n.\n" + SMUGGLED, **WEBAPP)
    case("LF.LF with login", T1, author(T1), body=b"text\n.\n" + SMUGGLED)
    stolen = case("to be replayed", T2, author(T2), login="t2")
    head, body = stolen.split(b"\r\n\r\n", 1)
    case("replay", T1, head + b"\r\n", body=body)
    case("replay, own From", T1, re.sub(rb"(?m)^From: .*$", b"From: a@t1.shop.example\r", head) + b"\r\n", body=body)


def inbound():
    case("forward", b"z@foreign.example", author(b"z@foreign.example"), **OUTSIDE)
    case("forward, forged From", b"", author(T2), **OUTSIDE)
    case("forward, forged envelope", T2, author(T2), **OUTSIDE)
    case("forward, forged bounce domain", b"z@bounce.custom.example", author(T2), **OUTSIDE)
    case("forward, non-ASCII envelope", "a@ť1.shop.example".encode(), author(T1), **{**OUTSIDE, "options": b" SMTPUTF8"})
    case("relay for the application", b"z@foreign.example", author(b"z@foreign.example"), port=25, login=None,
         source=APPLICATION)
    case("relay for an outsider", b"z@foreign.example", author(b"z@foreign.example"), port=25, login=None,
         source=OUTSIDER)


def variants():
    """What the shipped lines are worth: ports of the same Postfix whose signer lacks one of them."""
    for name, port in [("no From check", 10587), ("naive", 10588), ("macro missing", 10589),
                       ("macro missing, no From check", 10590)]:
        case(name + ": honest", T1, author(T1), port=port)
        case(name + ": sibling", T1, author(b"boss@t2.shop.example"), port=port)
        case(name + ": common", T1, author(b"boss@sig.shop.example"), port=port)


def bounce():
    # Two mails leave the door: the mail is refused at the receiver, and the bounce comes back to its sender.
    case("bounce", T1, author(T1), to=b"nobody@receiver.example")


def sendmail():
    for name, user in [("sendmail by root", "root"), ("sendmail by another user", "nobody")]:
        with ARRIVED:
            RECEIVER.mails.clear()
        done = subprocess.run(["/usr/sbin/runuser", "-u", user, "--", "/usr/sbin/sendmail", "-C", f"{ROOT}/postfix",
                               "-f", "a@t1.shop.example", "r@receiver.example"],
                              input=author(T1) + b"\r\nx\r\n", capture_output=True)
        with ARRIVED:
            if done.returncode == 0:
                ARRIVED.wait_for(lambda: RECEIVER.mails, DEADLINE)
            mails = [judged(m, "receiver") for m in RECEIVER.mails]
        print(json.dumps({"case": name, "reply": str(done.returncode), "mails": mails}), flush=True)


def without_signer(signer):
    signer.kill()
    signer.wait()
    case("signer down", T1, author(T1))
    case("signer down, forward", b"z@foreign.example", author(b"z@foreign.example"), **OUTSIDE)


def main():
    signers = [opendkim("opendkim"), opendkim("no-from-check"), opendkim("naive")]
    dovecot = start("/usr/sbin/dovecot", "-F", "-c", f"{ROOT}/dovecot/dovecot.conf")
    if subprocess.run(["/usr/sbin/postfix", "-c", f"{ROOT}/postfix", "start"], capture_output=True).returncode != 0:
        raise SystemExit("Postfix does not start")
    for port in (8891, 8892, 8893):
        wait_for_port(port, "127.0.0.1")
    for port in (25, 587, 588, 10025):
        wait_for_port(port)
    wait_for(lambda: os.path.exists(f"{ROOT}/dovecot/postfix-auth"), "Dovecot's socket")
    for part in (honest, forged, envelopes, smuggled, inbound, variants, bounce, sendmail):
        part()
    without_signer(signers[0])
    subprocess.run(["/usr/sbin/postfix", "-c", f"{ROOT}/postfix", "abort"], capture_output=True)
    for process in signers[1:] + [dovecot]:
        process.send_signal(signal.SIGTERM)
    print(json.dumps({"case": "end", "reply": "", "mails": []}), flush=True)


main()
