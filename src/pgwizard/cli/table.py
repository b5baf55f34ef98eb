"""The table of verbs: what each one is for, what it takes, and the function that runs it.

Parsing, help, completion and ``docs/cli.md`` are derived from it. A verb takes the options of its entry and refuses all
others, so that no option is ever ignored.
"""

from __future__ import annotations

from typing import Any

from pgwizard.cli.options import Argument, Option, Verb, choice, duration, number, switch, text, texts

# ---- options -------------------------------------------------------------------------------------------------------

HELP = switch("-h", "--help", about="show this help")
VERSION = switch("--version", about="print the version")
HEADLESS = text(
    "--headless",
    value="FILE",
    about="without a verb: render the answers of FILE, or with --apply apply them",
    completes="file",
)
APPLY = switch("--apply", about="with --headless: apply instead of render")

JSON = switch("--json", about="print JSON lines, including errors (docs/cli.md)")
NAMESPACE = text("-n", "--namespace", value="NAME", about="the namespace; by default that of the kubeconfig's context")
ALL_NAMESPACES = switch("-A", "--all", "--all-namespaces", about="the releases of all namespaces")
CONTEXT = text("--context", value="NAME", about="the context of the kubeconfig; the current one by default")
KUBECONFIG = text("--kubeconfig", value="FILE", about="instead of $KUBECONFIG and ~/.kube/config", completes="file")
DEMO = switch("--demo", about="use a cluster that is simulated inside this process")

ANSWERS = text(
    "--answers", value="FILE", about="start with the answers of FILE; - reads standard input", completes="file"
)
SET = texts("--set", value="PATH=VALUE", about="override one answer, such as storage.size=20Gi")
CA_FILE = text(
    "--ca-file",
    value="FILE",
    about="trust this certificate instead of the one in the Secret that tls.source names",
    completes="file",
)
OUTPUT_FOLDER = text(
    "-o", "--output", value="DIR", about="write one file per object into DIR instead of printing", completes="folder"
)
EXPORT_FOLDER = text(
    "-o", "--output", value="DIR", about="the folder to write; not with --values-only", completes="folder"
)
OUTPUT_FILE = text(
    "-o",
    "--output",
    value="FILE",
    about="write into FILE, which must not exist yet, instead of printing",
    completes="file",
)

FORMAT = choice(
    "--format",
    choices=("helm", "kustomize", "yaml"),
    default="helm",
    about="a chart, base and overlay, or manifests",
)
STATUS_FORMAT = choice(
    "--format", choices=("text", "prometheus"), default="text", about="text, or metrics in the format of OpenMetrics"
)
WATCH = switch("-w", "--watch", about="with -A: print each release again when its state or worst reason changes")
VALUES_ONLY = switch("--values-only", about="print the chart's values.yaml alone")
FORCE = switch("--force", about="replace values.yaml though it was edited; keep the other files of the folder")

DRY_RUN = switch("--dry-run", about="try every object on the server and write nothing")
DIFF = switch("--diff", about="show differences and new objects in full before asking")
YES = switch("--yes", about="do not ask for confirmation")
NO_WAIT = switch("--no-wait", about="return once the objects are applied; do not wait for the pod and the first backup")
TIMEOUT = duration("--timeout", default="10m", about="how long to wait for the pod, such as 90s, 10m or 1h30m")
FORCE_CONFLICTS = switch("--force-conflicts", about="take over fields that another tool owns")
TAKE_OVER = switch(
    "--take-over", about="manage from now on what Helm or another tool manages; Helm's history of it is deleted"
)
ADOPTABLE = switch("--adoptable", about="add Helm's ownership keys, so that helm upgrade --install adopts the release")
EXIT_CODE = switch("--exit-code", about="exit with 1 if there are differences")
IMPORT_EXIT_CODE = switch("--exit-code", about="exit with 1 if there is something that no answer expresses")

PURGE_DATA = text(
    "--purge-data", value="NAME", about="also delete the volume and the Secrets; repeat the release's name"
)
RECOVERY_TARGET = text(
    "--to",
    value="TARGET",
    about="a time with its offset, latest, backup:LABEL, name:POINT, xid:N or lsn:X",
)
BEFORE = switch("--before", about="stop just before the time, transaction or WAL position")
RESTORE_PLAN_ONLY = switch("--dry-run", about="show what would be restored and what is lost; write nothing")
FROM_ANSWERS = text(
    "--from",
    value="FILE",
    about="make the release of these answers and restore it from its repository; - reads standard input",
    completes="file",
)
INTO = text(
    "--into", value="NAMESPACE/NAME", about="restore into this new release and leave the source as it is: a clone"
)
UNDO = switch("--undo", about="bring back the state before the last restore")
PREVIEW = switch("--preview", about="show the target on a read-only server beside the release; again: move it forward")
END = switch("--end", about="with --preview: end it and delete its volume")
FINISH = switch("--finish", about="end the undo of the last restore: what was kept for it may be deleted")
HISTORY_SINCE = text("--from", value="TIME", about="a time with its offset; an hour before --to by default")
HISTORY_UNTIL = text("--to", value="TIME", about="a time with its offset; now by default")
DRILL_TIMEOUT = duration("--timeout", default="6h", about="how long the drill may take, such as 45m or 12h")
DRILL_QUERY = text("--query", value="SQL", about="a query that must succeed on what was restored")
EXPECTED_ANSWER = text("--expect", value="TEXT", about="what the query must answer")
BACKUP_TYPE = choice("--type", choices=("incr", "full"), default="incr", about="incremental or full")
JOB_KIND = choice("--kind", choices=("backup", "verify", "drill"), default="backup", about="what the Job does")
JOB_NAME = text("--job", value="JOB", about="the log of this Job, whatever it does; by default the newest's")
FOLLOW = switch("-f", "--follow", about="print the log until the Job ends; exits with 9 if it fails")
TAIL = number("--tail", value="LINES", default=200, about="how many of the last lines to print")

_CLUSTER: tuple[Option[Any], ...] = (CONTEXT, KUBECONFIG, DEMO)
RELEASE_WORD = "release/"
"""The prefix of a word of ``explain`` that names a release, as kubectl's TYPE/NAME does."""
WITH_RELEASE_WORD: tuple[Option[Any], ...] = (NAMESPACE, *_CLUSTER)
"""Options of ``explain`` that need a word that names a release."""
_RELEASE: tuple[Option[Any], ...] = (*WITH_RELEASE_WORD, JSON)
_SOURCE: tuple[Option[Any], ...] = (SET, CA_FILE)

EXCLUSIVE: tuple[tuple[Option[Any], Option[Any]], ...] = (
    (CONTEXT, DEMO),
    (KUBECONFIG, DEMO),
    (NAMESPACE, ALL_NAMESPACES),
    (JSON, STATUS_FORMAT),
    (WATCH, STATUS_FORMAT),
    (TIMEOUT, NO_WAIT),
    (TAKE_OVER, ADOPTABLE),
    (TAIL, FOLLOW),
    (JOB_NAME, JOB_KIND),
    (EXPORT_FOLDER, VALUES_ONLY),
    (FORCE, VALUES_ONLY),
    (RECOVERY_TARGET, UNDO),
    (BEFORE, UNDO),
    (FROM_ANSWERS, UNDO),
    (FROM_ANSWERS, NAMESPACE),
    (INTO, UNDO),
    (RECOVERY_TARGET, FINISH),
    (BEFORE, FINISH),
    (UNDO, FINISH),
    (FROM_ANSWERS, FINISH),
    (INTO, FINISH),
    (UNDO, PREVIEW),
    (FINISH, PREVIEW),
    (FROM_ANSWERS, PREVIEW),
    (INTO, PREVIEW),
    (RECOVERY_TARGET, END),
    (BEFORE, END),
    (RESTORE_PLAN_ONLY, END),
    (YES, END),
)
"""The second of each pair would make the first ineffective. ``--dry-run`` is not listed: it tries the same command.
``--follow`` judges a backup by its whole log.
"""

# ---- verbs ---------------------------------------------------------------------------------------------------------

_FILE = Argument("FILE", "the answers; - reads standard input", completes="file")
_NAME = Argument("NAME", "the release; optional if the namespace has only one", is_required=False)
_NAMESPACE_IS_AN_ANSWER = {"--namespace": "The namespace is an answer: --set release.namespace=NAME."}


def _without_flag(verb: str) -> dict[str, str]:
    """What to type in place of ``-f FILE``, kubectl's option for a file."""
    return {"--follow": f"Write the file without -f: pgwizard {verb} answers.yaml."}


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "wizard",
            "Open the wizard (also without a verb)",
            "Asks for storage, tuning, the S3 repository, its certificate and the schedule, shows what would change in "
            "the cluster, applies it once you confirm, and follows the first backup. It needs a terminal.",
            "pgwizard\npgwizard --answers answers.yaml --context prod-eu\npgwizard --demo",
            "wizard:wizard",
            options=(ANSWERS, *_CLUSTER),
            instead={
                "--set": "Change the answer on its page, or: pgwizard apply FILE --set PATH=VALUE.",
                "--ca-file": "The wizard asks for the certificate.",
                "--output": "Manifests: pgwizard render FILE -o DIR.",
                "--apply": "It goes with --headless FILE; or: pgwizard apply FILE.",
                "--json": "JSON lines come from the verbs, such as: pgwizard apply FILE --json.",
                "--namespace": "The wizard asks for the namespace.",
            },
        ),
        Verb(
            "init",
            "Print a commented file of answers with every default",
            "Keep the answers that you change and delete the rest. Secrets are never written into the file, only where "
            "they come from.",
            "pgwizard init -o answers.yaml",
            "offline:init",
            options=(OUTPUT_FILE,),
        ),
        Verb(
            "render",
            "Print the manifests of a file of answers",
            "Checks the answers and prints every object in apply order. It needs no cluster: the certificate comes "
            "from --ca-file or tls.caFile, and Secrets come without values; notes on standard error say how to create "
            "them. For kubectl apply, which can remove stored values, export --format yaml leaves these Secrets out. "
            "--json prints one Kubernetes List, or with -o the names of the files.",
            "pgwizard render answers.yaml --ca-file minio-ca.crt\n"
            "pgwizard render answers.yaml --ca-file minio-ca.crt -o manifests",
            "render:render",
            (_FILE,),
            (OUTPUT_FOLDER, *_SOURCE, JSON),
            synonyms=("template",),
            instead={**_NAMESPACE_IS_AN_ANSWER, **_without_flag("render")},
        ),
        Verb(
            "export",
            "Write a Helm chart, a kustomize base or plain manifests",
            "Writes a folder that Helm, kustomize, Argo CD or Flux can deploy without pgwizard. The chart's values "
            "are the answers. No format holds a secret: notes on standard error name the Secrets that must exist, and "
            "the commands that create them.",
            "pgwizard export answers.yaml -o chart\n"
            "pgwizard export answers.yaml --values-only > values.yaml\n"
            "pgwizard export answers.yaml --format kustomize --ca-file ca.crt -o k",
            "render:export",
            (_FILE,),
            (FORMAT, EXPORT_FOLDER, VALUES_ONLY, FORCE, *_SOURCE, JSON),
            instead={**_NAMESPACE_IS_AN_ANSWER, **_without_flag("export")},
        ),
        Verb(
            "apply",
            "Install or upgrade a release and wait for its first backup",
            "Reads the cluster, checks the answers, tries every object on the server, shows what would change, and "
            "asks if standard input is a terminal. Then it applies, waits for the pod and for the first full backup, "
            "and prints how to connect. A run that was stopped or failed is simply run again.",
            "pgwizard apply answers.yaml\n"
            "pgwizard apply answers.yaml --yes --timeout 20m --set storage.size=20Gi\n"
            "pgwizard apply answers.yaml --dry-run",
            "apply:apply",
            (_FILE,),
            (
                *_SOURCE,
                DRY_RUN,
                DIFF,
                YES,
                NO_WAIT,
                TIMEOUT,
                FORCE_CONFLICTS,
                TAKE_OVER,
                ADOPTABLE,
                *_CLUSTER,
                JSON,
            ),
            synonyms=("install", "upgrade", "update", "create", "deploy"),
            instead={
                **_NAMESPACE_IS_AN_ANSWER,
                **_without_flag("apply"),
                "--output": "Manifests: pgwizard render FILE -o DIR.",
            },
        ),
        Verb(
            "diff",
            "Show what an apply would change",
            "Tries every object on the server and prints the differences to what is live, values of Secrets masked. "
            "Nothing is written.",
            "pgwizard diff answers.yaml\npgwizard diff answers.yaml --exit-code --json",
            "apply:diff",
            (_FILE,),
            (*_SOURCE, EXIT_CODE, FORCE_CONFLICTS, TAKE_OVER, ADOPTABLE, *_CLUSTER, JSON),
            synonyms=("plan", "compare"),
            instead={**_NAMESPACE_IS_AN_ANSWER, **_without_flag("diff")},
        ),
        Verb(
            "import",
            "Turn a running release into a file of answers",
            "Reads the objects of a release, whoever made it: an apply, Helm, Argo CD, Flux or kubectl. Prints the "
            "answers that give these objects again. Secrets are not read: the answers refer to them. Warnings on "
            "standard error name what no answer expresses, such as sidecars, other volumes and other names. --json "
            "prints the answers as JSON, which is a file of answers too.",
            "pgwizard import postgresql -n shop -o answers.yaml\npgwizard import postgresql -n shop | pgwizard diff -",
            "import_release:import_release",
            (Argument("NAME", "the release"),),
            (OUTPUT_FILE, IMPORT_EXIT_CODE, *_RELEASE),
        ),
        Verb(
            "status",
            "Show whether a release can be recovered",
            "On a terminal it opens a live screen. Otherwise, and with --json, it prints the status once and exits "
            "with 0 only if the release is recoverable and nothing threatens that. It also works for a release that "
            "another tool installed: NAME is the name of its StatefulSet. -A shows every release as a line, the worst "
            "first, and exits with 0 only if all are recoverable.",
            "pgwizard status\npgwizard status postgresql -n shop --json | jq .verdict\n"
            "pgwizard status -A\npgwizard status -A --format prometheus",
            "status:status",
            (_NAME,),
            (ALL_NAMESPACES, WATCH, STATUS_FORMAT, *_RELEASE),
        ),
        Verb(
            "backup",
            "Start a backup now",
            "Creates a Job from the release's CronJob, as kubectl create job --from does, and prints its name. The "
            "backup runs in the cluster; pgwizard logs -f follows it.",
            "pgwizard backup -n shop\npgwizard backup postgresql -n shop --type full",
            "backup:backup",
            (_NAME,),
            (BACKUP_TYPE, FOLLOW, *_RELEASE),
        ),
        Verb(
            "verify",
            "Verify the repository",
            "Reads every file of every backup and all WAL with pgbackrest verify, in the database's pod, and reports "
            "what is damaged; exits 0 only if nothing is. The result is kept in the record, and the status shows it: "
            "the right to patch that Secret is checked first. It downloads the whole repository.",
            "pgwizard verify -n shop\npgwizard verify postgresql -n shop --json",
            "verify:verify",
            (_NAME,),
            _RELEASE,
        ),
        Verb(
            "history",
            "List what was committed, and what removed tables",
            "Reads the WAL of a stretch of time with pg_waldump, in the database's pod, and prints each commit, named "
            "restore point and dropped database, with the target of a restore to just before it. Commits that removed "
            "tables or emptied them (DROP, TRUNCATE, or a rewrite such as VACUUM FULL) are counted by relation: a "
            "table has its indexes beside it. DELETE and UPDATE are commits like any other. Nothing is written.",
            "pgwizard history postgresql -n shop\n"
            "pgwizard history -n shop --from 2026-11-27T20:00:00Z --to 2026-11-27T21:30:00Z\n"
            "pgwizard history -n shop --json | jq 'select(.isLoss)'",
            "history:history",
            (_NAME,),
            (HISTORY_SINCE, HISTORY_UNTIL, *_RELEASE),
        ),
        Verb(
            "restore",
            "Bring a release back to an earlier moment, in place",
            "Chooses the backup and the timeline that lead to the target, shows them with what is lost, and asks for "
            "the release's name. Then it stops the database, restores and recovers in a Job, checks what was reached, "
            "starts the database, and takes a full backup. A run that was stopped or failed is run again without --to: "
            "it resumes. A target that cannot be reached exits with 2 and names the nearest moments. --undo brings "
            "back the state before the last restore; --finish ends that offer and deletes what was kept for it. "
            "--preview shows the target on a read-only server in a pod that is thrown away, while the database runs: "
            "run it again with a later --to to move it forward, and with --end to end it. "
            "--from makes a release that is gone again, its namespace too, and restores it from the bucket before its "
            "server is started, to the newest state unless --to says otherwise. "
            "--into makes a clone: another release with the same data, an archive path of its own, and a new password; "
            "the source is only read. --set changes the clone's answers.",
            "pgwizard restore postgresql -n shop --to 2026-11-27T21:00:04Z --dry-run\n"
            "pgwizard restore postgresql -n shop --to 2026-11-27T21:00:04Z\n"
            "pgwizard restore postgresql -n shop --to 2026-11-27T21:00:04Z --preview\n"
            "pgwizard restore postgresql -n shop --preview --end\n"
            "pgwizard restore postgresql -n shop --to latest --yes\n"
            "pgwizard restore postgresql -n shop --undo\n"
            "pgwizard restore postgresql -n shop --finish\n"
            "pgwizard restore --from answers.yaml\n"
            "pgwizard restore postgresql -n shop --into staging/postgresql",
            "restore:restore",
            (Argument("NAME", "the release; not with --from", is_required=False),),
            (
                RECOVERY_TARGET,
                BEFORE,
                PREVIEW,
                END,
                UNDO,
                FINISH,
                FROM_ANSWERS,
                INTO,
                RESTORE_PLAN_ONLY,
                YES,
                *_SOURCE,
                *_RELEASE,
            ),
            synonyms=("recover",),
        ),
        Verb(
            "drill",
            "Prove that a release can be restored",
            "Restores the newest state into a throw-away volume beside the running database, and checks it: whether "
            "all WAL was replayed, whether every row can be read, indexes, checksums, and a query of your own. Then "
            "the volume is deleted. Exits with 0 only if nothing failed. The result is kept in the record, and the "
            "status shows it. The database keeps running, and nothing is written to the repository.",
            "pgwizard drill postgresql -n shop\npgwizard drill -n shop --query SQL --expect TEXT",
            "drill:drill",
            (_NAME,),
            (DRILL_QUERY, EXPECTED_ANSWER, DRILL_TIMEOUT, *_RELEASE),
        ),
        Verb(
            "logs",
            "Print the log of a backup Job",
            "Prints the newest backup Job's log, that of a scheduled verification or drill with --kind, or that of "
            "--job. Where the log of a failed Job shows a known fault, its cause and fix follow on standard error.",
            "pgwizard logs -n shop -f\npgwizard logs -n shop --kind verify\n"
            "pgwizard logs postgresql -n shop --job postgresql-pgbackrest-init",
            "backup:logs",
            (_NAME,),
            (JOB_KIND, JOB_NAME, FOLLOW, TAIL, *_RELEASE),
            synonyms=("log",),
        ),
        Verb(
            "releases",
            "List releases",
            "Lists the releases of a namespace, or of all namespaces, with revision and outcome of the last apply, and "
            "the tool that manages each. One that Helm, Argo CD, Flux or kubectl installed has no record: it is listed "
            "as unrecorded.",
            "pgwizard releases -n shop\npgwizard releases -A --json",
            "releases:releases",
            options=(ALL_NAMESPACES, *_RELEASE),
            synonyms=("list", "ls", "get"),
        ),
        Verb(
            "uninstall",
            "Remove a release; its volume, Secrets and backups stay",
            "Shows what would be deleted and what is kept, and asks if standard input is a terminal. Installing again "
            "finds the same database. --purge-data also deletes the volume and the Secrets. Backups in S3 are never "
            "deleted.",
            "pgwizard uninstall postgresql -n shop\n"
            "pgwizard uninstall postgresql -n shop --yes --purge-data postgresql",
            "releases:uninstall",
            (Argument("NAME", "the release"),),
            (PURGE_DATA, YES, *_RELEASE),
            synonyms=("delete", "remove", "rm"),
        ),
        Verb(
            "explain",
            "Explain a message, or why a release is not recoverable",
            "Searches the messages of pgwizard, and what pgBackRest, S3 stores, PostgreSQL and Kubernetes report, for "
            "all of the words. Without words it lists every message. release/NAME reads the status of a release and "
            "prints each finding, worst first, with its cause and fix; the cluster options apply to it.",
            "pgwizard explain certificate expired\n"
            "pgwizard explain docs/errors.md#s3-access-denied\n"
            "pgwizard explain release/postgresql -n shop",
            "explain:explain",
            (Argument("WORD", "words of a message, its link, or release/NAME", is_required=False, many=True),),
            _RELEASE,
            synonyms=("why",),
        ),
        Verb(
            "schema",
            "Print the JSON schema of the answers",
            "An editor's YAML plug-in completes and checks a file of answers with it.",
            "pgwizard schema > answers.schema.json",
            "offline:schema",
        ),
        Verb(
            "completion",
            "Print a completion script for a shell",
            "Load it in the shell's start-up file.",
            "source <(pgwizard completion bash)\n"
            "pgwizard completion zsh > ~/.zfunc/_pgwizard\n"
            "pgwizard completion fish > ~/.config/fish/completions/pgwizard.fish",
            "offline:completion",
            (Argument("SHELL", "bash, zsh or fish", choices=("bash", "zsh", "fish")),),
        ),
        Verb(
            "version",
            "Print the version",
            "The same as --version.",
            "pgwizard version --json",
            "offline:version",
            options=(JSON,),
        ),
        Verb(
            "help",
            "Show the help of a verb",
            "The same as VERB --help.",
            "pgwizard help apply",
            "offline:help_of",
            (Argument("VERB", "the verb; without it, an overview", is_required=False),),
        ),
    )
}

WITHOUT_VERB: tuple[Option[Any], ...] = (HEADLESS, APPLY, VERSION, HELP)
"""Options without a verb."""

OPTIONS: dict[str, Option[Any]] = {
    **{option.flag: option for option in WITHOUT_VERB},
    **{option.flag: option for verb in VERBS.values() for option in verb.options},
}
"""Every option by its long form. Two verbs may have different options of the same spelling, such as ``-o``."""
