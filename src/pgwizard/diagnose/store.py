"""What TLS, the network, S3 stores and pgBackRest report when they fail. Pure."""

from __future__ import annotations

from pgwizard.diagnose.row import Rank, row


def _s3(*codes: str) -> str:
    """An S3 error by its code: in the body of an answer, or in MinIO's header where a HEAD has no body."""
    return rf"(?:<Code>|x-minio-error-code: ?)(?:{'|'.join(codes)})\b"


_HOST = r"'(?P<host>[^'\n]{1,300})'"  # newer versions add the address: 'minio.minio.svc:9000 (10.0.0.1)'
_CERTIFICATE_REFUSAL = rf"unable to verify certificate presented by {_HOST}:"

TLS = (
    row(
        "certificate-unknown-authority",
        rf"{_CERTIFICATE_REFUSAL} \[20\]",
        "The certificate of {host} was signed by an authority that is not trusted here, or the server does not send "
        "its intermediate certificate.",
        "Let tls.source name the Secret and key with the root that signed it (often ca.crt), and let the server send "
        "its whole chain.",
        "tls.source",
    ),
    row(
        "certificate-self-signed",
        rf"{_CERTIFICATE_REFUSAL} \[18\]",
        "{host} presents a self-signed certificate that is not trusted here: none is configured, it is another one, "
        "or the server's was reissued after it was copied.",
        "Set tls.source to the Secret with that certificate (tls.crt), and apply again so that a new one is copied.",
        "tls.source",
    ),
    row(
        "certificate-unknown-root",
        rf"{_CERTIFICATE_REFUSAL} \[19\]",
        "{host} sends a complete chain, but the root at its end is not trusted here.",
        "Set tls.source to the Secret and key that hold this root (often ca.crt).",
        "tls.source",
    ),
    row(
        "certificate-intermediate-only",
        rf"{_CERTIFICATE_REFUSAL} \[2\]",
        "What is trusted for {host} is an intermediate certificate; pgBackRest wants the root above it too.",
        "Add the root to the certificates under the key that tls.source names.",
        "tls.source",
    ),
    row(
        "certificate-expired",
        rf"{_CERTIFICATE_REFUSAL} \[10\]",
        "The certificate of {host}, or one above it, has expired; or the clock of the node is ahead.",
        "Renew it on the server and apply again, so that the copy is the new one. Check the node's clock.",
    ),
    row(
        "certificate-not-yet-valid",
        rf"{_CERTIFICATE_REFUSAL} \[9\]",
        "The certificate of {host} is not valid yet: usually the clock of the node is behind.",
        "Set the node's clock by NTP, or wait until the certificate begins.",
    ),
    row(
        "certificate-refused",
        rf"{_CERTIFICATE_REFUSAL}",
        "The certificate of {host} was refused.",
        "Compare the server's certificate with the one that tls.source names.",
        "tls.source",
        rank=Rank.BROAD,
    ),
    row(
        "certificate-without-address",
        r"unable to find hostname '(?P<host>[0-9.]{7,15}|[0-9A-Fa-f:]{2,39})' in certificate",
        "The endpoint is the address {host}: the certificate does not name it, or pgBackRest is older than 2.53 and "
        "does not look for addresses.",
        "Use the name that the certificate holds as the endpoint, such as minio.minio.svc:9000.",
        "repository.endpoint",
    ),
    row(
        "certificate-other-name",
        r"unable to find hostname '(?P<host>[^'\n]{1,300})' in certificate",
        "The server's certificate does not name {host}.",
        "Use a name that the certificate holds as the endpoint, or issue it for {host}. Should the name begin with "
        "the bucket's, set repository.uriStyle to path.",
        "repository.endpoint",
    ),
    row(
        "certificate-file-unusable",
        r"unable to set user-defined CA certificate location: \[\d{1,20}\]",
        "The file of trusted certificates is missing, cannot be read, or is not PEM (DER is not understood).",
        "Check that the Secret and key of tls.source exist and hold a certificate that begins with BEGIN CERTIFICATE.",
        "tls.source",
    ),
    row(
        "plain-http",
        r"TLS error \[\d{1,5}:\d{1,20}\] (?:wrong version number|packet length too long|http request)",
        "That port speaks plain HTTP, not TLS. tls.verify: false does not change that: it skips the check, not the "
        "encryption.",
        "Turn TLS on at the S3 server, or use its TLS port; an http:// endpoint needs pgBackRest 2.58.",
        "repository.endpoint",
    ),
    row(
        "http-endpoint",
        r"expected protocol 'https' in URL",
        "The endpoint begins with http://, which pgBackRest knows from 2.58 on.",
        "Use TLS, or an image with pgBackRest 2.58 or newer.",
        "repository.endpoint",
    ),
    row(
        "tls-failed",
        r"TLS error \[\d{1,5}:\d{1,20}\]|unable to negotiate TLS connection",
        "The TLS handshake with the S3 server failed before any certificate was compared.",
        "Check that the endpoint is the S3 API's TLS port, and that the server allows TLS 1.2 or 1.3.",
        "repository.endpoint",
        rank=Rank.BROAD,
    ),
)

NETWORK = (
    row(
        "bucket-in-host-name",
        # a Service's name has three labels up to svc; a fourth is the bucket, unless it is a pod of a StatefulSet
        r"unable to get address for '(?P<bucket>[a-z0-9][a-z0-9-]{1,61}(?<!-\d)(?<!-\d\d))\."
        r"(?P<host>[a-z0-9-]{1,63}\.[a-z0-9-]{1,63}\.svc[^'\n]{0,200})'",
        "pgBackRest put the bucket into the host name, {bucket}.{host}, and no such name exists.",
        "Set repository.uriStyle to path: requests then go to {host}/{bucket}.",
        "repository.uriStyle",
    ),
    row(
        "unknown-host",
        rf"unable to get address for {_HOST}",
        "The name {host} cannot be resolved from inside the pod: it is wrong, its namespace is, or the pod may not "
        "reach the cluster's DNS.",
        "Write the endpoint as service.namespace.svc:port and allow DNS in any NetworkPolicy. Should the name begin "
        "with the bucket's, set repository.uriStyle to path.",
        "repository.endpoint",
    ),
    row(
        "connection-refused",
        rf"unable to connect to {_HOST}: \[111\]",
        "Nothing listens at {host}: the port is wrong, or the S3 server is down.",
        "Give the S3 API's port in the endpoint (MinIO: 9000; without one it is 443), and check that the server runs.",
        "repository.endpoint",
    ),
    row(
        "connection-timeout",
        r"timeout connecting to '(?P<host>[^'\n]{1,300})'"
        r"|unable to connect to '(?P<peer>[^'\n]{1,300})': \[(?:110|113|101)\]",
        "{host}{peer} does not answer: a NetworkPolicy or a firewall drops the packets, or there is no route.",
        "Allow egress from the namespace to the endpoint and its port, and check the address.",
        "repository.endpoint",
    ),
)

S3 = (
    row(
        "s3-unknown-key",
        _s3("InvalidAccessKeyId", "InvalidTokenId", "InvalidToken", "ExpiredToken"),
        "The S3 store does not know this access key: it is mistyped, was deleted or disabled, or belongs to another "
        "tenant.",
        "Put a valid key pair into the Secret that repository.credentials names.",
        "repository.credentials",
    ),
    row(
        "s3-wrong-secret",
        _s3("SignatureDoesNotMatch"),
        "The access key is known, but the secret key does not belong to it: mistyped, or stored with a line break or "
        "a blank at its end. A proxy that rewrites the Host header looks the same.",
        "Create the Secret again from the exact value (printf %s, never echo); a proxy must pass Host unchanged.",
        "repository.credentials",
    ),
    row(
        "s3-clock-skew",
        _s3("RequestTimeTooSkewed"),
        "The clocks of the node and of the S3 server are more than 15 minutes apart.",
        "Set both by NTP. An upload that stalls for that long causes the same error.",
    ),
    row(
        "s3-delete-denied",
        r"unable to remove file '[^'\n]{1,500}': \[AccessDenied\]",
        "The key pair may write but not delete, so old backups cannot expire.",
        "Allow s3:DeleteObject on the repository's path in the key's policy.",
        "repository.credentials",
    ),
    row(
        "s3-access-denied",
        _s3("AccessDenied", "AllAccessDisabled"),
        "The key pair is valid, but its policy does not allow this request.",
        "Allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on the repository's "
        "path.",
        "repository.credentials",
    ),
    row(
        "s3-no-bucket",
        _s3("NoSuchBucket", "InvalidBucketName"),
        "The bucket does not exist; pgBackRest never creates one. A store that expects the other URI style reports the "
        "same.",
        "Create the bucket, or correct repository.bucket; MinIO wants repository.uriStyle path.",
        "repository.bucket",
    ),
    row(
        "s3-wrong-region",
        _s3("AuthorizationHeaderMalformed", "InvalidRegion"),
        "The region in the signature is not the region of the S3 server.",
        "Set repository.region to the server's (MinIO: MINIO_SITE_REGION; where that is unset it takes any).",
        "repository.region",
    ),
    row(
        "s3-moved",
        _s3("PermanentRedirect", "TemporaryRedirect") + r"|HTTP request failed with 30[1278]\b",
        "The S3 server redirects the request: the bucket is in another region.",
        "Use the endpoint and the region of the bucket.",
        "repository.endpoint",
    ),
    row(
        "s3-quota-full",
        _s3("XMinioAdminBucketQuotaExceeded", "QuotaExceeded"),
        "The bucket's quota is used up. Until there is room, WAL piles up on the database's volume.",
        "Raise the bucket's quota, or keep fewer full backups.",
        "retention.full",
    ),
    row(
        "s3-full",
        r"\[507\] Insufficient Storage|" + _s3("XMinioStorageFull"),
        "The S3 store is full. Until there is room, WAL piles up on the database's volume.",
        "Make room in the store, or keep fewer full backups.",
        "retention.full",
    ),
    row(
        "s3-overloaded",
        r"\[503\] Service Unavailable|" + _s3("SlowDown[A-Za-z]{0,20}", "XMinioServerNotInitialized"),
        "The S3 store is overloaded or still starting; pgBackRest's retries failed.",
        "Look at the store and run it again. Bundled files and fewer processes (advanced.processMax) reduce the load.",
        "advanced.processMax",
    ),
    row(
        "not-s3",
        r"last modified missing|invalid xml in \d{1,12} byte"
        r"|key/value found outside of section at line 1: ?<(?:html|!|\?xml|head)",
        "The endpoint answers, but it is not an S3 API: MinIO's console, or the login page of an ingress.",
        "Use the port of the S3 API (MinIO: 9000, not the console's 9001).",
        "repository.endpoint",
    ),
    row(
        "s3-forbidden",
        r"HTTP request failed with 40[13]\b",
        "The S3 store refused the request and did not say why: access key, secret key, clock or policy.",
        "Check the key pair first, then its policy for this bucket. The log of the store may say why.",
        "repository.credentials",
        rank=Rank.BROAD,
    ),
    row(
        "s3-bad-request",
        r"HTTP request failed with 400\b",
        "The S3 store found the request malformed and did not say why; most often it is the region.",
        "Set repository.region to the server's.",
        "repository.region",
        rank=Rank.BROAD,
    ),
    row(
        "s3-not-found",
        r"HTTP request failed with 404\b",
        "The S3 store does not have what was requested: the bucket is missing, or the endpoint is another service.",
        "Check repository.bucket and repository.endpoint.",
        "repository.bucket",
        rank=Rank.BROAD,
    ),
)

REPOSITORY = (
    row(
        "repository-of-another-cluster",
        r"info files? exists? but do(?:es)? not match the database|do not match (?:repo\d{1,3} )?stanza version"
        r"|the repository path holds the backups of another cluster",
        "The repository's path holds the backups of another database: of a volume that was recreated, of a clone, "
        "or of another release.",
        "Choose another repository.path. Never run stanza-upgrade here: it would mix two databases.",
        "repository.path",
    ),
    row(
        "repository-half-missing",
        r"\b(?P<there>backup|archive)\.info exists but (?P<gone>archive|backup)\.info is missing",
        "{gone}.info is gone while {there}.info is there: a lifecycle rule or a person deleted a part of the "
        "repository.",
        "Bring the object back from the bucket's versions and exempt the path from lifecycle rules; or choose another "
        "repository.path.",
        "repository.path",
    ),
    row(
        "repository-not-empty",
        r"\b(?P<part>archive|backup) directory [^\n]{0,300}?not empty",
        "The repository's {part} directory has files but its info files are gone: a lifecycle rule or a person "
        "deleted them.",
        "Bring them back from the bucket's versions, or choose another repository.path.",
        "repository.path",
    ),
    row(
        "repository-encrypted",
        r"key/value found outside of section at line 1: ?Salted__",
        "The repository is encrypted and no passphrase was given.",
        "Set repository.cipher to the passphrase of the first backup.",
        "repository.cipher",
    ),
    row(
        "repository-not-encrypted",
        r"cipher header invalid",
        "A passphrase was given, but the repository is not encrypted; the first backup settles that for good.",
        "Set repository.cipher to null, or choose another repository.path for an encrypted one.",
        "repository.cipher",
    ),
    row(
        "repository-wrong-passphrase",
        r"key/value found outside of section at line 1:(?! ?(?:Salted__|<))|CryptoError\]?:? unable to flush",
        "The repository is encrypted with another passphrase: what was read is garbage.",
        "Set repository.cipher to the passphrase of the first backup.",
        "repository.cipher",
    ),
    row(
        "no-stanza",
        r"unable to open missing file '[^'\n]{0,500}/(?:archive|backup)\.info|missing stanza (?:path|data)"
        r"|unable to load info file '[^'\n]{0,500}'[^\n]{0,700}FileMissingError",
        "There is no stanza at the repository's path: it was never created, the bucket or the path is another one, or "
        "a lifecycle rule deleted it.",
        "Compare bucket and path with what they were; if they are the same, delete the Job whose name ends in "
        "-pgbackrest-init. Then apply again: it creates the stanza.",
        "repository.path",
        rank=Rank.BROAD,
    ),
    row(
        "no-backup",
        r"no backup set found to restore|unable to find backup set|\(no valid backups\)",
        "The repository holds no backup that fits.",
        "Take a full backup, or choose an existing backup or a later target for the restore.",
        rank=Rank.BROAD,
    ),
    row(
        "restore-while-running",
        r"unable to restore while PostgreSQL is running",
        "A server runs on the volume, or one was killed and left postmaster.pid behind.",
        "Find out whether another pod mounts the volume; pgwizard restore deletes the file once there is none.",
    ),
    row(
        "backup-expired",
        r"backup set [-0-9A-Z_]{1,64} is not valid",
        "The backup of the restore is no longer in the repository: it has expired.",
        "Choose another backup or target.",
    ),
    row(
        "backup-file-missing",
        r"unable to open missing file '[^'\n]{0,500}/backup/[^'/\n]{1,100}/\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?/",
        "A file of the backup is gone from the repository: a lifecycle rule of the bucket, or a person, deleted it.",
        "Restore an earlier backup, take a full backup, and find out what deletes files.",
    ),
    row(
        "backup-file-damaged",
        r"unexpected eof in compressed data|zlib threw error: \[-\d{1,3}\]|\[FormatError\] on retry"
        r"|error restoring '[^'\n]{0,500}': actual checksum",
        "A file in the repository is damaged or cut short.",
        "Restore an earlier backup; pgwizard verify names every damaged file.",
    ),
    row(
        "restore-time-form",
        r"automatic backup set selection cannot be performed with provided time",
        "pgBackRest does not take a time in this form, so it cannot choose a backup.",
        "Give it as 'YYYY-MM-DD HH:MM:SS+00', with an offset; pgwizard restore does that itself.",
    ),
    row(
        "restore-into-files",
        r"unable to restore to path '[^'\n]{0,300}' because it contains files",
        "The data directory has files, and pgbackrest restore was run without --delta.",
        "Add --delta, which keeps what fits the backup and deletes the rest; pgwizard restore does that itself.",
    ),
    row(
        "backup-of-another-timeline",
        r"backup timeline \d{1,10}, lsn [0-9A-F/]{1,20} is not in the history|forked from backup timeline",
        "The backup does not lead to the timeline of the restore: the server left it in an earlier restore.",
        "Choose another backup or target; pgwizard restore chooses both.",
    ),
    row(
        "wal-duplicate",
        r"already exists in the repo\d{1,3} archive with a different checksum",
        "Two databases write WAL to one repository, or the volume was set back to an older snapshot.",
        "Stop the second one, and give this one a repository.path of its own.",
        "repository.path",
    ),
    row(
        "wal-dropped",
        r"dropped WAL file '(?P<wal>[^'\n]{1,100})' because archive queue exceeded",
        "WAL was dropped because the queue for the archive was full: no restore reaches beyond {wal} until the next "
        "full backup.",
        "Repair archiving, take a full backup now, and reconsider advanced.archivePushQueueMax.",
        "advanced.archivePushQueueMax",
        rank=Rank.BROAD,
    ),
    row(
        "wal-push-timeout",
        r"unable to push WAL file '[^'\n]{1,100}' to the archive asynchronously after \d{1,9} second",
        "WAL was not archived in time by the background process: it is too slow, or fails for a reason that is in "
        "its own log.",
        "Read the log file that the hint names, or turn advanced.archiveAsync off to see the reason.",
        "advanced.archiveAsync",
        rank=Rank.SYMPTOM,
    ),
    row(
        "wal-not-archived",
        r"WAL segment \S{1,60} was not archived before the \d{1,12}ms timeout|archive command failed with exit code",
        "PostgreSQL does not get its WAL into the repository: archive_command fails or is too slow.",
        "PostgreSQL's log has the error of archive-push that explains it. After a fix it may take a minute until it "
        "tries again.",
        rank=Rank.SYMPTOM,
    ),
)

PGBACKREST = (
    row(
        "lock-permission",
        r"unable to acquire lock on file '(?P<file>[^'\n]{1,300})': Permission denied",
        "The lock file {file} belongs to another user: pgBackRest ran as root or in another container before.",
        "Remove that file and run pgBackRest only as PostgreSQL's own user.",
    ),
    row(
        "lock-held",
        r"unable to acquire lock on file|unable to acquire pgBackRest advisory lock|the lock was held for \d{1,6} s",
        "Another backup, or the background archiver, is running.",
        "Wait for it and try again. If it keeps happening, move the schedules further apart.",
        "schedule.incremental",
        rank=Rank.BROAD,
    ),
    row(
        "archive-command-other",
        r"archive_command '(?P<command>[^'\n]{0,300})' must contain pgbackrest",
        "archive_command is '{command}', so no WAL reaches the repository: the new settings were not loaded, or "
        "something overrides them.",
        "Restart the pod. ALTER SYSTEM RESET archive_command removes an override from postgresql.auto.conf.",
        "tuning.parameters",
    ),
    row(
        "archive-mode-off",
        r"archive_mode must be enabled",
        "archive_mode is off in the running server: it needs a restart, or something overrides it.",
        "Restart the pod. ALTER SYSTEM RESET archive_mode removes an override from postgresql.auto.conf.",
        "tuning.parameters",
    ),
    row(
        "data-directory-mismatch",
        r"PostgreSQL working directory '[^'\n]{0,300}' is not the same as option pg\d-path"
        r"|queried from cluster do not match version|unable to open missing file '[^'\n]{0,300}/global/pg_control'",
        "pg1-path is not the data directory of the server that answered.",
        "Use the paths and the port that pgwizard writes, and remove overrides of pg1-path, pg1-port and "
        "data_directory.",
        "advanced.options",
    ),
    row(
        "no-primary",
        r"unable to find primary cluster|\[DbConnectError\]",
        "pgBackRest cannot reach PostgreSQL over its socket: it is not up yet, or it is a standby.",
        "Wait until the pod is ready and run it again; PostgreSQL's log says why it is not.",
        rank=Rank.BROAD,
    ),
    row(
        "postgresql-too-new",
        r"unexpected control version|unexpected WAL magic",
        "This pgBackRest is older than the PostgreSQL beside it and cannot read its files.",
        "Use an image with a newer pgBackRest: PostgreSQL 16 needs 2.46, 17 needs 2.53.1, 18 needs 2.55.",
        "images.postgresql",
    ),
    row(
        "passphrase-missing",
        r"requires option: repo\d{1,3}-cipher-pass",
        "Encryption is on but the passphrase did not reach the container.",
        "Check the Secret and the key that repository.cipher names.",
        "repository.cipher",
    ),
    row(
        "s3-keys-missing",
        r"requires option: repo\d{1,3}-s3-key",
        "The S3 key pair did not reach the container.",
        "Check the Secret and the keys that repository.credentials names.",
        "repository.credentials",
    ),
    row(
        "option-missing",
        r"requires option: (?P<option>[a-z0-9-]{1,60})|key '(?P<empty>[a-z0-9-]{1,60})' must have a value",
        "pgBackRest lacks {option}{empty}: pgbackrest.conf is not mounted, has no section for the stanza, or an "
        "override emptied it.",
        "Apply again and compare /etc/pgbackrest/pgbackrest.conf in the pod with the ConfigMap.",
        "advanced.options",
    ),
    row(
        "bucket-with-dots",
        r"'(?P<bucket>[^'\n]{1,100})' is not valid for option 'repo\d{1,3}-s3-bucket'",
        "The bucket's name {bucket} holds a dot, which pgBackRest takes from 2.58 on, and only with URI style path.",
        "Use a bucket without dots, or an image with pgBackRest 2.58 or newer.",
        "repository.bucket",
    ),
    row(
        "block-is-beta",
        r"option 'repo\d{1,3}-block' (?:is )?not valid without option 'beta'",
        "Block incremental backup is experimental in this pgBackRest.",
        "Set advanced.block to false, or use an image with pgBackRest 2.52.1 or newer.",
        "advanced.block",
    ),
    row(
        "option-invalid",
        r"option '(?P<option>[a-z0-9-]{1,60})' (?:(?:is )?not valid|cannot be set multiple times)"
        r"|(?:not valid|is not allowed|is out of range|must begin with /|cannot contain //|must be >= 1 character) for "
        r"'?(?:option )?'?(?P<valued>[a-z0-9-]{1,60})'"
        r"|boolean option '(?:--)?(?P<flag>[a-z0-9-]{1,60})' (?:argument )?must be"
        r"|environment variable '(?P<variable>[a-z0-9-]{1,60})' must have a value"
        r"|invalid option '--(?P<unknown>[a-z0-9-]{1,60})'",
        "This pgBackRest does not take {option}{valued}{flag}{variable}{unknown}: the value is wrong, or does not fit "
        "another option.",
        "Correct it in advanced.options, or use an image whose pgBackRest knows it.",
        "advanced.options",
        rank=Rank.BROAD,
    ),
    row(
        "pgbackrest-as-root",
        r"must not be run as the root user",
        "pgBackRest refuses to run as root from 2.59 on.",
        "Run it as PostgreSQL's user: kubectl exec uses the pod's user, so something set runAsUser to 0.",
        "images.postgresql",
    ),
    row(
        "stopped",
        r"stop file exists for (?:all stanzas|stanza)",
        "pgbackrest stop was run, so no backup and no WAL goes to the repository.",
        "Run pgbackrest start in the pod.",
    ),
    row(
        "terminated",
        r"terminated on signal",
        "pgBackRest was stopped from outside: the pod was replaced, or a deadline passed.",
        "Run it again; an interrupted backup is resumed.",
        rank=Rank.SYMPTOM,
    ),
    row(
        "retention-unset",
        r"option 'repo\d{1,3}-retention-full' is not set",
        "No backup ever expires, so the bucket grows until it is full.",
        "Set retention.full.",
        "retention.full",
        rank=Rank.REMARK,
    ),
    row(
        "option-unknown",
        r"environment contains invalid option '(?P<option>[^'\n]{1,60})'"
        r"|configuration file contains invalid option '(?P<filed>[^'\n]{1,60})'",
        "pgBackRest ignores {option}{filed}: it is mistyped, or this version does not know it.",
        "Correct it, or use an image whose pgBackRest knows it.",
        "advanced.options",
        rank=Rank.REMARK,
    ),
    row(
        "configuration-late",
        r"in vain until the mounted pgbackrest\.conf is the new one",
        "The changed ConfigMap did not reach the running pod in time.",
        "Run it again. If that fails too, restart the pod.",
    ),
    row(
        "server-never-answered",
        r"in vain until the server answers",
        "PostgreSQL did not answer within the time that the first backup waits.",
        "Look at the log of the database's pod: it says why it does not start.",
        rank=Rank.SYMPTOM,
    ),
    row(
        "certificate-key-missing",
        r"cp: cannot stat '/usr/local/share/ca-certificates/minio/",
        "The Secret with the trusted certificate lacks the key that was to be copied.",
        "Set tls.source.key to a key that the Secret holds, and apply again.",
        "tls.source",
    ),
)
