"""A candidate in words: its verdict on a line, and all that is known of it below the list. Values are never shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from pgwizard.errors import Finding
from pgwizard.text import plain
from pgwizard.tls.chain import ChainVerdict
from pgwizard.wizard import candidates
from pgwizard.wizard.candidates import Candidate, Search

if TYPE_CHECKING:
    from datetime import datetime

    from pgwizard.tls.certificates import Bundle, Certificate
    from pgwizard.tls.handshake import Handshake


def finding_text(finding: Finding) -> str:
    """A finding and its fix on one line. It may hold what the cluster sent."""
    return ". ".join(filter(None, (": ".join(filter(None, (finding.text, finding.cause))), finding.fix)))


def reason_text(row: Candidate, limit: int = 300) -> str:
    """What speaks for or against a candidate, as plain text; empty where nothing is known."""
    reason = row.reason
    text = reason.why if isinstance(reason, ChainVerdict) else finding_text(reason) if reason else ""
    return plain(text, limit)


def verdict(row: Candidate) -> str:
    """A mark and the reason, in few words."""
    why = reason_text(row)
    if row.ok is not None:
        return f"✓ yes: {why}" if row.ok else f"✗ {why}"
    if row.kind == "not read":
        return "· read when it is in view" if row.hopeful else "· not read"
    if not row.keys:
        return f"✗ {why}"
    return f"? {why}" if why else "… asking the server"


def days_text(days: int) -> str:
    """Days left, in words."""
    if days < 0:
        return "expired"
    if days >= 3 * 365:
        return f"in {days // 365} y"
    return f"in {days} d"


def row_text(
    row: Candidate, search: Search, server_answer: Handshake | Finding | None, today: datetime | None, width: int
) -> Text:
    """All that there is room for below the list. server_answer: what the server sends, or why that is not known.

    width: columns of a line.
    """
    if search.purpose != "ca" or row.bundle is None:
        return _outline_text(row, search)
    return _certificate_text(row, row.bundle, search, server_answer, today, width=width)


def _outline_text(row: Candidate, search: Search) -> Text:
    """A Secret by what is known of its keys."""
    keys_text = f" · {', '.join(map(plain, row.keys))}" if row.keys else ""
    keys = ", ".join(plain(key, 60) for key in (*row.keys, *row.others)[:12])
    lines = [f"{row.kind}; its keys: {keys} (values are not shown)" if keys else str(row.kind)]
    if row.kind == "not read":
        lines.append("It is read when it comes into view, or when you select it.")
    elif why := reason_text(row, 400):
        lines.append(why)
    if row.kind == "other keys" and search.purpose != "ca" and row.others:
        usual = ",".join(f"KEY{number}" for number, _ in enumerate(candidates.usual_keys(search), start=1))
        lines.append(f"To use its keys anyway: F6, then {plain(row.place)}/{usual}")
    if row.keys and search.purpose == "s3" and row.namespace != search.namespace:
        lines.append(f"It will be mirrored into namespace {search.namespace}.")
    return _lines(f"{plain(row.place)}{keys_text}", lines)


def _lines(head: str, lines: Iterable[str]) -> Text:
    text = Text(head, "bold")
    text.append("\n" + "\n".join(lines), "not bold")
    return text


def _certificate_text(
    row: Candidate,
    bundle: Bundle,
    search: Search,
    server_answer: Handshake | Finding | None,
    today: datetime | None,
    *,
    width: int,
) -> Text:
    """A certificate, with the server's answer to it."""
    first = bundle.certificates[0]
    subject = plain(first.subject, 120) or "no subject"
    signer = "" if first.self_signed else f", signed by {plain(first.issuer, 120)}"
    more = [plain(other.subject, 60) for other in bundle.certificates[1:4]]
    ends = f" ({days_text(first.days_left(today))})" if today else ""
    times = f"{first.not_before:%Y-%m-%d} to {first.not_after:%Y-%m-%d}{ends}"
    about = f"{first.key_type} · {'CA' if first.is_ca else 'not a CA'} · {times}"
    fingerprint = f"sha256 {first.sha256[:17]}…"
    lines = [
        f"{subject}{signer}" + (f", with {', '.join(more)}" if more else ""),
        _names_line(first, width),
        f"{about} · {fingerprint}" if len(f"{about} · {fingerprint}") <= width else about,
        verdict(row),
        _server_line(row, search, server_answer),
    ]
    if row.ok:
        lines.append(f"It will be mirrored into namespace {search.namespace}, and compared at each upgrade.")
    return _lines(f"{plain(row.place)} · {plain(row.keys[0])}", lines)


def _names_line(certificate: Certificate, width: int) -> str:
    """As many names as fit on a line, each of them whole; the first one in any case."""
    every = (*certificate.dns_names, *certificate.ip_addresses)
    names, count = [plain(name, 160) for name in every[:12]], len(every) + certificate.other_names
    for count_shown in range(len(names), 0, -1):
        rest = f", … {count:,} in all" if count > count_shown else ""
        line = f"SANs {', '.join(names[:count_shown])}{rest}"
        if len(line) <= width or count_shown == 1:
            return line
    return f"SANs {'none' if not count else f'… {count:,} in all'}"


def all_lines(row: Candidate) -> Iterator[str]:
    """Everything that is known of a row."""
    yield plain("/".join([row.place, *row.keys]), 1_000)
    yield ": ".join(filter(None, (row.kind, reason_text(row, 1_000))))
    for one in row.bundle.certificates if row.bundle else ():
        yield ""
        yield f"subject      {plain(one.subject, 1_000) or 'none'}"
        yield f"issuer       {plain(one.issuer, 1_000) or 'none'}"
        for name in (*one.dns_names, *one.ip_addresses):
            yield f"SAN          {plain(name, 300)}"
        yield f"valid        {one.not_before:%Y-%m-%d %H:%M} to {one.not_after:%Y-%m-%d %H:%M} UTC"
        yield f"key          {one.key_type}, {'CA' if one.is_ca else 'not a CA'}"
        yield f"serial       {one.serial}"
        yield f"sha256       {one.sha256}"


def _server_line(row: Candidate, search: Search, answer: Handshake | Finding | None) -> str:
    if answer is None:
        return f"Asking {plain(str(search.endpoint))} what it sends …"
    if isinstance(answer, Finding):
        return f"What the server sends is not known: {plain(finding_text(answer), 400)}"
    chain = answer.chain.certificates
    own = chain[0]
    count = f"{len(chain)} certificate{'s' if len(chain) != 1 else ''}"
    same = row.first is not None and own.sha256 == row.first.sha256
    signer = "self-signed" if own.self_signed else f"signed by {plain(own.issuer, 80)}"
    what = ", the same as this" if same else f": {plain(own.subject, 80)}"
    return f"The server sends {count}, {signer}{what}.  {answer.tls}, handshake in {answer.seconds * 1000:.0f} ms."
