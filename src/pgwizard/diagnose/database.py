"""What PostgreSQL reports when it fails. Pure."""

from __future__ import annotations

from pgwizard.diagnose.row import Rank, row

_SESSIONS = "|".join(
    [
        "the database system is ",
        "terminating ",
        "password authentication ",
        "Peer authentication ",
        "no pg_hba.conf entry ",
        "pg_hba.conf rejects ",
        '(?:role|database) "',
        "permission denied for ",
        "sorry, too many clients",
        "(?:remaining|too many) connection",
        "cannot(?: connect| execute)",
        "canceling ",
        "connection to client lost",
        "unsupported frontend protocol",
        "invalid (?:startup packet|command-line arg)",
        "unrecognized configuration parameter",
        "must be superuser to ",
        "could not (?:receive data|connect to|send)",
        "archive command failed",
        "out of memory",
        "configuration file ",
        "invalid value for parameter",
    ]
)
"""How the FATAL lines begin that end one session or one helper, not the server; and those with a row of their own."""

POSTGRESQL = (
    row(
        "shared-memory",
        r"could not map anonymous shared memory|could not resize shared memory segment",
        "PostgreSQL did not get the shared memory that it asked for: shared_buffers or max_connections exceed what "
        "the pod may use, or huge pages are wanted that the node does not have.",
        "Raise tuning.memory, or lower shared_buffers, max_locks_per_transaction or max_prepared_transactions; leave "
        "huge_pages off unless the node has them.",
        "tuning.memory",
    ),
    row(
        "bus-error",
        r"Bus error|[Ee]xit ?[Cc]ode\"?:? ?135\b|terminated by signal 7\b",
        "Memory that PostgreSQL had reserved was not available: usually the node's huge pages, or a full /dev/shm.",
        "Leave huge_pages off unless the pod has a limit for them, and raise tuning.memory.",
        "tuning.memory",
    ),
    row(
        "too-many-processes",
        r"FATAL: too many (?:backends|server processes) configured"
        r"|invalid value for parameter \"(?:autovacuum_max_workers|max_worker_processes|max_wal_senders)\": \d",
        "The sum of connections, autovacuum workers, worker processes and WAL senders is above 262143.",
        "Lower autovacuum_max_workers, max_worker_processes or max_wal_senders in tuning.parameters, or "
        "tuning.connections.",
        "tuning.parameters",
    ),
    row(
        "parameter-invalid",
        r"(?<!ERROR: )invalid value for parameter \"(?P<parameter>[^\"\n]{1,100})\""
        r"|unrecognized configuration parameter \"(?P<unknown>[^\"\n]{1,100})\" in file"
        r"|is outside the valid range for parameter \"(?P<ranged>[^\"\n]{1,100})\"",
        "PostgreSQL refuses {parameter}{unknown}{ranged} in postgresql.conf: it does not know it, or not this value.",
        "Correct it in tuning.parameters; images.postgresqlVersion must be the version in the image.",
        "tuning.parameters",
    ),
    row(
        "session-library-missing",
        r"connection to server [^\n]{1,300}? failed: FATAL: could not (?:access file|load library) "
        r"\"(?P<library>[^\"\n]{1,200})\""
        r"|FATAL: could not (?:access file|load library) \"(?P<local>\$libdir/plugins/[^\"\n]{1,180})\"",
        "Every connection fails: the image has no library {library}{local}, which session_preload_libraries or "
        "local_preload_libraries loads.",
        "Correct session_preload_libraries or local_preload_libraries in tuning.parameters, or use an image with that "
        "extension.",
        "tuning.parameters",
    ),
    row(
        "session-timeout",
        r"canceling statement due to (?P<statement>statement|lock) timeout"
        r"|terminating connection due to (?P<session>idle-session|idle-in-transaction|transaction) timeout",
        "PostgreSQL ended the session by a timeout of its own: the {statement}{session} timeout is too short.",
        "Raise it in tuning.parameters (a bare number counts milliseconds), or set it by ALTER ROLE for applications "
        "alone.",
        "tuning.parameters",
    ),
    row(
        "library-missing",
        r"FATAL: could not (?:access file|load library) \"(?P<library>[^\"\n]{1,200})\"",
        "The image has no library {library}, which shared_preload_libraries loads at each start, or "
        "session_preload_libraries at each connection.",
        "Correct the one of them in tuning.parameters that names it (names alone, without quotes), or use an image "
        "with that extension.",
        "tuning.parameters",
    ),
    row(
        "extension-library-missing",
        r"ERROR: {1,2}could not (?:access file|load library) \"(?P<library>[^\"\n]{1,200})\"",
        "The image has no library {library}, which an extension or a function of the database loads when it is used.",
        "Use an image with that extension (images.postgresql).",
        "images.postgresql",
    ),
    row(
        "server-certificate-unusable",
        r"FATAL: could not load (?:server certificate|root certificate) file \"(?P<file>[^\"\n]{1,300})\""
        r"|FATAL: could not (?:load|access) private key file \"(?P<key>[^\"\n]{1,300})\""
        r"|FATAL: private key file \"(?P<shared>[^\"\n]{1,300})\" (?:has group or world access|must be owned by)",
        "ssl is on, and PostgreSQL cannot use {file}{key}{shared}.",
        "Take ssl out of tuning.parameters: the release mounts no certificate for PostgreSQL. Or put the files into "
        "the data directory first.",
        "tuning.parameters",
    ),
    row(
        "log-file-unwritable",
        r"FATAL: could not open log file \"(?P<file>[^\"\n]{1,300})\"",
        "logging_collector is on, and PostgreSQL cannot write {file}.",
        "Take logging_collector and log_directory out of tuning.parameters: the log then goes to the container's "
        "output.",
        "tuning.parameters",
    ),
    row(
        "start-refused",
        rf"FATAL: (?!{_SESSIONS})(?P<reason>[^\n]{{1,300}})"
        r"|postgres: (?P<checked>\w{1,63} \(\d{1,10}\) must be less than [^\n]{1,100})",
        "PostgreSQL ended by itself: {reason}{checked}.",
        "Correct the parameter that the line is about in tuning.parameters and apply again.",
        "tuning.parameters",
        rank=Rank.BROAD,
    ),
    row(
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
    row(
        "configuration-errors",
        r"configuration file \"[^\"\n]{1,300}\" contains errors|syntax error in file \"[^\"\n]{1,300}\" line",
        "postgresql.conf, or postgresql.auto.conf, has an error; the lines before name it.",
        "Correct tuning.parameters and apply again.",
        "tuning.parameters",
        rank=Rank.BROAD,
    ),
    row(
        "data-of-another-version",
        r"database files are incompatible with server|initialized by PostgreSQL version (?P<data>[\d.]{1,10}), which",
        "The volume holds a database of another PostgreSQL version than the image's.",
        "Go back to an image of the old version. A new major version needs pg_upgrade, or a dump and a new volume.",
        "images.postgresql",
    ),
    row(
        "data-directory-not-empty",
        r"directory \"(?P<path>[^\"\n]{1,300})\" exists but is not empty",
        "The volume already has files at {path}, but no database.",
        "Check what they are and move them away; PostgreSQL then creates its database.",
    ),
    row(
        "wal-volume-full",
        r"pg_wal[^\n]{0,300}No space left on device",
        "The volume is full of WAL: archiving has failed for long, so PostgreSQL keeps it.",
        "Delete nothing by hand. Raise storage.size, then repair archiving; PostgreSQL then removes the WAL.",
        "storage.size",
    ),
    row(
        "volume-full",
        r"No space left on device",
        "The volume is full.",
        "Raise storage.size. If WAL fills it, repair archiving and delete nothing by hand.",
        "storage.size",
    ),
    row(
        "checkpoint-missing",
        r"could not locate (?:a valid|required|a required) checkpoint record",
        "The WAL that the database needs for its start is missing: a gap in the archive, or files deleted from pg_wal.",
        "Restore another backup set, or an earlier one; never run pg_resetwal on data that you need.",
    ),
    row(
        "target-not-reached",
        r"recovery ended before configured recovery target was reached",
        "The target of the restore lies after the last archived commit, behind a missing WAL segment, or on another "
        "timeline.",
        "Choose an earlier target, or restore to the end of the archive.",
    ),
    row(
        "timeline-not-child",
        r"requested timeline \d{1,10} is not a child of this server's history",
        "The backup does not lead to the timeline of the restore: the server left it in an earlier restore.",
        "Choose another backup or target; pgwizard restore chooses both.",
    ),
    row(
        "target-inside-backup",
        r"requested recovery stop point is before consistent recovery point",
        "The target of the restore lies before the end of the backup that was chosen.",
        "Choose an earlier backup, or a later target.",
    ),
    row(
        "recovery-parameters",
        r"recovery aborted because of insufficient parameter settings",
        "The server's limits, such as max_connections, are lower than they were when the WAL was written.",
        "Raise them to the values in the log, and restore again.",
        "tuning.parameters",
    ),
    row(
        "restore-incomplete",
        r"could not find the database system|expected to find it in the directory",
        "The data directory is only half restored: a restore was interrupted.",
        "Run the restore again: it continues where it stopped.",
    ),
    row(
        "server-as-root",
        r"\"root\" execution of the PostgreSQL server is not permitted",
        "The container runs as root, which PostgreSQL refuses.",
        "Leave runAsUser at 999, and look for a webhook that changes pods.",
        "images.postgresql",
    ),
    row(
        "password-missing",
        r"superuser password is not specified",
        "The first start got no password for the superuser.",
        "Check the Secret and the key that credentials names.",
        "credentials",
    ),
    row(
        "out-of-memory",
        r"OOMKilled|was terminated by signal 9\b|FATAL: out of memory",
        "The container needed more memory than its limit and was killed.",
        "Raise tuning.memory, or lower what was raised in tuning.parameters (shared_buffers, work_mem, "
        "max_locks_per_transaction) or tuning.connections.",
        "tuning.memory",
    ),
    row(
        "killed",
        r"[Ee]xit ?[Cc]ode\"?:? ?137\b",
        "The container was killed: it went beyond its memory limit, or did not stop in time.",
        "Raise tuning.memory if it happens under load; kubectl -n NAMESPACE describe pod shows the reason.",
        "tuning.memory",
        rank=Rank.BROAD,
    ),
    row(
        "password-refused",
        r"password authentication failed for user \"(?P<user>[^\"\n]{1,100})\"",
        "The password of {user} is not the one in the database; a changed Secret does not change it.",
        "Set the role's password to the Secret's with ALTER ROLE.",
        "credentials",
        rank=Rank.BROAD,
    ),
)
