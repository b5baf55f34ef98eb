"""Error texts and what they mean. The fixtures are named KEY.CASE.txt.

Each was printed by the real pgBackRest 2.45 or PostgreSQL 15. In those of a store's refusals and of odd certificates
(s3-* but for keys and bucket, certificate-* but for self-signed and without-address) the server was a stub. The
Kubernetes texts marked as seen are a 1.34's own; the others follow the sources and issue threads.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgwizard.answers.questions import Answers as AnswersModel
from pgwizard.answers.questions import Section, sections_in
from pgwizard.diagnose.diagnose import MAX_CHARACTERS, ROWS, diagnose, diagnoses, sharper
from pgwizard.diagnose.row import Rank
from pgwizard.errors import Finding
from pgwizard.text import plain

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "diagnose").glob("*.txt"))

PGBACKREST = (
    (
        "certificate-unknown-authority",
        (
            "ERROR: [095]: unable to verify certificate presented by 'minio.minio.svc:9000 (10.96.0.9)': [20] "
            "unable to get "
            "local issuer certificate on 5 retries from 5011-60000ms"
        ),
    ),
    (
        "certificate-refused",
        "unable to verify certificate presented by 's3.example:443': [26] unsuitable certificate purpose",
    ),
    (
        "certificate-other-name",
        "ERROR: [095]: unable to find hostname 's3.example' in certificate common name or subject alternative names",
    ),
    ("plain-http", "ERROR: [101]: TLS error [1:336130315] wrong version number"),
    ("plain-http", "ERROR: [101]: TLS error [1:167772294] packet length too long"),
    ("tls-failed", "ERROR: [101]: TLS error [1:167773206] tlsv1 alert protocol version"),
    ("connection-timeout", "ERROR: [049]: unable to connect to '10.0.0.9:9000': [110] Connection timed out"),
    ("connection-timeout", "ERROR: [049]: timeout connecting to 's3.example:443 (192.0.2.9)'"),
    ("unknown-host", "ERROR: [049]: unable to get address for 'minio-0.minio.minio.svc': [-2] Name or service"),
    (
        "bucket-in-host-name",
        (
            "ERROR: [049]: unable to get address for 'shop-a.minio.minio.svc.cluster.local': [-2] Name or "
            "service not known"
        ),
    ),
    ("s3-clock-skew", "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference</Message></Error>"),
    ("s3-access-denied", "       x-minio-error-code: AccessDenied"),
    ("s3-delete-denied", "ERROR: [042]: unable to remove file '/db/backup/main/1.gz': [AccessDenied] Access Denied"),
    ("s3-wrong-region", "<Code>InvalidRegion</Code>"),
    ("s3-moved", "<Code>PermanentRedirect</Code>"),
    ("s3-quota-full", "<Code>XMinioAdminBucketQuotaExceeded</Code>"),
    ("s3-full", "<Code>XMinioStorageFull</Code>"),
    ("s3-overloaded", "<Code>SlowDownWrite</Code>"),
    ("s3-overloaded", "x-minio-error-code: XMinioServerNotInitialized"),
    ("not-s3", "ERROR: [029]: invalid xml in 32 byte(s):"),
    ("s3-not-found", "ERROR: [039]: HTTP request failed with 404 (Not Found):"),
    ("repository-half-missing", "ERROR: [055]: archive.info exists but backup.info is missing on repo1"),
    ("repository-not-empty", "ERROR: [040]: backup directory not empty"),
    (
        "repository-of-another-cluster",
        "ERROR: [051]: PostgreSQL version 15, system-id 1 do not match stanza version 15, system-id 2",
    ),
    (
        "repository-of-another-cluster",
        "the repository path holds the backups of another cluster: choose another repository.path, or empty it by hand",
    ),
    ("no-stanza", "    status: error (missing stanza path)"),
    ("no-backup", "ERROR: [075]: no backup set found to restore"),
    ("wal-not-archived", "LOG:  archive command failed with exit code 103"),
    ("lock-permission", "ERROR: [050]: unable to acquire lock on file '/tmp/main-backup.lock': Permission denied"),
    ("lock-held", "the lock was held for 600 s: giving up"),
    (
        "data-directory-mismatch",
        "ERROR: [032]: PostgreSQL working directory '/data' is not the same as option pg1-path '/data/pgdata'",
    ),
    ("postgresql-too-new", "ERROR: [029]: unexpected WAL magic 53522\n HINT: is this version of PostgreSQL supported?"),
    ("option-missing", "ERROR: [037]: backup command requires option: repo1-s3-bucket"),
    ("block-is-beta", "ERROR: [031]: option 'repo1-block' is not valid without option 'beta'"),
    ("option-invalid", "ERROR: [032]: '99' is out of range for 'compress-level' option"),
    ("option-invalid", "ERROR: [031]: invalid option '--no-such-thing'"),
    ("option-invalid", "ERROR: [032]: 'backups' must begin with / for 'repo1-path' option"),
    ("option-invalid", "ERROR: [032]: '/a//b' cannot contain // for 'repo1-path' option"),
    ("option-invalid", "ERROR: [032]: '' must be >= 1 character for 'lock-path' option"),
    ("option-invalid", "ERROR: [032]: boolean option 'start-fast' must be 'y' or 'n'"),
    ("option-invalid", "ERROR: [032]: environment boolean option 'start-fast' must be 'y' or 'n'"),
    ("option-invalid", "ERROR: [032]: environment variable 'compress-type' must have a value"),
    ("option-invalid", "ERROR: [031]: option 'process-max' cannot be set multiple times"),
    ("option-invalid", "ERROR: [031]: key/value 'x' not valid for 'annotation' option"),
    ("pgbackrest-as-root", "ERROR: [031]: the 'info' command must not be run as the root user"),
    ("terminated", "ERROR: [063]: terminated on signal [SIGTERM]"),
    (
        "retention-unset",
        "WARN: option 'repo1-retention-full' is not set for 'repo1-retention-full-type=count', the repository",
    ),
    ("configuration-late", "2026-01-01 00:00:00 waited 300 s in vain until the mounted pgbackrest.conf is the new one"),
    ("server-never-answered", "2026-01-01 00:00:00 waited 3600 s in vain until the server answers"),
    (
        "certificate-key-missing",
        "cp: cannot stat '/usr/local/share/ca-certificates/minio/tls.crt': No such file or directory",
    ),
)

POSTGRESQL = (
    (
        "shared-memory",
        'ERROR:  could not resize shared memory segment "/PostgreSQL.1" to 8388608 bytes: No space left on device',
    ),
    ("bus-error", "container postgresql: CrashLoopBackOff: ended with exit code 135 (Error)"),
    ("bus-error", "initdb: child process was terminated by signal 7: Bus error"),
    ("parameter-invalid", 'FATAL:  900000 is outside the valid range for parameter "max_connections" (1 .. 262143)'),
    ("data-directory-permissions", 'FATAL:  data directory "/var/lib/postgresql/data/pgdata" has wrong ownership'),
    ("wal-volume-full", 'PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device'),
    ("volume-full", 'FATAL:  could not write lock file "postmaster.pid": No space left on device'),
    ("checkpoint-missing", "FATAL:  could not locate required checkpoint record"),
    ("target-not-reached", "FATAL:  recovery ended before configured recovery target was reached"),
    ("timeline-not-child", "FATAL:  requested timeline 6 is not a child of this server's history"),
    ("target-inside-backup", "FATAL:  requested recovery stop point is before consistent recovery point"),
    ("recovery-parameters", "FATAL:  recovery aborted because of insufficient parameter settings"),
    ("restore-incomplete", "postgres: could not find the database system"),
    ("restore-while-running", "ERROR: [038]: unable to restore while PostgreSQL is running"),
    ("backup-expired", "ERROR: [075]: backup set 20261127-210004F is not valid"),
    (
        "backup-file-missing",
        (
            "ERROR: [055]: raised from local-1 shim protocol: unable to open missing file "
            "'/shop/backup/main/20261127-210004F/pg_data/base/16384/16400.gz' for read"
        ),
    ),
    ("backup-file-damaged", "ERROR: [029]: raised from local-1 shim protocol: unexpected eof in compressed data"),
    ("backup-file-damaged", "ERROR: [029]: raised from local-1 shim protocol: zlib threw error: [-3] data error"),
    (
        "restore-time-form",
        "ERROR: [029]: automatic backup set selection cannot be performed with provided time '2026-11-27T21:00:04Z'",
    ),
    (
        "restore-into-files",
        "ERROR: [040]: unable to restore to path '/var/lib/postgresql/data/pgdata' because it contains files",
    ),
    (
        "backup-of-another-timeline",
        "ERROR: [058]: backup timeline 3, lsn 0/32000028 is not in the history of target timeline 2",
    ),
    ("password-missing", "Error: Database is uninitialized and superuser password is not specified."),
    ("out-of-memory", "container postgresql: CrashLoopBackOff: ended with exit code 137 (OOMKilled)"),
    ("out-of-memory", "LOG:  server process (PID 61) was terminated by signal 9: Killed"),
    ("killed", "container postgresql: ended with exit code 137 (Error)"),
    (
        "session-library-missing",
        (
            "WARN: unable to check pg1: [DbConnectError] unable to connect to 'dbname='postgres' port=5432': "
            'connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: FATAL: '
            ' could not access file "foo": No such file or directory'
            "\nERROR: [056]: unable to find primary cluster - cannot proceed"
        ),
    ),
    ("session-library-missing", 'FATAL:  could not access file "$libdir/plugins/foo": No such file or directory'),
    ("extension-library-missing", 'pg_dumpall: ERROR:  could not access file "$libdir/postgis-3": No such file'),
    (
        "session-timeout",
        (
            "ERROR:  canceling statement due to statement timeout\n"
            "ERROR: [056]: unable to find primary cluster - cannot proceed"
        ),
    ),
    ("session-timeout", "FATAL:  terminating connection due to idle-session timeout"),
    ("session-timeout", "psql ended with 1: ERROR: canceling statement due to lock timeout"),
    ("too-many-processes", 'LOG:  invalid value for parameter "autovacuum_max_workers": 262143'),
    ("too-many-processes", "FATAL:  too many backends configured"),
    ("too-many-processes", "FATAL:  too many server processes configured"),
    ("password-refused", 'FATAL:  password authentication failed for user "postgres"'),
)

SEEN_IN_KUBERNETES = (
    (
        "image-registry-unknown",
        (
            'Back-off pulling image "registry.nowhere.example/x:1": ErrImagePull: failed to pull and unpack image '
            '"registry.nowhere.example/x:1": failed to resolve reference "registry.nowhere.example/x:1": failed to do '
            'request: Head "https://registry.nowhere.example/v2/x/manifests/1": dial tcp: lookup '
            "registry.nowhere.example on "
            "10.255.255.53:53: read udp 192.0.2.1:45665->10.255.255.53:53: i/o timeout"
        ),
    ),
    ("image-pull", "Error: ErrImagePull"),
    ("image-pull", "Error: ImagePullBackOff"),
    ("secret-missing", 'Error: secret "nosuch" not found'),
    ("secret-missing", 'Error from server (NotFound): secrets "nosuch" not found'),
    ("secret-key-missing", "Error: couldn't find key password in Secret shop/half"),
    ("mount-secret-missing", 'MountVolume.SetUp failed for volume "v" : secret "nosuch" not found'),
    ("mount-configmap-missing", 'MountVolume.SetUp failed for volume "v" : configmap "nosuch" not found'),
    ("mount-key-missing", 'MountVolume.SetUp failed for volume "v" : references non-existent secret key: tls.crt'),
    (
        "image-runs-as-root",
        'Error: container has runAsNonRoot and image will run as root (pod: "nonroot_shop(9705ab00)", container: c)',
    ),
    ("crash-loop", "Back-off restarting failed container c in pod oom_shop(8a95f07c)"),
    (
        "node-memory",
        (
            "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes are "
            "available: 1 Preemption is not helpful for scheduling."
        ),
    ),
    (
        "priority-class-missing",
        'pods "db-0" is forbidden: no PriorityClass with name high was found',
    ),
    (
        "runtime-class-missing",
        'pods "db-0" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
    ),
    (
        "runtime-missing",
        'rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "runsc" is configured',
    ),
    (
        "service-account-missing",
        (
            'pods "db-0" is forbidden: error looking up service account shop/database: '
            'serviceaccount "database" not found'
        ),
    ),
    ("evicted-storage", 'Container postgresql exceeded its local ephemeral storage limit "1Gi". '),
    ("evicted-storage", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "),
    (
        "quota-ephemeral-storage",
        (
            'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: q, requested: '
            "limits.ephemeral-storage=2Gi, used: limits.ephemeral-storage=0, limited: limits.ephemeral-storage=1Gi"
        ),
    ),
    ("node-ephemeral-storage", "0/1 nodes are available: 1 Insufficient ephemeral-storage. preemption: 0/1 nodes"),
    ("node-cpu", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes"),
    ("node-selector", "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
    ("claim-unbound", "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"),
    ("claim-unbound", '0/1 nodes are available: persistentvolumeclaim "nosuch" not found. not found'),
    ("storage-class-missing", 'ProvisioningFailed: storageclass.storage.k8s.io "nosuch" not found'),
    (
        "pod-security",
        (
            'pods "ps" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
            "(container "
            '"c" must set securityContext.allowPrivilegeEscalation=false)'
        ),
    ),
    (
        "job-limit-range",
        (
            'Error creating: pods "j-b2gcj" is forbidden: [minimum memory usage per Container is 64Mi, but request is '
            "32Mi, minimum cpu usage per Container is 50m, but request is 20m, cpu max limit to request ratio per "
            "Container is 4, but provided ratio is 25.000000]"
        ),
    ),
    (
        "job-limit-range-ratio",
        (
            'Error creating: pods "j-9k2xv" is forbidden: cpu max limit to request ratio per Container is 4, but '
            "provided ratio is 25.000000"
        ),
    ),
    (
        "limit-range-minimum",
        (
            'create Pod s-0 in StatefulSet s failed error: pods "s-0" is forbidden: [minimum memory usage per '
            "Container is 64Mi, but request is 32Mi, minimum cpu usage per Container is 50m, but request is 20m]"
        ),
    ),
    (
        "admission-policy",
        (
            'create Pod s-0 in StatefulSet s failed error: pods "s-0" is forbidden: ValidatingAdmissionPolicy '
            "'team' with binding 'all' denied request: every pod needs the label team"
        ),
    ),
    ("limit-range", 'pods "lr" is forbidden: maximum memory usage per Container is 512Mi, but limit is 1Gi'),
    (
        "limit-range-storage",
        (
            'persistentvolumeclaims "big" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, '
            "but request "
            "is 9Gi"
        ),
    ),
    (
        "quota-storage",
        (
            'persistentvolumeclaims "big" is forbidden: exceeded quota: small, requested: requests.storage=9Gi, used: '
            "requests.storage=2Gi, limited: requests.storage=2Gi"
        ),
    ),
    (
        "quota-exceeded",
        (
            'pods "q" is forbidden: exceeded quota: rq, requested: limits.memory=1Gi,requests.memory=512Mi, used: '
            "limits.memory=0,requests.memory=0, limited: limits.memory=512Mi,requests.memory=100Mi"
        ),
    ),
    (
        "quota-cpu-request",
        'pods "q" is forbidden: exceeded quota: rq, requested: requests.cpu=2, used: requests.cpu=0, limited: cpu=1',
    ),
    (
        "quota-memory-request",
        (
            'pods "q" is forbidden: exceeded quota: rq, requested: requests.memory=512Mi, used: '
            "requests.memory=0, limited: "
            "requests.memory=100Mi"
        ),
    ),
    (
        "exec-forbidden",
        (
            'Error from server (Forbidden): pods "shell" is forbidden: User "system:serviceaccount:shop:nobody" '
            "cannot create "
            'resource "pods/exec" in API group "" in the namespace "shop"'
        ),
    ),
    (
        "forbidden",
        (
            'pods "shell" is forbidden: User "system:serviceaccount:shop:nobody" cannot get resource "pods" in '
            'API group "" '
            'in the namespace "shop"'
        ),
    ),
    (
        "lookup-forbidden",
        (
            'secrets "minio-tls" is forbidden: User "system:serviceaccount:shop:nobody" cannot get resource '
            '"secrets" in API '
            'group "" in the namespace "minio"'
        ),
    ),
)

KUBERNETES = (
    (
        "image-not-found",
        (
            'Failed to pull image "docker.io/library/nosuch:1": rpc error: code = NotFound desc = failed to pull '
            "and unpack "
            'image "docker.io/library/nosuch:1": failed to resolve reference "docker.io/library/nosuch:1": '
            "docker.io/library/nosuch:1: not found"
        ),
    ),
    ("image-not-found", "ErrImagePull: reading manifest 9 in quay.io/x/y: manifest unknown"),
    (
        "image-unauthorized",
        (
            'failed to resolve reference "docker.io/x/y:1": pull access denied, repository does not exist or may '
            "require "
            "authorization: server message: insufficient_scope: authorization failed"
        ),
    ),
    (
        "image-unauthorized",
        (
            'failed to resolve reference "ghcr.io/x/y:1": failed to authorize: failed to fetch anonymous token: '
            "unexpected "
            "status from GET request to https://ghcr.io/token?scope=x: 401 Unauthorized"
        ),
    ),
    (
        "image-registry-unknown",
        (
            'ErrImagePull: failed to do request: Head "https://no.example/v2/x/manifests/1": dial tcp: '
            "lookup no.example: no such host"
        ),
    ),
    (
        "image-registry-unreachable",
        (
            'failed to do request: Head "https://registry.example/v2/x/manifests/1": tls: failed to verify '
            "certificate: "
            "x509: certificate signed by unknown authority"
        ),
    ),
    ("image-platform", "exec /usr/bin/bash: exec format error"),
    (
        "other-kind-of-field",
        "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    ),
    (
        "other-kind-of-field",
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ),
    ("image-never-pulled", 'ErrImageNeverPull: Container image "x:1" is not present with pull policy of Never'),
    ("image-rate-limited", "429 Too Many Requests - Server message: toomanyrequests: You have reached your limit"),
    ("namespace-missing", 'Error from server (NotFound): namespaces "shop" not found'),
    ("admission-denied", 'admission webhook "validate.kyverno.svc-fail" denied the request: resource StatefulSet'),
    ("container-missing", 'error: unable to upgrade connection: container not found ("postgresql")'),
    ("container-missing", 'Error from server (NotFound): pods "postgresql-0" not found'),
    ("quota-needs-values", "forbidden: failed quota: rq: must specify limits.cpu for: c"),
    (
        "security-context-constraint",
        (
            'create Pod postgresql-0 in StatefulSet postgresql failed error: pods "postgresql-0" is forbidden: unable '
            "to validate against any security context constraint: [provider restricted-v2: .containers[0].runAsUser: "
            "Invalid value: 999: must be in the ranges: [1000680000, 1000689999]]"
        ),
    ),
    (
        "admission-webhook-silent",
        'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: Post',
    ),
    (
        "job-quota",
        (
            'Error creating: pods "db-pgbackrest-init-x7z2k" is forbidden: exceeded quota: small, requested: '
            "limits.cpu=500m, used: limits.cpu=2, limited: limits.cpu=2"
        ),
    ),
    ("limit-range-ratio", "cpu max limit to request ratio per Container is 2, but provided ratio is 8.000000"),
    ("no-storage-class", "FailedBinding: no persistent volumes available for this claim and no storage class is set"),
    ("volume-elsewhere", "0/3 nodes are available: 3 node(s) had volume node affinity conflict."),
    ("volume-attach", 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node'),
    ("provisioning-failed", "ProvisioningFailed: failed to provision volume with StorageClass: rpc error"),
    ("node-taints", "0/1 nodes are available: 1 node(s) had untolerated taint(s). preemption: 0/1 nodes are available"),
    (
        "node-memory",
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 "
            "Insufficient memory."
        ),
    ),
    ("unschedulable", "0/2 nodes are available: 2 Too many pods."),
    ("probe-failed", "Readiness probe failed: 127.0.0.1:5432 - rejecting connections"),
    ("job-gave-up", "Job has reached the specified backoff limit"),
)

TEXTS = (*PGBACKREST, *POSTGRESQL, *SEEN_IN_KUBERNETES, *KUBERNETES)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _fixture(name: str) -> str:
    (path,) = (path for path in FIXTURES if path.stem.endswith(f".{name}"))
    return _read(path)


def _key(text: str) -> str | None:
    diagnosis = diagnose(text)
    return diagnosis.key if diagnosis else None


@pytest.mark.parametrize(("key", "text"), TEXTS, ids=[f"{key}-{number}" for number, (key, _) in enumerate(TEXTS)])
def test_a_text_is_understood(key: str, text: str) -> None:
    assert _key(text) == key


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_real_log_is_understood(path: Path) -> None:
    assert _key(_read(path)) == path.name.partition(".")[0]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_log_made_plain_and_cut_line_by_line_means_the_same(path: Path) -> None:
    assert _key("\n".join(plain(line) for line in _read(path).splitlines())) == path.name.partition(".")[0]


def test_every_row_is_reached() -> None:
    reached = {key for key, _ in TEXTS} | {path.name.partition(".")[0] for path in FIXTURES}
    assert {row.key for row in ROWS} == reached


# ---- the table -----------------------------------------------------------------------------------------------------


def _questions(section: type[Section], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        for inner in sections_in(field.annotation):
            yield from _questions(inner, f"{path}.")


def test_every_question_exists() -> None:
    known = set(_questions(AnswersModel))
    assert {row.question for row in ROWS} - {""} <= known
    named = {
        name
        for row in ROWS
        for name in re.findall(r"\b[a-z]+(?:\.[a-z][A-Za-z]+)+\b", f"{row.cause} {row.fix}")
        if name.partition(".")[0] in AnswersModel.model_fields
    }
    assert "repository.uriStyle" in named
    assert named - {"tls.crt"} <= known


def test_keys_are_anchors_and_texts_are_short_sentences() -> None:
    keys = [row.key for row in ROWS]
    assert len(set(keys)) == len(keys)
    for row in ROWS:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.key)
        for text in (row.cause, row.fix):
            assert text.endswith("."), row.key
            assert text == plain(text), row.key
            assert len(re.findall(r"\.(?: [A-Z{]|$)", text)) <= 2, row.key
        assert "verify: false" not in row.fix  # nobody is led to send backups to whoever answers


def test_a_kubectl_command_of_a_fix_names_the_namespace() -> None:
    commands = re.compile(r"kubectl (?:annotate|delete|describe|get|logs|scale)\b")
    assert [row.key for row in ROWS if commands.search(row.fix)] == []


def test_texts_name_only_groups_of_their_pattern() -> None:
    for row in ROWS:
        named = set(re.findall(r"\{(\w+)\}", row.cause + row.fix))
        assert named <= set(row.pattern.groupindex), row.key


def test_no_pattern_repeats_without_a_bound() -> None:
    for row in ROWS:
        assert not re.search(r"(?<!\\)[*+]", re.sub(r"\\.|\[[^\]]*\]", "x", row.pattern.pattern)), row.key


def test_fixtures_hold_no_keys() -> None:
    for path in FIXTURES:
        assert not re.search(
            r"(?i)authorization: (?!<redacted>)|s3-key(-secret)?=(?!<redacted>)|PRIVATE KEY", _read(path)
        )


# ---- what wins -----------------------------------------------------------------------------------------------------


def test_the_values_of_the_text_are_in_the_cause() -> None:
    diagnosis = diagnose(_fixture("host-style"))
    assert diagnosis is not None
    assert diagnosis.cause.startswith("pgBackRest put the bucket into the host name, backups.minio.minio.svc,")
    assert diagnosis.fix == "Set repository.uriStyle to path: requests then go to minio.minio.svc/backups."
    assert diagnosis.question == "repository.uriStyle"
    assert diagnosis.text.startswith("ERROR: [049]: unable to get address")


def test_a_missing_name_leaves_no_gap_behind() -> None:
    for _, text in TEXTS:
        for each in diagnoses(text):
            for part in (each.cause, each.fix):
                assert "  " not in part
                assert "''" not in part
                assert "{" not in part


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no-ca", 95),
        ("no-ca-push", 103),
        ("no-ca-info", None),
        ("wrong-pg-path", 56),
        ("backup-timeout", 82),
        ("lock", 50),
        ("version", None),
    ],
)
def test_the_exit_code_is_the_programs(name: str, code: int | None) -> None:
    diagnosis = diagnose(_fixture(name))
    assert diagnosis is not None
    assert diagnosis.exit_code == code


def test_the_exit_code_of_a_container() -> None:
    diagnosis = diagnose("container postgresql: CrashLoopBackOff: ended with exit code 137 (OOMKilled)")
    assert diagnosis is not None
    assert (diagnosis.key, diagnosis.exit_code) == ("out-of-memory", 137)


def test_a_refused_certificate_is_not_taken_for_encryption() -> None:
    text = _fixture("no-ca-push")
    assert "is or was the repo encrypted?" in text
    assert "cipher" not in {each.question.rpartition(".")[2] for each in diagnoses(text)}


def test_a_cause_wins_over_its_symptom_wherever_it_is_in_the_log() -> None:
    symptom, cause = _fixture("backup-timeout"), _fixture("wrong-ca")
    assert _key(symptom) == "wal-not-archived"
    assert _key(f"{cause}\n{symptom}") == _key(f"{symptom}\n{cause}") == "certificate-self-signed"


def test_a_nameless_refusal_yields_to_a_named_one() -> None:
    nameless, named = _fixture("denied-plainhead"), _fixture("wrong-secret-get")
    assert _key(nameless) == "s3-forbidden"
    assert _key(f"{named}\n{nameless}") == _key(f"{nameless}\n{named}") == "s3-wrong-secret"


def test_of_two_equal_findings_the_later_wins() -> None:
    first, last = _fixture("wrong-ca"), _fixture("missing-bucket-head")
    assert _key(f"{first}\n{last}") == "s3-no-bucket"
    assert _key(f"{last}\n{first}") == "certificate-self-signed"


def test_a_crash_loop_is_explained_by_the_servers_last_lines() -> None:
    health = "container postgresql: CrashLoopBackOff: ended with exit code 1 (Error)"
    assert _key(health) == "crash-loop"
    assert _key(f"{health}\n{_fixture('huge')}") == "shared-memory"


def test_a_remark_is_ranked_last() -> None:
    keys = [each.key for each in diagnoses(_fixture("no-retention"))]
    assert keys == ["wal-not-archived", "retention-unset"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "2026-01-01 P00   INFO: backup command end: completed successfully (5882ms)",
        "       HINT: is or was the repo encrypted?",
        "       HINT: has a stanza-create been performed?",
        "LOG:  database system is ready to accept connections",
        'ERROR:  invalid value for parameter "TimeZone": "Mars"',
        'Head "https://api.example:6443/version": dial tcp: lookup api.example: no such host',
    ],
)
def test_an_uninformative_text_is_not_explained(text: str) -> None:
    assert diagnose(text) is None


# ---- hostile texts -------------------------------------------------------------------------------------------------


def test_colours_and_control_characters_do_not_hide_an_error() -> None:
    text = (
        "\x1b[31mERROR:\x1b[0m [049]: unable to\tconnect to 'minio.minio.svc:443':\r [111] Connection refused\x07\r\n"
    )
    diagnosis = diagnose(text)
    assert diagnosis is not None
    assert diagnosis.text == "ERROR: [049]: unable to connect to 'minio.minio.svc:443': [111] Connection refused"


def test_a_quoted_part_of_a_text_is_plain_and_short() -> None:
    host = "\u202e{key}\x00" + "x" * 250
    diagnosis = diagnose(f"unable to connect to '{host}': [111] Connection refused")
    assert diagnosis is not None
    assert diagnosis.cause.isprintable()
    assert "{key}" in diagnosis.cause
    assert len(diagnosis.cause) < 300
    assert len(diagnoses("y" * 5000 + "cipher header invalid")[0].text) <= 300


def test_binary_garbage_is_harmless() -> None:
    source = random.Random(7)
    for _ in range(20):
        diagnoses(source.randbytes(20_000).decode("latin-1"))
        diagnoses(source.randbytes(20_000).decode("utf-8", "surrogateescape"))
    assert diagnose("\ud800cipher header invalid\udfff") is not None


HOSTILE = (
    "unable to connect to '",
    "unable to load info file 'a'",
    "exceeded quota: x, requested: ",
    "/v2/",
    'data directory "',
    "pg_wal",
    "a.b.",
    " ",
    "\x1b[",
    "backup directory ",
    'User "x" cannot get ',
    "2026-01-01 00:00:00.000 P00   INFO: backup file /pg/data/base/5/1234 (8KB, 99%) checksum 0123456789abcdef\n",
)
"""Texts that begin patterns over and over and never end them."""


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_is_read_in_seconds(piece: str) -> None:
    text = (piece * (MAX_CHARACTERS // len(piece) + 1))[:MAX_CHARACTERS]
    began = time.process_time()
    diagnose(text)
    assert time.process_time() - began < 60  # about 1 s; what goes wrong here takes minutes


def test_only_the_end_of_a_long_text_is_read() -> None:
    assert _key("x\n" * MAX_CHARACTERS + "cipher header invalid") == "repository-not-encrypted"


def test_ranks_are_distinguished() -> None:
    assert {row.rank for row in ROWS} == set(Rank)


@pytest.mark.parametrize(
    "message",
    [
        "the database system is starting up",
        "the database system is shutting down",
        "terminating connection due to administrator command",
        "terminating walreceiver process due to administrator command",
        'role "shop" does not exist',
        'database "shop" does not exist',
        'no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", no encryption',
        "sorry, too many clients already",
        "remaining connection slots are reserved for non-replication superuser connections",
        "canceling authentication due to timeout",
        "connection to client lost",
        'permission denied for database "shop"',
        "cannot connect to invalid database",
    ],
)
def test_the_end_of_one_session_is_not_taken_for_the_end_of_the_server(message: str) -> None:
    text = f"2026-11-28 00:15:27.259 UTC [78] FATAL:  {message}"
    assert "start-refused" not in {fault.key for fault in diagnoses(text)}


def test_a_finding_of_another_origin_is_neither_sharpened_nor_sharper() -> None:
    known = Finding(key=ROWS[0].key)
    unknown = Finding(key="status-down")
    assert sharper(unknown, [known]) is unknown
    assert sharper(known, [unknown, Finding()]) is known
