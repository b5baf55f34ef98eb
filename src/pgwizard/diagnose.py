"""What an error text means and what to do about it: ``diagnose(text) -> Diagnosis | None``.

Owns the table of what pgBackRest, S3 stores, PostgreSQL and Kubernetes say when they fail. Pure. It refuses to guess: a
text that no row knows gives None. It looks at the text alone, so it knows neither the answers nor the cluster.

How a row is chosen where several fit. The same fault has many shells: an unknown authority is exit code 95 of
``stanza-create``, 103 of ``archive-push``, 82 of ``check`` and 99 inside ``info``. So the exit code is never matched;
what names a cause wins over what leaves several open, that over a mere symptom, and a remark comes last. Among equals
the latest line wins, since a log holds earlier tries too; on one line the earlier row. pgBackRest's ``HINT`` lines are
never matched: ``is or was the repo encrypted?`` also stands under a certificate that was refused.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from pgwizard.kubeapi import plain


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One fault. cause and fix: one or two sentences each, plain.

    key: stable; the anchor in docs/errors.md.
    line: what gave it away, plain.
    exit_code: what the failed program ended with, as the text says; None where it does not.
    question: the question of the answers that is most likely at fault, such as ``tls.source``; empty for none.
    """

    key: str
    cause: str
    fix: str
    line: str
    exit_code: int | None = None
    question: str = ""


class Rank(IntEnum):
    """How much a row knows."""

    CAUSE = 0
    BROAD = 1
    """What is wrong is known; why has several answers."""
    SYMPTOM = 2
    """Something else failed before."""
    REMARK = 3
    """A warning of something that did not fail."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault. cause and fix may name groups of the pattern in braces.

    A pattern stays within a line, begins with fixed text wherever it can, and repeats only with a bound: the text is
    hostile. Runs of blanks are one blank by then.
    """

    key: str
    rank: Rank
    pattern: re.Pattern[str]
    cause: str
    fix: str
    question: str = ""


MAX_CHARACTERS = 1_000_000
"""Of a longer text only the end is read: that is where a log says why it ended."""


def diagnose(text: str) -> Diagnosis | None:
    """The fault that explains the text best; None where no row knows it."""
    found = diagnoses(text)
    return found[0] if found else None


def diagnoses(text: str) -> tuple[Diagnosis, ...]:
    """Every fault that the text shows, the best explanation first; each kind once, at its latest line."""
    text = _readable(text)
    found = [(row, match) for row in ROWS if (match := _latest(row.pattern, text)) is not None]
    found.sort(key=lambda pair: (pair[0].rank, -_line_start(text, pair[1])))  # stable: the table's order decides a tie
    return tuple(_diagnosis(row, match, text) for row, match in found)


def sharper(fault: Diagnosis, others: Iterable[Diagnosis]) -> Diagnosis:
    """A fault; or of others the one that knows more of the same matter, such as why an S3 store refused a request."""
    same = [fault, *(other for other in others if _PLACES[other.key][0] == _PLACES[fault.key][0])]
    return min(same, key=lambda known: _PLACES[known.key][1])  # the first of equals: the fault itself


_ESCAPES = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_UNSEEN = r"\t\r\v\f\x00-\x08\x0e-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\ufeff\ufffd"
_BLANKS = re.compile(rf"[{_UNSEEN}][ {_UNSEEN}]*| [ {_UNSEEN}]+")
_CODE = re.compile(r"(?:ERROR: |with exception )\[(\d{3})\]|[Ee]xit ?[Cc]ode\"?:? ?(\d{1,3})\b")


def _readable(text: str) -> str:
    """The end of the text, without colours and control characters; an encrypted file may have been printed as text."""
    return _BLANKS.sub(" ", _ESCAPES.sub("", text[-MAX_CHARACTERS:]))


def _latest(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = deque(pattern.finditer(text), maxlen=1)
    return last[0] if last else None


def _line_start(text: str, match: re.Match[str]) -> int:
    return text.rfind("\n", 0, match.start()) + 1


def _line(text: str, match: re.Match[str]) -> str:
    start = _line_start(text, match)
    if match.start() - start > 150:  # what gave it away must be seen
        start = match.start()
    end = text.find("\n", match.end())
    return plain(text[start : min(end if end >= 0 else len(text), start + 1000)])


def _exit_code(text: str, match: re.Match[str]) -> int | None:
    """The first code from the line on: the program's last words; else the last one before it."""
    after = _CODE.search(text, _line_start(text, match))
    said = after or _latest(_CODE, text[: match.start()])
    return int(said[1] or said[2]) if said else None


def _diagnosis(row: Row, match: re.Match[str], text: str) -> Diagnosis:
    named = {name: plain(value or "", 120) for name, value in match.groupdict().items()}
    return Diagnosis(
        key=row.key,
        cause=row.cause.format_map(named),
        fix=row.fix.format_map(named),
        line=_line(text, match),
        exit_code=_exit_code(text, match),
        question=row.question,
    )


# ---- the table -----------------------------------------------------------------------------------------------------


def _row(key: str, pattern: str, cause: str, fix: str, question: str = "", *, rank: Rank = Rank.CAUSE) -> Row:
    return Row(key, rank, re.compile(pattern), cause, fix, question)


def _s3(*codes: str) -> str:
    """An S3 error by its code: in the body of an answer, or in MinIO's header where a HEAD has no body."""
    return rf"(?:<Code>|x-minio-error-code: ?)(?:{'|'.join(codes)})\b"


_HOST = r"'(?P<host>[^'\n]{1,300})'"  # newer versions add the address: 'minio.minio.svc:9000 (10.0.0.1)'
_REFUSED = rf"unable to verify certificate presented by {_HOST}:"

_TLS = (
    _row(
        "certificate-unknown-authority",
        rf"{_REFUSED} \[20\]",
        "The certificate of {host} was signed by an authority that is not trusted here, or the server does not send "
        "its intermediate certificate.",
        "Let tls.source name the Secret and key with the root that signed it (often ca.crt), and let the server send "
        "its whole chain.",
        "tls.source",
    ),
    _row(
        "certificate-self-signed",
        rf"{_REFUSED} \[18\]",
        "{host} shows a self-signed certificate that is not the one trusted here: none was given, it is another one, "
        "or the server's was issued anew since it was copied.",
        "Let tls.source name the Secret with that very certificate (tls.crt), and apply again so that a new one is "
        "copied.",
        "tls.source",
    ),
    _row(
        "certificate-unknown-root",
        rf"{_REFUSED} \[19\]",
        "{host} sends a complete chain, but the root at its end is not trusted here.",
        "Let tls.source name the Secret and key that hold this root (often ca.crt).",
        "tls.source",
    ),
    _row(
        "certificate-intermediate-only",
        rf"{_REFUSED} \[2\]",
        "What is trusted for {host} is an intermediate certificate; pgBackRest wants the root above it too.",
        "Add the root to the certificates under the key that tls.source names.",
        "tls.source",
    ),
    _row(
        "certificate-expired",
        rf"{_REFUSED} \[10\]",
        "The certificate of {host}, or one above it, has expired; or the clock of the node is ahead.",
        "Renew it on the server and apply again, so that the copy is the new one. Check the node's clock.",
    ),
    _row(
        "certificate-not-yet-valid",
        rf"{_REFUSED} \[9\]",
        "The certificate of {host} is not valid yet: as a rule the clock of the node is behind.",
        "Set the node's clock by NTP, or wait until the certificate begins.",
    ),
    _row(
        "certificate-refused",
        rf"{_REFUSED}",
        "The certificate of {host} was refused.",
        "Compare the server's certificate with the one that tls.source names.",
        "tls.source",
        rank=Rank.BROAD,
    ),
    _row(
        "certificate-without-address",
        r"unable to find hostname '(?P<host>[0-9.]{7,15}|[0-9A-Fa-f:]{2,39})' in certificate",
        "The endpoint is the address {host}: the certificate does not name it, or pgBackRest is older than 2.53 and "
        "does not look for addresses.",
        "Use the name that the certificate holds as the endpoint, such as minio.minio.svc:9000.",
        "repository.endpoint",
    ),
    _row(
        "certificate-other-name",
        r"unable to find hostname '(?P<host>[^'\n]{1,300})' in certificate",
        "The server's certificate does not name {host}.",
        "Use a name that the certificate holds as the endpoint, or issue it for {host}. Should the name begin with "
        "the bucket's, set repository.uriStyle to path.",
        "repository.endpoint",
    ),
    _row(
        "certificate-file-unusable",
        r"unable to set user-defined CA certificate location: \[\d{1,20}\]",
        "The file of trusted certificates is missing, cannot be read, or is not PEM (DER is not understood).",
        "Check that the Secret and key of tls.source exist and hold a certificate that begins with BEGIN CERTIFICATE.",
        "tls.source",
    ),
    _row(
        "plain-http",
        r"TLS error \[\d{1,5}:\d{1,20}\] (?:wrong version number|packet length too long|http request)",
        "That port speaks plain HTTP, not TLS. tls.verify: false does not change that: it skips the check, not the "
        "encryption.",
        "Turn TLS on at the S3 server, or use its TLS port; an http:// endpoint needs pgBackRest 2.58.",
        "repository.endpoint",
    ),
    _row(
        "http-endpoint",
        r"expected protocol 'https' in URL",
        "The endpoint begins with http://, which pgBackRest knows from 2.58 on.",
        "Use TLS, or an image with pgBackRest 2.58 or newer.",
        "repository.endpoint",
    ),
    _row(
        "tls-failed",
        r"TLS error \[\d{1,5}:\d{1,20}\]|unable to negotiate TLS connection",
        "The TLS handshake with the S3 server failed before any certificate was compared.",
        "Check that the endpoint is the S3 API's TLS port, and that the server allows TLS 1.2 or 1.3.",
        "repository.endpoint",
        rank=Rank.BROAD,
    ),
)

_NETWORK = (
    _row(
        "bucket-in-host-name",
        # a Service's name has three labels up to svc; a fourth is the bucket, unless it is a pod of a StatefulSet
        r"unable to get address for '(?P<bucket>[a-z0-9][a-z0-9-]{1,61}(?<!-\d)(?<!-\d\d))\."
        r"(?P<host>[a-z0-9-]{1,63}\.[a-z0-9-]{1,63}\.svc[^'\n]{0,200})'",
        "pgBackRest put the bucket into the host name, {bucket}.{host}, and no such name exists.",
        "Set repository.uriStyle to path: {host} is then asked for /{bucket}.",
        "repository.uriStyle",
    ),
    _row(
        "unknown-host",
        rf"unable to get address for {_HOST}",
        "The name {host} cannot be resolved from inside the pod: it is wrong, its namespace is, or the pod may not "
        "reach the cluster's DNS.",
        "Write the endpoint as service.namespace.svc:port and allow DNS in any NetworkPolicy. Should the name begin "
        "with the bucket's, set repository.uriStyle to path.",
        "repository.endpoint",
    ),
    _row(
        "connection-refused",
        rf"unable to connect to {_HOST}: \[111\]",
        "Nothing listens at {host}: the port is wrong, or the S3 server is down.",
        "Give the S3 API's port in the endpoint (MinIO: 9000; without one it is 443), and check that the server runs.",
        "repository.endpoint",
    ),
    _row(
        "connection-timeout",
        r"timeout connecting to '(?P<host>[^'\n]{1,300})'"
        r"|unable to connect to '(?P<peer>[^'\n]{1,300})': \[(?:110|113|101)\]",
        "{host}{peer} does not answer: a NetworkPolicy or a firewall drops the packets, or there is no route.",
        "Allow egress from the namespace to the endpoint and its port, and check the address.",
        "repository.endpoint",
    ),
)

_S3 = (
    _row(
        "s3-unknown-key",
        _s3("InvalidAccessKeyId", "InvalidTokenId", "InvalidToken", "ExpiredToken"),
        "The S3 store does not know this access key: it is mistyped, was deleted or disabled, or belongs to another "
        "tenant.",
        "Put a valid key pair into the Secret that repository.credentials names.",
        "repository.credentials",
    ),
    _row(
        "s3-wrong-secret",
        _s3("SignatureDoesNotMatch"),
        "The access key is known, but the secret key does not belong to it: mistyped, or stored with a line break or "
        "a blank at its end. A proxy that rewrites the Host header looks the same.",
        "Create the Secret again from the exact value (printf %s, never echo); a proxy must pass Host unchanged.",
        "repository.credentials",
    ),
    _row(
        "s3-clock-skew",
        _s3("RequestTimeTooSkewed"),
        "The clocks of the node and of the S3 server are more than 15 minutes apart.",
        "Set both by NTP. It also comes from an upload that was stalled for that long.",
    ),
    _row(
        "s3-delete-denied",
        r"unable to remove file '[^'\n]{1,500}': \[AccessDenied\]",
        "The key pair may write but not delete, so old backups cannot expire.",
        "Allow s3:DeleteObject on the repository's path in the key's policy.",
        "repository.credentials",
    ),
    _row(
        "s3-access-denied",
        _s3("AccessDenied", "AllAccessDisabled"),
        "The key pair is valid, but its policy does not allow this request.",
        "Allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on the repository's "
        "path.",
        "repository.credentials",
    ),
    _row(
        "s3-no-bucket",
        _s3("NoSuchBucket", "InvalidBucketName"),
        "The bucket does not exist; pgBackRest never makes one. A store that wants the other URI style says the same.",
        "Create the bucket, or correct repository.bucket; MinIO wants repository.uriStyle path.",
        "repository.bucket",
    ),
    _row(
        "s3-wrong-region",
        _s3("AuthorizationHeaderMalformed", "InvalidRegion"),
        "The region in the signature is not the region of the S3 server.",
        "Set repository.region to the server's (MinIO: MINIO_SITE_REGION; where that is unset it takes any).",
        "repository.region",
    ),
    _row(
        "s3-moved",
        _s3("PermanentRedirect", "TemporaryRedirect") + r"|HTTP request failed with 30[1278]\b",
        "The S3 server sends the request elsewhere: the bucket is in another region.",
        "Use the endpoint and the region of the bucket.",
        "repository.endpoint",
    ),
    _row(
        "s3-quota-full",
        _s3("XMinioAdminBucketQuotaExceeded", "QuotaExceeded"),
        "The bucket's quota is used up. Until there is room, WAL piles up on the database's volume.",
        "Raise the bucket's quota, or keep fewer full backups.",
        "retention.full",
    ),
    _row(
        "s3-full",
        r"\[507\] Insufficient Storage|" + _s3("XMinioStorageFull"),
        "The S3 store is full. Until there is room, WAL piles up on the database's volume.",
        "Make room in the store, or keep fewer full backups.",
        "retention.full",
    ),
    _row(
        "s3-overloaded",
        r"\[503\] Service Unavailable|" + _s3("SlowDown[A-Za-z]{0,20}", "XMinioServerNotInitialized"),
        "The S3 store is overloaded or still starting; pgBackRest has retried in vain.",
        "Look at the store and run it again. Bundled files and fewer processes (advanced.processMax) ask less of it.",
        "advanced.processMax",
    ),
    _row(
        "not-s3",
        r"last modified missing|invalid xml in \d{1,12} byte"
        r"|key/value found outside of section at line 1: ?<(?:html|!|\?xml|head)",
        "The endpoint answers, but it is no S3 API: MinIO's console, or the login page of an ingress.",
        "Use the port of the S3 API (MinIO: 9000, not the console's 9001).",
        "repository.endpoint",
    ),
    _row(
        "s3-forbidden",
        r"HTTP request failed with 40[13]\b",
        "The S3 store refused the request and did not say why: access key, secret key, clock or policy.",
        "Check the key pair first, then its policy for this bucket; PostgreSQL's log of archive-push carries the code.",
        "repository.credentials",
        rank=Rank.BROAD,
    ),
    _row(
        "s3-bad-request",
        r"HTTP request failed with 400\b",
        "The S3 store found the request malformed and did not say why; most often it is the region.",
        "Set repository.region to the server's.",
        "repository.region",
        rank=Rank.BROAD,
    ),
    _row(
        "s3-not-found",
        r"HTTP request failed with 404\b",
        "The S3 store does not know what was asked for: the bucket is missing, or the endpoint is another service.",
        "Check repository.bucket and repository.endpoint.",
        "repository.bucket",
        rank=Rank.BROAD,
    ),
)

_REPOSITORY = (
    _row(
        "repository-of-another-cluster",
        r"info files? exists? but do(?:es)? not match the database|do not match (?:repo\d{1,3} )?stanza version"
        r"|the repository path holds the backups of another cluster",
        "The repository's path holds the backups of another database: of a volume that was created anew, of a clone, "
        "or of another release.",
        "Choose another repository.path. Never run stanza-upgrade here: it would mix two databases.",
        "repository.path",
    ),
    _row(
        "repository-half-missing",
        r"\b(?P<there>backup|archive)\.info exists but (?P<gone>archive|backup)\.info is missing",
        "{gone}.info is gone while {there}.info is there: a lifecycle rule or a person deleted a part of the "
        "repository.",
        "Bring the object back from the bucket's versions and exempt the path from lifecycle rules; or choose another "
        "repository.path.",
        "repository.path",
    ),
    _row(
        "repository-not-empty",
        r"\b(?P<part>archive|backup) directory [^\n]{0,300}?not empty",
        "The repository's {part} directory has files but its info files are gone: a lifecycle rule or a person "
        "deleted them.",
        "Bring them back from the bucket's versions, or choose another repository.path.",
        "repository.path",
    ),
    _row(
        "repository-encrypted",
        r"key/value found outside of section at line 1: ?Salted__",
        "The repository is encrypted and no passphrase was given.",
        "Let repository.cipher name the passphrase that the first backup was made with.",
        "repository.cipher",
    ),
    _row(
        "repository-not-encrypted",
        r"cipher header invalid",
        "A passphrase was given, but the repository is not encrypted; the first backup settles that for good.",
        "Set repository.cipher to null, or choose another repository.path for an encrypted one.",
        "repository.cipher",
    ),
    _row(
        "repository-wrong-passphrase",
        r"key/value found outside of section at line 1:(?! ?(?:Salted__|<))|CryptoError\]?:? unable to flush",
        "The repository is encrypted with another passphrase: what was read is garbage.",
        "Let repository.cipher name the passphrase that the first backup was made with.",
        "repository.cipher",
    ),
    _row(
        "no-stanza",
        r"unable to open missing file '[^'\n]{0,500}/(?:archive|backup)\.info|missing stanza (?:path|data)"
        r"|unable to load info file '[^'\n]{0,500}'[^\n]{0,700}FileMissingError",
        "There is no stanza at the repository's path: it was never created, the bucket or the path is another one, or "
        "a lifecycle rule deleted it.",
        "Compare bucket and path with what they were, then apply again: it creates the stanza.",
        "repository.path",
        rank=Rank.BROAD,
    ),
    _row(
        "no-backup",
        r"no backup set found to restore|unable to find backup set|\(no valid backups\)",
        "The repository holds no backup that fits.",
        "Take a full backup, or choose an existing backup or a later target for the restore.",
        rank=Rank.BROAD,
    ),
    _row(
        "wal-duplicate",
        r"already exists in the repo\d{1,3} archive with a different checksum",
        "Two databases write WAL to one repository, or the volume was set back to an older snapshot.",
        "Stop the second one, and give this one a repository.path of its own.",
        "repository.path",
    ),
    _row(
        "wal-dropped",
        r"dropped WAL file '(?P<wal>[^'\n]{1,100})' because archive queue exceeded",
        "WAL was dropped because the queue for the archive was full: no restore reaches beyond {wal} until the next "
        "full backup.",
        "Mend the archiving, take a full backup at once, and think about advanced.archivePushQueueMax.",
        "advanced.archivePushQueueMax",
        rank=Rank.BROAD,
    ),
    _row(
        "wal-push-timeout",
        r"unable to push WAL file '[^'\n]{1,100}' to the archive asynchronously after \d{1,9} second",
        "WAL was not archived in time by the background process: it is too slow, or fails for a reason that stands in "
        "its own log.",
        "Read the log file that the hint names, or turn advanced.archiveAsync off to see the reason.",
        "advanced.archiveAsync",
        rank=Rank.SYMPTOM,
    ),
    _row(
        "wal-not-archived",
        r"WAL segment \S{1,60} was not archived before the \d{1,12}ms timeout|archive command failed with exit code",
        "PostgreSQL does not get its WAL into the repository: archive_command fails or is too slow.",
        "PostgreSQL's log has the error of archive-push that explains it. After a fix it may take a minute until it "
        "tries again.",
        rank=Rank.SYMPTOM,
    ),
)

_PGBACKREST = (
    _row(
        "lock-permission",
        r"unable to acquire lock on file '(?P<file>[^'\n]{1,300})': Permission denied",
        "The lock file {file} belongs to another user: pgBackRest ran as root or in another container before.",
        "Remove that file and run pgBackRest only as PostgreSQL's own user.",
    ),
    _row(
        "lock-held",
        r"unable to acquire lock on file|unable to acquire pgBackRest advisory lock|the lock was held for \d{1,6} s",
        "Another backup, or the background archiver, is running.",
        "Wait for it and try again. Where it keeps happening, let the schedules begin further apart.",
        "schedule.incremental",
        rank=Rank.BROAD,
    ),
    _row(
        "archive-command-other",
        r"archive_command '(?P<command>[^'\n]{0,300})' must contain pgbackrest",
        "archive_command is '{command}', so no WAL reaches the repository: the new settings were not loaded, or "
        "something overrides them.",
        "Restart the pod. ALTER SYSTEM RESET archive_command takes an override in postgresql.auto.conf away.",
        "tuning.parameters",
    ),
    _row(
        "archive-mode-off",
        r"archive_mode must be enabled",
        "archive_mode is off in the running server: it takes a restart, or something overrides it.",
        "Restart the pod. ALTER SYSTEM RESET archive_mode takes an override in postgresql.auto.conf away.",
        "tuning.parameters",
    ),
    _row(
        "data-directory-mismatch",
        r"PostgreSQL working directory '[^'\n]{0,300}' is not the same as option pg\d-path"
        r"|queried from cluster do not match version|unable to open missing file '[^'\n]{0,300}/global/pg_control'",
        "pg1-path is not the data directory of the server that was asked.",
        "Use the paths and the port that pgwizard writes, and remove overrides of pg1-path, pg1-port and "
        "data_directory.",
        "advanced.options",
    ),
    _row(
        "no-primary",
        r"unable to find primary cluster|\[DbConnectError\]",
        "pgBackRest cannot reach PostgreSQL over its socket: it is not up yet, or it is a standby.",
        "Wait until the pod is ready and run it again; PostgreSQL's log says why it is not.",
        rank=Rank.BROAD,
    ),
    _row(
        "postgresql-too-new",
        r"unexpected control version|unexpected WAL magic",
        "This pgBackRest is older than the PostgreSQL beside it and cannot read its files.",
        "Use an image with a newer pgBackRest: PostgreSQL 16 needs 2.46, 17 needs 2.53.1, 18 needs 2.55.",
        "images.postgresql",
    ),
    _row(
        "passphrase-missing",
        r"requires option: repo\d{1,3}-cipher-pass",
        "Encryption is on but the passphrase did not reach the container.",
        "Check the Secret and the key that repository.cipher names.",
        "repository.cipher",
    ),
    _row(
        "s3-keys-missing",
        r"requires option: repo\d{1,3}-s3-key",
        "The S3 key pair did not reach the container.",
        "Check the Secret and the keys that repository.credentials names.",
        "repository.credentials",
    ),
    _row(
        "option-missing",
        r"requires option: (?P<option>[a-z0-9-]{1,60})|key '(?P<empty>[a-z0-9-]{1,60})' must have a value",
        "pgBackRest lacks {option}{empty}: pgbackrest.conf is not mounted, has no section for the stanza, or an "
        "override emptied it.",
        "Apply again and compare /etc/pgbackrest/pgbackrest.conf in the pod with the ConfigMap.",
        "advanced.options",
    ),
    _row(
        "bucket-with-dots",
        r"'(?P<bucket>[^'\n]{1,100})' is not valid for option 'repo\d{1,3}-s3-bucket'",
        "The bucket's name {bucket} holds a dot, which pgBackRest takes from 2.58 on, and only with URI style path.",
        "Use a bucket without dots, or an image with pgBackRest 2.58 or newer.",
        "repository.bucket",
    ),
    _row(
        "block-is-beta",
        r"option 'repo\d{1,3}-block' (?:is )?not valid without option 'beta'",
        "Block incremental backup is still a trial in this pgBackRest.",
        "Set advanced.block to false, or use an image with pgBackRest 2.52.1 or newer.",
        "advanced.block",
    ),
    _row(
        "option-invalid",
        r"option '(?P<option>[a-z0-9-]{1,60})' (?:is )?not valid"
        r"|is (?:not valid|not allowed|out of range) for '?(?:option )?'?(?P<valued>[a-z0-9-]{1,60})'"
        r"|invalid option '--(?P<unknown>[a-z0-9-]{1,60})'",
        "This pgBackRest does not take {option}{valued}{unknown} like that: the value, or what it goes together with.",
        "Correct it in advanced.options, or use an image whose pgBackRest knows it.",
        "advanced.options",
        rank=Rank.BROAD,
    ),
    _row(
        "pgbackrest-as-root",
        r"must not be run as the root user",
        "pgBackRest refuses to run as root from 2.59 on.",
        "Run it as PostgreSQL's user: kubectl exec takes the pod's, so something set runAsUser to 0.",
        "images.postgresql",
    ),
    _row(
        "stopped",
        r"stop file exists for (?:all stanzas|stanza)",
        "Somebody ran pgbackrest stop, so no backup and no WAL goes to the repository.",
        "Run pgbackrest start in the pod.",
    ),
    _row(
        "terminated",
        r"terminated on signal",
        "pgBackRest was stopped from outside: the pod was replaced, or a deadline passed.",
        "Run it again; an interrupted backup is resumed.",
        rank=Rank.SYMPTOM,
    ),
    _row(
        "retention-unset",
        r"option 'repo\d{1,3}-retention-full' is not set",
        "No backup ever expires, so the bucket grows until it is full.",
        "Set retention.full.",
        "retention.full",
        rank=Rank.REMARK,
    ),
    _row(
        "option-unknown",
        r"environment contains invalid option '(?P<option>[^'\n]{1,60})'"
        r"|configuration file contains invalid option '(?P<filed>[^'\n]{1,60})'",
        "pgBackRest ignores {option}{filed}: it is mistyped, or this version does not know it.",
        "Correct it, or use an image whose pgBackRest knows it.",
        "advanced.options",
        rank=Rank.REMARK,
    ),
    _row(
        "configuration-late",
        r"in vain until the mounted pgbackrest\.conf is the new one",
        "The changed ConfigMap did not reach the running pod in time.",
        "Run it again; restart the pod where it stays so.",
    ),
    _row(
        "server-never-answered",
        r"in vain until the server answers",
        "PostgreSQL did not answer within the time that the first backup waits.",
        "Look at the log of the database's pod: it says why it does not start.",
        rank=Rank.SYMPTOM,
    ),
    _row(
        "certificate-key-missing",
        r"cp: cannot stat '/usr/local/share/ca-certificates/minio/",
        "The Secret with the trusted certificate lacks the key that was to be copied.",
        "Let tls.source.key name a key that the Secret holds, and apply again.",
        "tls.source",
    ),
)

_POSTGRESQL = (
    _row(
        "shared-memory",
        r"could not map anonymous shared memory|could not resize shared memory segment",
        "PostgreSQL did not get the shared memory that it asked for: shared_buffers or max_connections exceed what "
        "the pod may use, or huge pages are wanted that the node does not have.",
        "Raise tuning.memory, or lower shared_buffers; leave huge_pages off unless the node has them.",
        "tuning.memory",
    ),
    _row(
        "bus-error",
        r"Bus error|[Ee]xit ?[Cc]ode\"?:? ?135\b|terminated by signal 7\b",
        "Memory that was promised was not there: as a rule the node's huge pages, or a full /dev/shm.",
        "Leave huge_pages off unless the pod has a limit for them, and raise tuning.memory.",
        "tuning.memory",
    ),
    _row(
        "parameter-invalid",
        r"(?<!ERROR: )invalid value for parameter \"(?P<parameter>[^\"\n]{1,100})\""
        r"|unrecognized configuration parameter \"(?P<unknown>[^\"\n]{1,100})\" in file"
        r"|is outside the valid range for parameter \"(?P<ranged>[^\"\n]{1,100})\"",
        "PostgreSQL refuses {parameter}{unknown}{ranged} in postgresql.conf: it does not know it, or not this value.",
        "Correct it in tuning.parameters; images.postgresqlVersion must be the version in the image.",
        "tuning.parameters",
    ),
    _row(
        "data-directory-permissions",
        r"data directory \"(?P<path>[^\"\n]{1,300})\" has (?:wrong ownership|invalid permissions)"
        r"|could not (?:open|access the server) configuration file \"[^\"\n]{1,300}\": Permission denied"
        r"|could not (?:change permissions of|access) directory \"[^\"\n]{1,300}\": (?:Permission|Operation) "
        r"(?:denied|not permitted)",
        "The data directory belongs to another user, or others may read it; PostgreSQL refuses to start on it.",
        "It must belong to uid 999 with mode 0700: mend it once by a pod as root, or use a StorageClass that honours "
        "fsGroup.",
        "storage.storageClass",
    ),
    _row(
        "configuration-errors",
        r"configuration file \"[^\"\n]{1,300}\" contains errors|syntax error in file \"[^\"\n]{1,300}\" line",
        "postgresql.conf, or postgresql.auto.conf, has an error; the lines before name it.",
        "Correct tuning.parameters and apply again.",
        "tuning.parameters",
        rank=Rank.BROAD,
    ),
    _row(
        "data-of-another-version",
        r"database files are incompatible with server|initialized by PostgreSQL version (?P<data>[\d.]{1,10}), which",
        "The volume holds a database of another PostgreSQL version than the image's.",
        "Go back to an image of the old version. A new major version takes pg_upgrade, or a dump and a new volume.",
        "images.postgresql",
    ),
    _row(
        "data-directory-not-empty",
        r"directory \"(?P<path>[^\"\n]{1,300})\" exists but is not empty",
        "The volume already has files at {path}, but no database.",
        "Look what they are and move them away; then PostgreSQL creates its database.",
    ),
    _row(
        "wal-volume-full",
        r"pg_wal[^\n]{0,300}No space left on device",
        "The volume is full of WAL: archiving has failed for long, so PostgreSQL keeps it.",
        "Delete nothing by hand. Raise storage.size, then mend the archiving; the WAL goes away by itself.",
        "storage.size",
    ),
    _row(
        "volume-full",
        r"No space left on device",
        "The volume is full.",
        "Raise storage.size; where WAL fills it, mend the archiving and delete nothing by hand.",
        "storage.size",
    ),
    _row(
        "checkpoint-missing",
        r"could not locate (?:a valid|required|a required) checkpoint record",
        "The WAL that the database needs for its start is missing: a gap in the archive, or files deleted from pg_wal.",
        "Restore another backup set, or an earlier one; never run pg_resetwal on data that you need.",
    ),
    _row(
        "target-not-reached",
        r"recovery ended before configured recovery target was reached",
        "The target of the restore lies after the last archived WAL.",
        "Choose an earlier target, or restore to the end of the archive.",
    ),
    _row(
        "server-as-root",
        r"\"root\" execution of the PostgreSQL server is not permitted",
        "The container runs as root, which PostgreSQL refuses.",
        "Leave runAsUser at 999, and look for a webhook that changes pods.",
        "images.postgresql",
    ),
    _row(
        "password-missing",
        r"superuser password is not specified",
        "The first start got no password for the superuser.",
        "Check the Secret and the key that credentials names.",
        "credentials",
    ),
    _row(
        "out-of-memory",
        r"OOMKilled|was terminated by signal 9\b|FATAL: out of memory",
        "The container needed more memory than its limit and was killed.",
        "Raise tuning.memory, or lower shared_buffers, work_mem or the connections.",
        "tuning.memory",
    ),
    _row(
        "killed",
        r"[Ee]xit ?[Cc]ode\"?:? ?137\b",
        "The container was killed: it went beyond its memory limit, or did not stop in time.",
        "Raise tuning.memory where it happens at work; kubectl describe pod has the reason.",
        "tuning.memory",
        rank=Rank.BROAD,
    ),
    _row(
        "password-refused",
        r"password authentication failed for user \"(?P<user>[^\"\n]{1,100})\"",
        "The password of {user} is not the one in the database; a changed Secret does not change it.",
        "ALTER ROLE sets the database's to the Secret's.",
        "credentials",
        rank=Rank.BROAD,
    ),
)

_PULL = r"/v2/[^\"\n]{0,300}\": "  # a registry's API: what is asked of the API server fails alike

_IMAGES = (
    _row(
        "image-rate-limited",
        r"toomanyrequests",
        "The registry takes no more pulls from this address for now.",
        "Wait, log in by images.pullSecrets, or use a mirror.",
        "images.pullSecrets",
    ),
    _row(
        "image-unauthorized",
        r"pull access denied|insufficient_scope|failed to authorize:|denied: requested access|unauthorized: "
        r"|(?:Head|Get|HEAD request to|GET request to) \"?https?://[^\n]{0,300}: 40[13] (?:Unauthorized|Forbidden)",
        "The registry refuses the image: it is private and no login was given, or it does not exist.",
        "Name a Secret with the login in images.pullSecrets, and check the image's name.",
        "images.pullSecrets",
    ),
    _row(
        "image-platform",
        r"no match for platform in manifest|exec format error",
        "The image is not made for the processor of the node.",
        "Use an image that is built for it, or one for several platforms.",
        "images.postgresql",
    ),
    _row(
        "image-registry-unknown",
        rf"{_PULL}dial tcp: lookup (?P<host>[^\s:\"]{{1,255}})",
        "The node cannot resolve the registry's name {host}.",
        "Check the image's name; a node without a way out needs a mirror, or the image loaded beforehand.",
        "images.postgresql",
    ),
    _row(
        "image-registry-unreachable",
        rf"{_PULL}(?:dial tcp|EOF|net/http:|tls:|x509:|http: server gave HTTP response|context deadline exceeded)",
        "The node finds the registry but cannot pull from it: no connection, or a certificate that it does not trust.",
        "Check the node's way to the registry and the authorities that its container runtime trusts.",
        "images.postgresql",
    ),
    _row(
        "image-not-found",
        r"failed to resolve (?:reference|image) \"[^\"\n]{1,300}\": [^\"\s]{1,300}: not found|manifest unknown"
        r"|InvalidImageName",
        "The registry has no such image: the name or the tag is wrong.",
        "Correct the image: images.postgresql, or images.kubectl for the backup Jobs.",
        "images.postgresql",
    ),
    _row(
        "image-never-pulled",
        r"ErrImageNeverPull|with pull policy of Never",
        "The image is not on the node, and images.pullPolicy Never forbids to pull it.",
        "Set images.pullPolicy to IfNotPresent, or load the image onto every node.",
        "images.pullPolicy",
    ),
    _row(
        "image-pull",
        r"ErrImagePull|ImagePullBackOff|Back-off pulling image",
        "The node cannot pull the image.",
        "kubectl describe pod has the registry's words; check the image's name and images.pullSecrets.",
        "images.postgresql",
        rank=Rank.BROAD,
    ),
)

_PODS = (
    _row(
        "mount-key-missing",
        r"references non-existent (?:secret|config) key: ?(?P<key>[^\s,]{1,253})",
        "The pod mounts the key {key}, but its Secret or ConfigMap does not hold it.",
        "Let tls.source.key name a key that the Secret holds, and apply again.",
        "tls.source",
    ),
    _row(
        "mount-secret-missing",
        r"MountVolume\.SetUp failed for volume \"[^\"\n]{1,253}\" ?: secret \"(?P<secret>[^\"\n]{1,253})\" not found",
        "The pod mounts the Secret {secret}, which does not exist in its namespace.",
        "Apply again: the mirrored certificate is then written anew. tls.source names where it comes from.",
        "tls.source",
    ),
    _row(
        "mount-configmap-missing",
        r"(?:MountVolume\.SetUp failed for volume \"[^\"\n]{1,253}\" ?: |Error: )"
        r"configmap \"(?P<map>[^\"\n]{1,253})\" not found",
        "The pod wants the ConfigMap {map}, which does not exist in its namespace.",
        "Apply again: it is then written anew.",
    ),
    _row(
        "secret-key-missing",
        r"couldn't find key (?P<key>[^\s]{1,253}) in (?P<kind>Secret|ConfigMap) (?P<name>[^\s\",]{1,510})",
        "The {kind} {name} has no key {key}.",
        "Add the key, or name the right one in repository.credentials, repository.cipher or credentials.",
        "repository.credentials",
    ),
    _row(
        "lookup-forbidden",
        r"cannot (?:get|list) resource \"secrets\" in API group \"\" in the namespace \"(?P<space>[^\"\n]{1,63})\"",
        "You may not read Secrets in the namespace {space}, where the certificate or the key pair is.",
        "Ask for get on that Secret, or give the certificate as a file in tls.caFile.",
        "tls.source",
    ),
    _row(
        "exec-forbidden",
        r"cannot (?:create|get) resource \"pods/exec\"",
        "The ServiceAccount may not exec into the database's pod, so no backup can be started.",
        "Apply again: the Role is then written anew. Where a policy took the right away, ask for create on pods/exec.",
    ),
    _row(
        "forbidden",
        r"User \"(?P<user>[^\"\n]{1,300})\" cannot (?P<verb>[a-z]{1,30}) resource \"(?P<resource>[^\"\n]{1,100})\"",
        "{user} may not {verb} {resource}.",
        "Ask the cluster's administrator for a Role that allows it in this namespace.",
        rank=Rank.BROAD,
    ),
    _row(
        "namespace-missing",
        r"namespaces? \"(?P<space>[^\"\n]{1,63})\" not found",
        "The namespace {space} does not exist.",
        "Create it, or set release.createNamespace.",
        "release.namespace",
    ),
    _row(
        "secret-missing",
        r"(?i:\bsecrets?) \"(?P<secret>[^\"\n]{1,253})\" not found",
        "The Secret {secret} does not exist where it is looked for.",
        "Create it, or correct the Secret and its namespace in repository.credentials, tls.source or credentials.",
        "repository.credentials",
        rank=Rank.BROAD,
    ),
    _row(
        "image-runs-as-root",
        r"container has runAsNonRoot and image",
        "The image wants to run as root, or as a user without a number, which the pod forbids.",
        "Use an image that runs as uid 999, or a kubectl image with a numeric user.",
        "images.postgresql",
    ),
    _row(
        "pod-security",
        r"violates PodSecurity \"(?P<level>[^\"\n]{1,60})\"",
        "The namespace's Pod Security level {level} does not allow this pod. The release meets restricted, so "
        "something changed the pod.",
        "Look for a webhook or a hand-made change, or use a namespace with another level.",
        "release.namespace",
    ),
    _row(
        "admission-denied",
        r"admission webhook \"(?P<hook>[^\"\n]{1,253})\" denied the request",
        "The cluster's policy {hook} refused the object; its words follow on that line.",
        "Meet the policy, or ask its owner for an exception for this namespace.",
    ),
    _row(
        "container-missing",
        r"pods \"(?P<pod>[^\"\n]{1,253})\" not found|container not found \(\"|unable to upgrade connection",
        "The database's pod or its container was not running when a backup was to start.",
        "Wait until the pod is ready; its log says why it was not.",
        rank=Rank.SYMPTOM,
    ),
)

_RESOURCES = (
    _row(
        "quota-storage",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: [^\n]{0,300}?storage",
        "The namespace's quota {quota} has no room for a volume of this size.",
        "Lower storage.size, or have the quota raised.",
        "storage.size",
    ),
    _row(
        "quota-exceeded",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: (?P<asked>[^\n]{1,300}?)(?:, used|\n|$)",
        "The namespace's quota {quota} has no room for {asked}.",
        "Lower tuning.memory or resources.cpuRequest, or have the quota raised.",
        "tuning.memory",
    ),
    _row(
        "quota-needs-values",
        r"failed quota: (?P<quota>[^:\n]{1,253}): must specify (?P<asked>[^\n]{1,120})",
        "The namespace's quota {quota} wants every container to state {asked}.",
        "Have a LimitRange give defaults to containers that state none.",
    ),
    _row(
        "limit-range-storage",
        r"(?P<end>m(?:ax|in)imum) storage usage per PersistentVolumeClaim is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange sets a {end} of {limit} for a volume.",
        "Choose a storage.size within it, or have the LimitRange changed.",
        "storage.size",
    ),
    _row(
        "limit-range",
        r"(?P<end>m(?:ax|in)imum) (?P<what>[a-z-]{1,30}) usage per (?P<kind>\w{1,30}) is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange does not allow this much {what} for a {kind}: {end} {limit}.",
        "Choose tuning.memory and resources within it, or have the LimitRange changed.",
        "tuning.memory",
    ),
    _row(
        "limit-range-ratio",
        r"max limit to request ratio per (?P<kind>\w{1,30}) is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange lets the limit of a {kind} be at most {limit} times its request.",
        "Raise resources.memoryRequest or resources.cpuRequest, or have the LimitRange changed.",
        "resources.cpuRequest",
    ),
    _row(
        "node-memory",
        r"Insufficient memory",
        "No node has that much memory left to set aside.",
        "Lower tuning.memory or resources.memoryRequest, or add a larger node.",
        "tuning.memory",
    ),
    _row(
        "node-cpu",
        r"Insufficient cpu",
        "No node has that much CPU left to set aside.",
        "Lower resources.cpuRequest, or add a node.",
        "resources.cpuRequest",
    ),
    _row(
        "no-storage-class",
        r"no persistent volumes available for this claim and no storage class is set",
        "The cluster has no default StorageClass, and none was chosen.",
        "Name one in storage.storageClass.",
        "storage.storageClass",
    ),
    _row(
        "storage-class-missing",
        r"storageclass(?:es)?\.storage\.k8s\.io \"(?P<storage>[^\"\n]{1,253})\" not found",
        "The StorageClass {storage} does not exist.",
        "Name an existing one in storage.storageClass, or null for the cluster's default.",
        "storage.storageClass",
    ),
    _row(
        "volume-elsewhere",
        r"volume node affinity conflict",
        "The volume is in a zone or on a node where the pod cannot go.",
        "Make room where the volume is, or use a StorageClass that waits for the pod (WaitForFirstConsumer).",
        "storage.storageClass",
    ),
    _row(
        "volume-attach",
        r"Multi-Attach error|FailedAttachVolume|AttachVolume\.Attach failed|Unable to attach or mount volumes",
        "The volume cannot be attached: another node still holds it, or the storage driver fails.",
        "Wait some minutes after a node was lost; else look at the storage driver's pods.",
        "storage.storageClass",
        rank=Rank.BROAD,
    ),
    _row(
        "provisioning-failed",
        r"ProvisioningFailed|failed to provision volume",
        "The storage driver could not make the volume.",
        "The event's own words say why; check storage.size and storage.storageClass, and the driver's pods.",
        "storage.storageClass",
        rank=Rank.BROAD,
    ),
    _row(
        "claim-unbound",
        r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"\n]{1,253}\" not found",
        "The pod waits for its volume: nothing provides one for the claim.",
        "Look at the claim's events, and name a StorageClass with a provisioner in storage.storageClass.",
        "storage.storageClass",
        rank=Rank.BROAD,
    ),
    _row(
        "node-taints",
        r"node\(s\) had (?:untolerated )?taints?",
        "Every node that would do has a taint that the pod does not tolerate.",
        "Add a node for ordinary work, or take the taint away; a cordoned node or one under pressure has one too.",
        rank=Rank.BROAD,
    ),
    _row(
        "node-selector",
        r"node\(s\) didn't match Pod's node affinity/selector",
        "No node has the labels that the pod asks for.",
        "The release asks for none: look for a webhook that adds them, or label a node.",
        rank=Rank.BROAD,
    ),
    _row(
        "unschedulable",
        r"nodes are available:|Unschedulable",
        "No node takes the pod.",
        "kubectl describe pod has the scheduler's count of reasons.",
        rank=Rank.SYMPTOM,
    ),
    _row(
        "crash-loop",
        r"CrashLoopBackOff|Back-off restarting failed container",
        "The container ends soon after each start.",
        "kubectl logs --previous has its last words.",
        rank=Rank.SYMPTOM,
    ),
    _row(
        "probe-failed",
        r"(?:Readiness|Liveness|Startup) probe failed",
        "PostgreSQL does not answer yet: it starts, recovers, or hangs.",
        "Read the log of the database's pod.",
        rank=Rank.SYMPTOM,
    ),
    _row(
        "job-gave-up",
        r"DeadlineExceeded|BackoffLimitExceeded|Job has reached the specified backoff limit"
        r"|Job was active longer than specified deadline",
        "The Job was given up: it failed too often or ran too long.",
        "The log of its pod has the reason.",
        rank=Rank.SYMPTOM,
    ),
)

_MATTERS = (_TLS, _NETWORK, _S3, _REPOSITORY, _PGBACKREST, _POSTGRESQL, _IMAGES, _PODS, _RESOURCES)

ROWS: tuple[Row, ...] = tuple(row for rows in _MATTERS for row in rows)
"""All that is known; on one line and in one rank the earlier row wins."""

_PLACES = {row.key: (matter, row.rank) for matter, rows in enumerate(_MATTERS) for row in rows}
