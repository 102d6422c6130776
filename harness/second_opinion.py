#!/usr/bin/python3
"""Judges stored mails with programs that are not ours: python3-spf, python3-dkim, dnspython, and opendkim.

    second_opinion.py --resolver ADDRESS [--port N] [--opendkim PROGRAM] MESSAGE ENVELOPE [MESSAGE ENVELOPE ...]

ENVELOPE is the JSON that the receiver stored beside the mail; of it only what the connection said is read (client, helo,
mail_from), never a result. Prints one JSON object per mail, a line each: the opinions, or {"error": why there is none}.
"""
import argparse
import json
import os
import re
import subprocess
import tempfile

import dkim
import dns.exception
import dns.resolver
import spf

LIFETIME = 8  # seconds for one question
RECORD_LIMIT = 8  # look-ups of one DMARC walk (RFC 9989 section 4.10)


class Temporary(Exception):
    """The DNS did not say yes or no."""


def texts(name):
    """The TXT records at a name, strings joined; [] when there are none."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=LIFETIME, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise Temporary(f"{name}: {error}") from error
    return [b"".join(record.strings) for record in answer]


def judge_spf(envelope):
    result, explanation = spf.check2(
        i=envelope["client"], s=envelope["mail_from"], h=envelope["helo"], querytime=20)
    return result, explanation


class Key:
    """A dnsfunc for dkimpy that remembers how the look-up ended."""

    def __init__(self):
        self.state = "not asked"

    def __call__(self, name, timeout=5):
        try:
            found = texts(name.decode("ascii"))
        except Temporary as error:
            self.state = "temporary"
            raise dkim.DnsTimeoutError(str(error)) from error
        self.state = "found" if found else "missing"
        return found[0] if found else None


def judge_dkim(message):
    count = len([1 for name, _ in dkim.rfc822_parse(message)[0] if name.lower() == b"dkim-signature"])
    signatures = []
    for index in range(count):
        verifier = dkim.DKIM(message)
        key = Key()
        reason = ""
        try:
            passed = verifier.verify(idx=index, dnsfunc=key)
        except dkim.DnsTimeoutError as error:
            passed, reason = False, str(error)
        except dkim.DKIMException as error:
            passed, reason = False, f"{type(error).__name__}: {error}"
        if passed:
            result = "pass"
        elif key.state == "temporary":
            result = "temperror"
        elif key.state == "missing":
            result = "permerror"
        else:
            result = "fail"
        tags = getattr(verifier, "signature_fields", None) or {}
        signatures.append({
            "result": result,
            "domain": tags.get(b"d", b"").decode("ascii", "replace").lower().rstrip("."),
            "selector": tags.get(b"s", b"").decode("ascii", "replace").lower(),
            "reason": reason or ("" if passed else key.state),
        })
    return signatures


def dmarc_tags(text):
    """The tags of a DMARC record, or None when it is none (RFC 9989 section 4.7)."""
    tags = {}
    for number, part in enumerate(text.decode("ascii", "replace").split(";")):
        name, equals, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if number == 0 and (name != "v" or value != "DMARC1"):
            return None
        if name and equals:
            tags.setdefault(name, value)
    return tags


def record_at(domain):
    found = [tags for tags in map(dmarc_tags, texts("_dmarc." + domain)) if tags]
    return found[0] if len(found) == 1 else None  # several: all are discarded (section 4.10)


def walk(domain):
    """{name: tags} of the records on the way up, and the organizational domain (section 4.10)."""
    labels = domain.split(".")
    names = [domain]
    rest = labels[1:] if len(labels) <= RECORD_LIMIT else labels[-(RECORD_LIMIT - 1):]
    while rest:
        names.append(".".join(rest))
        rest = rest[1:]
    found = {}
    for name in names[:RECORD_LIMIT]:
        tags = record_at(name)
        if not tags:
            continue
        found[name] = tags
        if tags.get("psd") == "n":
            return found, name
        if tags.get("psd") == "y" and name != domain:
            above = len(name.split("."))
            return found, ".".join(labels[-(above + 1):])
    if not found:
        return found, domain
    return found, min(found, key=lambda name: len(name.split(".")))


def author_domain(message):
    """The domain of the one address in the one From field, or None."""
    fields = [value for name, value in dkim.rfc822_parse(message)[0] if name.lower() == b"from"]
    if len(fields) != 1:
        return None
    value = fields[0].decode("utf-8", "replace").replace("\r\n", "")
    brackets = re.findall(r"<([^<>]*)>", re.sub(r'"(?:[^"\\]|\\.)*"', "", value))
    address = brackets[0] if len(brackets) == 1 else value.strip() if not brackets and "," not in value else ""
    local, at, domain = address.strip().rpartition("@")
    if not (local and at and domain) or not re.fullmatch(r"[^\s@<>()]+", domain):
        return None
    try:
        return domain.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return None


def judge_dmarc(message, envelope, spf_result, signatures):
    author = author_domain(message)
    if not author:
        return "none"
    found, organization = walk(author)
    tags = found.get(author) or found.get(organization)
    if not tags:
        return "none"
    policy = tags.get("p", "").lower()
    if policy not in ("none", "quarantine", "reject") and "rua" not in tags:
        return "none"

    def aligned(domain, mode):
        if domain == author:
            return True
        return mode != "s" and walk(domain)[1] == organization

    sender = (envelope["mail_from"] or "@" + envelope["helo"]).rpartition("@")[2].lower().rstrip(".")
    if spf_result == "pass" and aligned(sender, tags.get("aspf", "r").lower()):
        return "pass"
    if any(s["result"] == "pass" and aligned(s["domain"], tags.get("adkim", "r").lower()) for s in signatures):
        return "pass"
    return "fail"


def run_opendkim(program, path, resolver, port):
    """What opendkim's test mode says of each signature of one mail; None when a look-up failed: then it writes no
    Authentication-Results at all, whatever the other signatures are."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(f"Mode v\nNameservers {resolver}@{port}\nAlwaysAddARHeader yes\nAuthservID opinion\n"
                   f"Syslog no\nMaximumSignaturesToVerify 10\nOn-Default accept\n")
        conf.flush()
        done = subprocess.run([program, "-x", conf.name, "-vvv", "-t", path], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=25, check=False)
    output = done.stdout.decode("utf-8", "replace")
    errors = done.stderr.decode("utf-8", "replace")
    header = re.search(r"hname='Authentication-Results' hvalue='opinion;(.*?)'\n", output, re.S)
    if not header:
        if "failed: key DNS query failed" in output + errors:
            return None
        raise RuntimeError(f"opendkim gave no result (status {done.returncode}): {(errors + output).strip()[-300:]}")
    signatures = []
    for part in re.sub(r"\([^()]*\)", "", header.group(1)).split(";"):  # comments may hold a semicolon
        result = re.match(r"\s*dkim=(\w+)", part)
        if not result or result.group(1) == "none":
            continue
        tag = {name: value for name, value in re.findall(r"header\.([ds])=(\S+)", part)}
        reason = re.search(r'reason="([^"]*)"', part)
        signatures.append({"result": result.group(1), "domain": tag.get("d", "").lower(),
                           "selector": tag.get("s", "").lower(), "reason": reason.group(1) if reason else ""})
    return signatures


def judge_opendkim(program, path, message, signatures, resolver, port):
    said = run_opendkim(program, path, resolver, port)
    if said is not None:
        return said
    # Each signature alone, so that the one whose key cannot be looked up hides no other.
    headers, body = dkim.rfc822_parse(message)
    said = []
    for index, signature in enumerate(signatures):
        with tempfile.NamedTemporaryFile("wb", suffix=".eml") as alone:
            count = -1
            for name, value in headers:
                if name.lower() == b"dkim-signature":
                    count += 1
                    if count != index:
                        continue
                alone.write(name + b":" + value)
            alone.write(b"\r\n" + body)
            alone.flush()
            one = run_opendkim(program, alone.name, resolver, port)
        said += [dict(signature, result="temperror", reason="key DNS query failed")] if one is None else one
    return said


def judge(message_path, envelope_path, arguments):
    with open(message_path, "rb") as file:
        message = file.read()
    with open(envelope_path, encoding="utf-8") as file:
        envelope = json.load(file)
    spf_result, spf_reason = judge_spf(envelope)
    signatures = judge_dkim(message)
    try:
        dmarc = judge_dmarc(message, envelope, spf_result, signatures)
    except Temporary:
        dmarc = "temperror"
    document = {"spf": spf_result, "spf_reason": spf_reason, "dkim": signatures, "dmarc": dmarc}
    if arguments.opendkim:
        document["opendkim"] = judge_opendkim(arguments.opendkim, os.path.abspath(message_path), message,
                                              signatures, arguments.resolver, arguments.port)
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolver", required=True)
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--opendkim", default="")
    parser.add_argument("mails", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    if len(arguments.mails) % 2:
        parser.error("a MESSAGE without its ENVELOPE")

    # spf and dnspython's module functions all ask this one.
    dns.resolver.default_resolver = dns.resolver.Resolver(configure=False)
    dns.resolver.default_resolver.nameservers = [arguments.resolver]
    dns.resolver.default_resolver.port = arguments.port

    for message, envelope in zip(arguments.mails[::2], arguments.mails[1::2]):
        try:
            document = judge(message, envelope, arguments)
        except Exception as error:  # whatever it is: no opinion, never an agreement
            document = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
