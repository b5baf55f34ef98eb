"""The questions: what a person decides about a release. One ``Section`` is one page and one block of answers.yaml.

Source order is page order. Everything that shows a question (file, schema, documentation, widgets) is derived from
these models. Answers hold references to secrets, never their values. Rules across fields belong to ``plan``, because a
section is validated while others are still being filled in.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

from pgwizard import quantities
from pgwizard.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Question:
    """The text of a question. help: one line, what it decides and what a good answer is.

    choices: the name of a list of live choices from the cluster, such as ``storageClasses``; empty for none.
    """

    label: str
    help: str
    choices: str = ""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """An editor shows the question where its answer is typed."""
        node: dict[str, Any] = handler(schema)
        if "$ref" in node:
            node = {"allOf": [node]}
        return {**node, "title": self.label, "description": self.help}


@dataclass(frozen=True, slots=True)
class Page:
    """The wizard's page of a section; sections that name the same page share it."""

    title: str


class Section(BaseModel):
    """A page of questions. Keys are camelCase in the file; unknown keys are refused."""

    # Deferred: a start builds the validator of Answers, which has those of all sections inside, and no other. That is
    # why default sections are constructed without one.
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_assignment=True,
        validate_default=False,
        defer_build=True,
    )


def _no_entries() -> list[Any]:
    """What ``list`` is, whose signature pydantic would parse, four times, at each start."""
    return []


# ---- kinds of text -------------------------------------------------------------------------------------------------


# A pattern is the same for the models and for the JSON schemas that are made of them, which JavaScript (editors) and
# Go's RE2 (Helm) read as well: no look-around, no flags, no classes such as \\d, at most 1000 repetitions. What a text
# must not be is a second pattern.

INVISIBLE = (
    "\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff"
)
"""Control and format characters, blanks other than U+0020, and code points that are no characters: inside brackets.

pgBackRest's configuration has no quoting, Go's and Python's YAML disagree about some of them, and nobody can review
what cannot be seen.
"""


@dataclass(frozen=True, slots=True)
class Matching:
    """The pattern of a whole text, and one that is nowhere in it. expected: ends the error's sentence."""

    pattern: str
    expected: str
    excluded_pattern: str = ""

    @property
    def keywords(self) -> dict[str, Any]:
        """The JSON schema of the texts that match.

        The outer group costs nothing but two characters: where a pattern begins with ``^``, Go tries to prepare it for
        searches that keep their groups, which takes Helm half as long again as to compile it.
        """
        keywords: dict[str, Any] = {"pattern": f"(^({self.pattern})$)"}
        return {**keywords, "not": {"pattern": self.excluded_pattern}} if self.excluded_pattern else keywords

    def check(self, text: str) -> str:
        # Compiled at the first answer: most runs keep most defaults.
        if not re.fullmatch(self.pattern, text) or (self.excluded_pattern and re.search(self.excluded_pattern, text)):
            raise ValueError(f"{_echo(text) if text else 'nothing'} is not {self.expected}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), **self.keywords}


class _Printable(Matching):
    """Printable characters alone; the error names the first other one."""

    def check(self, text: str) -> str:
        if match := re.search(f"[{INVISIBLE}]", text):
            position = match.start() + 1
            if match[0] == "\t":
                raise ValueError(f"contains a tab at position {position}: write a blank in its place")
            raise ValueError(f"contains an invisible character, U+{ord(match[0]):04X} at position {position}")
        if self.excluded_pattern and re.search(self.excluded_pattern, text):
            raise ValueError("begins or ends with a blank")
        return text


VISIBLE = _Printable(f"[^{INVISIBLE}]*", "")
PRINTABLE = _Printable(f"[^{INVISIBLE}]*", "", "^ | $")  # blanks at the ends are lost where nothing is quoted


def _require_brackets(text: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text):
        raise ValueError(f"{_echo(text)} is an IPv6 address without brackets; expected such as [fd00::1]:9000")
    return text


def _endpoint_text(text: str) -> str:
    Endpoint.parse(text)  # refuses a port that is out of range, and what is no IP address
    return text


def _echo(text: str) -> str:
    """The text for a message: short, escaped, and without what looks like credentials in a URL."""
    text = re.sub(r"^([a-z0-9]*://)?.*@(?!sha256:)", r"\1***@", text, flags=re.DOTALL | re.IGNORECASE)
    return repr(text if len(text) <= 60 else text[:57] + "...")


_VARIABLE = "[A-Z_][A-Z0-9_]*"


def _variable(text: str) -> str:
    if not re.fullmatch(_VARIABLE, text):  # it may be the secret itself: not echoed, and not lower case
        raise ValueError(
            "is not the name of an environment variable; expected capitals such as DB_PASSWORD, never the value itself"
        )
    return text


def _size(text: str) -> str:
    quantities.size_bytes(text)
    return text


def _cpu(text: str) -> str:
    quantities.cpu_millis(text)
    return text


_NUMBER_LIMIT = 10**15
_ANY_NUMBER = {"type": "number", "exclusiveMinimum": -_NUMBER_LIMIT, "exclusiveMaximum": _NUMBER_LIMIT}


def _number_text(value: object) -> object:
    """YAML reads ``2`` and ``0.5`` as numbers; the answer is their text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) >= _NUMBER_LIMIT:
            raise ValueError(f"{value} is a number that not every reader of YAML keeps: put it in quotes")
        return str(value)  # the file's own spelling: yamlfile reads no other as a number
    return value


def _label_text(value: object) -> object:
    """Kubernetes takes text alone, and the labels and annotations of meshes are ``true`` and ``false``."""
    return str(value).lower() if isinstance(value, bool) else _number_text(value)


def is_free_key(key: str) -> bool:
    """Whether an answer may set this label or annotation: neither pgwizard nor Kubernetes does."""
    return not re.search(_RESERVED_KEY, key)


def _free_key(text: str) -> str:
    if not is_free_key(text):
        raise ValueError(f"{_echo(text)} is set by pgwizard or by Kubernetes; expected a key of your own")
    return text


def _parameter_text(value: object) -> object:
    """PostgreSQL's settings are text: ``true`` is on, ``1.1`` is 1.1."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return _number_text(value)


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DOMAIN = r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*"
_HOST = rf"({_DOMAIN}\.?|\[[^\[\]/]*\])"
_SCHEME = "([Hh][Tt][Tt][Pp][Ss]?://)?"
_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
# Go compiles maxLength and a refused pattern faster than this; in the middle of a pattern neither will do.
_WORD_OF_63 = _WORD.replace("*", "{0,61}")
_METADATA_KEY = rf"({_SUBDOMAIN}/)?{_WORD}"
_LONG_NAME = "[^/]{64}$"
_IMAGE_PART = r"[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*"

_RESERVED_KEY = (
    r"^(app\.kubernetes\.io/(name|instance|component|managed-by|version)"
    r"|((apps|batch|pod-security|statefulset)\.kubernetes\.io|checksum|helm\.sh|pgwizard)/.*"
    r"|job-name|controller-uid|controller-revision-hash)$"
)
LABEL_LENGTH = 63
LABEL_MATCHING = Matching(f"({_WORD})?", "a label's value; expected at most 63 letters, digits, - _ . such as disabled")

# Whole numbers of fewer digits than would overflow in their unit. 0.001 is the least: 1Ki is 1024 bytes.
_FRACTION = r"(\.[0-9]*)?"
_UNITS = (("", 18), ("(k|Ki)", 15), ("Mi?", 12), ("Gi?", 9), ("Ti?", 6), ("Pi?", 3))
_SIZE_MATCHING = Matching(
    r"\+?("
    + "|".join(f"0*[0-7]?[0-9]{{1,{digits}}}{_FRACTION}{unit}" for unit, digits in _UNITS)
    + rf"|0*[0-6]{_FRACTION}Ei?|\.[0-9]+([KMGTPE]i|[kMGTPE]))",
    "a size as an answer; expected digits and a unit up to Ei, such as 10Gi or 500Mi",
    r"^\+?0*(\.[0-9]*)?$|^\+?0*(\.(00?|000[0-9]*)?)?[A-Za-z]",
)
_CPU_MATCHING = Matching(
    rf"\+?(0*[0-9]{{1,15}}{_FRACTION}|\.[0-9]+)[num]?",
    "a CPU share as an answer; expected cores or thousandths of one, such as 2, 0.5 or 500m",
    "^[+0.]*[num]?$",
)

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
_N = "(0[Xx][0-9A-Fa-f]*|[0-9]+)"
_NO_OCTET = "(0[Xx][0-9A-Fa-f]*|0[0-9]+|[1-9][0-9]{3,}|[3-9][0-9]{2}|2([6-9][0-9]|5[6-9]))"
_NO_IPV4 = rf"({_N}(\.{_N}){{1,2}}|({_N}\.)+{_NO_OCTET}(\.{_N})*|{_NO_OCTET}(\.{_N})+|{_N}(\.{_N}){{4,}}|({_N}\.)+)"
"""Numbers and dots that are not an IPv4 address, but for a single number: programs read them differently."""
_GROUP = "[0-9A-Fa-f]+"
_LONG_GROUP = r"\[([0-9A-Fa-f:.]*)[0-9A-Fa-f]{5}"


def _ipv6() -> str:
    """Built from its end, so that no part of it is there twice: Helm compiles the pattern at each run."""
    eight, six = f"(:|{_GROUP})", ""  # what follows seven groups, or five before an IPv4 address
    for before in range(6, 0, -1):
        eight = f"(:({_GROUP}(:{_GROUP}){{0,{6 - before}}})?|{_GROUP}:{eight})"
    for before in range(5, 0, -1):
        six = f"(:({_GROUP}:){{0,{5 - before}}}|{_GROUP}:{six})"
    with_ipv4 = f"({_GROUP}:{six}|::({_GROUP}:){{0,5}}){_IPV4}"
    return f"{_GROUP}:{eight}|::({_GROUP}(:{_GROUP}){{0,6}})?|{with_ipv4}"


_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_ENDPOINT = "an S3 endpoint; expected host or host:port, such as minio.minio.svc:9000, without bucket and path"


def _scalar(text: Matching, **keywords: int) -> dict[str, Any]:
    """The schema of a text that YAML may also write as a number or a boolean."""
    return {
        "anyOf": [{"type": "string", "maxLength": 1024, **keywords, **text.keywords}, _ANY_NUMBER, {"type": "boolean"}]
    }


Text = Annotated[str, StringConstraints(min_length=1, max_length=1024), PRINTABLE]
Namespace = Annotated[
    str,
    StringConstraints(max_length=63),
    Matching(_LABEL, "a namespace; expected lower-case letters, digits and hyphens, such as shop"),
]
ObjectName = Annotated[
    str,
    StringConstraints(max_length=253),
    Matching(_SUBDOMAIN, "an object's name; expected lower-case letters, digits, hyphens and dots, such as minio-tls"),
]
SecretKey = Annotated[
    str,
    StringConstraints(max_length=253),
    Matching("[-._a-zA-Z0-9]+", "a key of a Secret; expected letters, digits, - _ . such as tls.crt", r"^\.\.?$"),
]
Identifier = Annotated[
    str,
    StringConstraints(max_length=63),
    Matching(
        "[A-Za-z_][-A-Za-z0-9_]*",
        "a plain PostgreSQL name; expected letters, digits, _ and -, not beginning with pg_, such as myapp",
        "^pg_",
    ),
]
Variable = Annotated[
    str, StringConstraints(max_length=255), AfterValidator(_variable), Matching(_VARIABLE, "the name of a variable")
]
Size = Annotated[
    str,
    StringConstraints(max_length=32),
    BeforeValidator(_number_text),
    AfterValidator(_size),
    _SIZE_MATCHING,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 1, "exclusiveMaximum": _NUMBER_LIMIT},
                {"type": "string", "maxLength": 32, **_SIZE_MATCHING.keywords},
            ]
        }
    ),
]
Cpu = Annotated[
    str,
    StringConstraints(max_length=32),
    BeforeValidator(_number_text),
    AfterValidator(_cpu),
    _CPU_MATCHING,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0.0001, "exclusiveMaximum": _NUMBER_LIMIT},
                {"type": "string", "maxLength": 32, **_CPU_MATCHING.keywords},
            ]
        }
    ),
]
MetadataKey = Annotated[
    str,
    StringConstraints(max_length=317),
    AfterValidator(_free_key),
    Matching(
        _METADATA_KEY,
        "a key of a label or an annotation; expected such as sidecar.istio.io/inject",
        f"{_RESERVED_KEY}|{_LONG_NAME}",
    ),
]
NodeLabel = Annotated[
    str,
    StringConstraints(max_length=317),
    Matching(_METADATA_KEY, "a label of nodes; expected such as topology.kubernetes.io/zone", _LONG_NAME),
]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=LABEL_LENGTH),
    BeforeValidator(_label_text),
    LABEL_MATCHING,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": LABEL_LENGTH, **LABEL_MATCHING.keywords},
                {**_ANY_NUMBER, "minimum": 0},
                {"type": "boolean"},
            ]
        }
    ),
]
TolerationText = Annotated[
    str,
    StringConstraints(max_length=512),
    Matching(
        f"({_SUBDOMAIN}/)?{_WORD_OF_63}(=({_WORD_OF_63})?)?(:(NoSchedule|PreferNoSchedule|NoExecute))?",
        "a taint as kubectl taint spells it; expected key=value:effect, key:effect or key, such as "
        "dedicated=database:NoSchedule",
    ),
]
AnnotationValue = Annotated[
    str,
    StringConstraints(max_length=1024),
    BeforeValidator(_label_text),
    PRINTABLE,
    WithJsonSchema(_scalar(PRINTABLE)),
]
ParameterName = Annotated[
    str,
    StringConstraints(max_length=63),
    Matching(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", "a parameter's name; expected lower case, such as work_mem"),
]
ParameterValue = Annotated[
    str,
    StringConstraints(max_length=1024),
    BeforeValidator(_parameter_text),
    VISIBLE,  # blanks at its ends belong to it, as in log_line_prefix
    WithJsonSchema(_scalar(VISIBLE)),
]
OptionName = Annotated[
    str,
    StringConstraints(max_length=63),
    Matching(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "a pgBackRest option; expected lower case, such as archive-timeout"),
]
OptionValue = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1024),
    BeforeValidator(_number_text),
    BeforeValidator(lambda value: {True: "y", False: "n"}[value] if isinstance(value, bool) else value),
    PRINTABLE,
    WithJsonSchema(_scalar(PRINTABLE, minLength=1)),
]
EndpointText = Annotated[
    str,
    StringConstraints(max_length=255),
    AfterValidator(_require_brackets),
    AfterValidator(Matching(rf"{_SCHEME}{_HOST}(:[0-9]{{1,5}})?/?", _ENDPOINT).check),
    AfterValidator(_endpoint_text),  # names the wrong port or address
    Matching(
        rf"{_SCHEME}({_DOMAIN}\.?|\[({_ipv6()})\])(:{_PORT})?/?",
        _ENDPOINT,
        rf"{_LONG_GROUP}|^{_SCHEME}({_NO_IPV4}|{_N})(:|/|$)",
    ),
]
Bucket = Annotated[
    str,
    StringConstraints(min_length=3, max_length=255),
    # Capitals and underscores are of older AWS buckets and of other vendors.
    Matching(
        r"[A-Za-z0-9][-._A-Za-z0-9]*[A-Za-z0-9]", "a bucket's name; expected letters, digits, hyphens, dots and _"
    ),
]
Region = Annotated[
    str,
    StringConstraints(max_length=128),
    # Ceph, OpenStack and others have spellings of their own; only what would break a signature's scope is refused.
    Matching(r"[!-+\-.0-~]+", "a region; expected the server's own spelling without blanks, commas and slashes"),
]


def _without_last_slash(text: str) -> str:
    if text.startswith("/") and text != "/" and text.endswith("/"):
        raise ValueError(f"ends with a slash: write {text.rstrip('/') or '/'}")
    return text


RepositoryPath = Annotated[
    str,
    StringConstraints(max_length=512),
    PRINTABLE,
    AfterValidator(_without_last_slash),  # clearer than the pattern, which refuses it too
    Matching(
        f"/|(/[^/{INVISIBLE}]+)+",
        "a path in the bucket; expected an absolute one, such as /postgresql",
        r"/\.\.?(/|$)| $",
    ),
]
Image = Annotated[
    str,
    StringConstraints(max_length=512),
    Matching(
        rf"({_DOMAIN}(:[0-9]{{1,5}})?/)?{_IMAGE_PART}(/{_IMAGE_PART})*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?",
        "an image; expected name:tag, such as postgres:15-bookworm",
        rf":[^:/@]{{129}}|^({_NO_IPV4}(:[0-9]+)?|{_N}:[0-9]+)/",  # a tag's length; a registry of numbers
    ),
]
PgBackRestVersion = Annotated[
    str, Matching(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?", 'a version of pgBackRest in quotes, such as "2.45"')
]


# ---- the sections --------------------------------------------------------------------------------------------------


class Release(Section):
    """The release's name, its namespace and its database."""

    name: Annotated[
        str,
        StringConstraints(max_length=36),
        Matching(
            r"[a-z]([-a-z0-9]*[a-z0-9])?",
            "a release's name; expected lower-case letters, digits and hyphens, beginning with a letter",
        ),
        Question("Name", "Names every object; 36 characters at most, so that a CronJob's name still fits into its 52."),
    ] = "postgresql"
    namespace: Annotated[
        Namespace,
        Question(
            "Namespace", "Where the objects are created. A namespace of its own limits who has access.", "namespaces"
        ),
    ] = "default"
    create_namespace: Annotated[
        bool,
        Question(
            "Create the namespace", "Creates the namespace with Pod Security restricted, which this release meets."
        ),
    ] = False
    database: Annotated[
        Identifier,
        Question("Database", "The database that the first start creates; often the application's name."),
    ] = "myapp"


class GeneratedCredentials(Section):
    """A new password, generated by the first apply and never changed."""

    source: Annotated[Literal["generate"], Field(alias="from")] = "generate"
    username: Annotated[Identifier, Question("Superuser", "The superuser that the first start creates.")] = "postgres"


class ExistingCredentials(Section):
    """A Secret in the release's namespace that you manage."""

    source: Annotated[Literal["existing"], Field(alias="from")]
    secret: Annotated[ObjectName, Question("Secret", "The Secret with the superuser's name and password.", "secrets")]
    username_key: Annotated[SecretKey, Question("Key of the name", "The key that holds the superuser's name.")] = (
        "username"
    )
    password_key: Annotated[SecretKey, Question("Key of the password", "The key that holds the password.")] = "password"


class EnvCredentials(Section):
    """Two variables of the shell that runs the apply."""

    source: Annotated[Literal["env"], Field(alias="from")]
    username: Annotated[Variable, Question("Variable of the name", "The variable that holds the superuser's name.")]
    password: Annotated[Variable, Question("Variable of the password", "The variable that holds the password.")]


class FileCredentials(Section):
    """Two files, read by the apply; paths are relative to the file of answers."""

    source: Annotated[Literal["file"], Field(alias="from")]
    username: Annotated[Text, Question("File of the name", "The file that holds the superuser's name.")]
    password: Annotated[Text, Question("File of the password", "The file that holds the password.")]


DatabaseCredentials = Annotated[
    GeneratedCredentials | ExistingCredentials | EnvCredentials | FileCredentials,
    Field(discriminator="source"),
    Question("Credentials", "Where the superuser's name and password come from; never the values themselves."),
]


class Storage(Section):
    """The volume that holds the database and, during an S3 outage, its WAL."""

    size: Annotated[
        Size, Question("Size", "Data, plus the WAL that piles up during an S3 outage. It can grow later, never shrink.")
    ] = "10Gi"
    storage_class: Annotated[
        ObjectName | None,
        Question(
            "StorageClass",
            "Which StorageClass creates the volume. One that can expand lets you grow it later; "
            "null: the cluster's default.",
            "storageClasses",
        ),
    ] = None
    data_checksums: Annotated[
        bool,
        Question(
            "Data checksums",
            "Whether PostgreSQL detects damaged pages, and each backup and drill with it. Fixed once there is a "
            "database; PostgreSQL 18 has them always.",
        ),
    ] = True


class Tuning(Section):
    """The pod's resources, and the PostgreSQL settings that follow from them."""

    profile: Annotated[
        Literal["web", "oltp", "dw", "desktop", "mixed"],
        Question("Workload", "What most of the queries look like; mixed when you do not know."),
    ] = "mixed"
    memory: Annotated[Size, Question("Memory limit", "The pod's memory limit; every other number follows from it.")] = (
        "1Gi"
    )
    cpu: Annotated[
        Cpu, Question("CPU", "How many cores PostgreSQL is tuned for; it uses parallel query from 4 on.")
    ] = "2"
    connections: Annotated[
        int,
        Field(ge=4, le=10_000),  # three are the superuser's
        Question("Connections", "max_connections. For more than a few hundred use a connection pooler."),
    ] = 100
    disk: Annotated[
        Literal["ssd", "nvme", "hdd", "san"],
        Question("Disk", "The kind of disk below the volume; decides the cost of random reads."),
    ] = "ssd"
    data_size: Annotated[
        Literal["unknown", "fits-in-memory", "exceeds-memory"],
        Question("Data and memory", "Whether the data that is read often fits into memory; choose unknown if unsure."),
    ] = "unknown"
    archive_timeout_seconds: Annotated[
        int,
        Field(ge=0, le=86_400),
        Question(
            "Archive timeout (s)",
            "How much a quiet database can lose (RPO); 0 archives only full segments.",
        ),
    ] = 60
    parameters: Annotated[
        dict[ParameterName, ParameterValue],
        Question("Overrides", "Any parameter of postgresql.conf, as name: value; it wins over the computed one."),
    ] = Field(default_factory=dict)


class Resources(Section):
    """What the scheduler reserves; the memory limit is tuning.memory."""

    memory_request: Annotated[
        Size | None,
        Question(
            "Memory request", "The memory that is reserved. null: the whole limit, which the node cannot reclaim."
        ),
    ] = None
    cpu_request: Annotated[Cpu, Question("CPU request", "The CPU that is reserved, also on a busy node.")] = "250m"
    cpu_limit: Annotated[Cpu | None, Question("CPU limit", "The most CPU that the pod may use. null: tuning.cpu.")] = (
        None
    )


class ExistingS3Credentials(Section):
    """A Secret that you manage; one in another namespace is mirrored by the apply."""

    source: Annotated[Literal["existing"], Field(alias="from")] = "existing"
    secret: Annotated[ObjectName, Question("Secret", "The Secret with the S3 key pair.", "secrets")] = (
        "postgresql-pgbackrest-s3"
    )
    namespace: Annotated[
        Namespace | None,
        Question(
            "Its namespace",
            "The Secret's namespace; null: the release's own. Another one is mirrored.",
            "namespaces",
        ),
    ] = None
    access_key_key: Annotated[SecretKey, Question("Key of the access key", "The key that holds the access key.")] = (
        "accessKey"
    )
    secret_key_key: Annotated[SecretKey, Question("Key of the secret key", "The key that holds the secret key.")] = (
        "secretKey"
    )


class EnvS3Credentials(Section):
    """Two variables of the shell that runs the apply."""

    source: Annotated[Literal["env"], Field(alias="from")]
    access_key: Annotated[Variable, Question("Variable of the access key", "The variable that holds the access key.")]
    secret_key: Annotated[Variable, Question("Variable of the secret key", "The variable that holds the secret key.")]


class FileS3Credentials(Section):
    """Two files, read by the apply; paths are relative to the file of answers."""

    source: Annotated[Literal["file"], Field(alias="from")]
    access_key: Annotated[Text, Question("File of the access key", "The file that holds the access key.")]
    secret_key: Annotated[Text, Question("File of the secret key", "The file that holds the secret key.")]


S3Credentials = Annotated[
    ExistingS3Credentials | EnvS3Credentials | FileS3Credentials,
    Field(discriminator="source"),
    Question("S3 credentials", "Where the S3 key pair comes from; never the values themselves."),
]


class ExistingCipher(Section):
    """A Secret in the release's namespace with the passphrase."""

    source: Annotated[Literal["existing"], Field(alias="from")]
    secret: Annotated[ObjectName, Question("Secret", "The Secret with the passphrase.", "secrets")]
    passphrase_key: Annotated[SecretKey, Question("Key of the passphrase", "The key that holds the passphrase.")] = (
        "passphrase"
    )


class EnvCipher(Section):
    """A variable of the shell that runs the apply."""

    source: Annotated[Literal["env"], Field(alias="from")]
    passphrase: Annotated[Variable, Question("Variable of the passphrase", "The variable that holds the passphrase.")]


class FileCipher(Section):
    """A file, read by the apply; its path is relative to the file of answers."""

    source: Annotated[Literal["file"], Field(alias="from")]
    passphrase: Annotated[Text, Question("File of the passphrase", "The file that holds the passphrase.")]


Cipher = Annotated[
    Annotated[ExistingCipher | EnvCipher | FileCipher, Field(discriminator="source")] | None,
    Question(
        "Encryption",
        "A passphrase encrypts backups (AES-256). It cannot be changed later, and without it no backup can be read. "
        "null: no encryption.",
    ),
]


class Repository(Section):
    """Where backups are stored: a bucket of S3, or of a compatible server."""

    enabled: Annotated[
        bool, Question("Backups", "Whether backups are taken and WAL is archived. false: nothing can be recovered.")
    ] = True
    endpoint: Annotated[
        EndpointText,
        Question("Endpoint", "Host and port of the S3 API (not of its console) as the pod reaches it.", "services"),
    ] = "minio.minio.svc:9000"
    bucket: Annotated[Bucket, Question("Bucket", "It must exist: pgBackRest never creates one.")] = "backups"
    region: Annotated[
        Region,
        Question(
            "Region",
            "The server's region, in the server's spelling. MinIO accepts any, unless one is configured.",
        ),
    ] = "us-east-1"
    path: Annotated[
        RepositoryPath, Question("Path", "The folder in the bucket. Each database needs a folder of its own.")
    ] = "/postgresql"
    uri_style: Annotated[
        Literal["path", "host"],
        Question("URI style", "Where the bucket is in a URL: path for MinIO and most others, or the host name."),
    ] = "path"
    credentials: S3Credentials = Field(default_factory=ExistingS3Credentials.model_construct)
    cipher: Cipher = None

    @property
    def s3_endpoint(self) -> Endpoint:
        """The endpoint taken apart."""
        return Endpoint.parse(self.endpoint)


class CaSource(Section):
    """The Secret that holds the certificate to trust, wherever it is; it is mirrored into the release's namespace."""

    namespace: Annotated[Namespace, Question("Namespace", "The namespace of that Secret.", "tlsSecrets")] = "minio"
    secret: Annotated[ObjectName, Question("Secret", "The Secret that holds the certificate.", "tlsSecrets")] = (
        "minio-tls"
    )
    key: Annotated[
        SecretKey,
        Question(
            "Key",
            "The key that holds it: tls.crt for a self-signed server, ca.crt where an authority signed it.",
            "tlsSecrets",
        ),
    ] = "tls.crt"


class Tls(Section):
    """How pgBackRest verifies the S3 server."""

    verify: Annotated[
        bool,
        Question(
            "Verify",
            "Whether the server's certificate is checked. false: any server can receive the backups; for tests only.",
        ),
    ] = True
    source: Annotated[
        CaSource | None,
        Question(
            "CA certificate",
            "The Secret with the certificate to trust. null: only the public authorities.",
        ),
    ] = Field(default_factory=CaSource.model_construct)
    ca_file: Annotated[
        Text | None,
        Question(
            "Certificate file", "A PEM file used where the Secret cannot be looked up; relative to the file of answers."
        ),
    ] = None


class Schedule(Section):
    """When backups are taken."""

    full: Annotated[
        Text, Question("Full backup", "Cron: minute, hour, day, month, weekday. A quiet hour once a week is good.")
    ] = "0 2 * * 0"
    incremental: Annotated[
        Text,
        Question(
            "Incremental backup", "Cron. Choose days without a full backup; frequent backups make restores faster."
        ),
    ] = "0 2 * * 1-6"
    verify: Annotated[
        Text | None,
        Question(
            "Verification",
            "Cron: when all backups and WAL are read to find damaged files; never beside a backup. null: never.",
        ),
    ] = "0 5 1 * *"
    drill: Annotated[
        Text | None,
        Question(
            "Restore drill",
            "Cron: when the newest state is restored into a volume of its own and checked. null: never.",
        ),
    ] = None
    """Off: it takes a second volume of the database's size, and a place for a pod. Whether there is either, and what
    reading a whole backup costs, only who runs the cluster knows; a drill that finds no room would only raise alarms.
    """
    time_zone: Annotated[Text, Question("Time zone", "IANA name, for all schedules. Etc/UTC has no clock changes.")] = (
        "Etc/UTC"
    )


class Retention(Section):
    """How long backups are kept."""

    full: Annotated[
        Annotated[int, Field(ge=1, le=9_999_999)] | None,
        Question(
            "Full backups kept",
            "Their incrementals and WAL are kept too. null: nothing is deleted, and the bucket grows without limit.",
        ),
    ] = 2
    full_type: Annotated[
        Literal["count", "time"],
        Question("Counted in", "count: keep this number of full backups. time: keep those of this number of days."),
    ] = "count"


class GzCompression(Section):
    """Works everywhere; slow."""

    type: Literal["gz"] = "gz"
    level: Annotated[
        int, Field(ge=0, le=9), Question("Level", "6 is gz's default; higher levels are slower for little gain.")
    ] = 6


class ZstCompression(Section):
    """What pgBackRest recommends for a new repository: smaller and several times faster than gz."""

    type: Literal["zst"]
    level: Annotated[int, Field(ge=-7, le=22), Question("Level", "3 is zst's default.")] = 3


class Lz4Compression(Section):
    """The fastest, with the largest backups."""

    type: Literal["lz4"]
    level: Annotated[int, Field(ge=-5, le=12), Question("Level", "1 is lz4's default.")] = 1


class Bz2Compression(Section):
    """Small and very slow."""

    type: Literal["bz2"]
    level: Annotated[int, Field(ge=1, le=9), Question("Level", "9 is bz2's default.")] = 9


class NoCompression(Section):
    """No compression."""

    type: Literal["none"]


Compression = Annotated[
    GzCompression | ZstCompression | Lz4Compression | Bz2Compression | NoCompression,
    Field(discriminator="type"),
    Question("Compression", "How backups and WAL are compressed; gz works everywhere, zst is faster and smaller."),
]


class Images(Section):
    """The container images, and the versions in them."""

    postgresql: Annotated[
        Image,
        Question("PostgreSQL image", "Contains PostgreSQL, pgBackRest and public CAs; image/Containerfile builds it."),
    ] = "aryan-laptophp/postgres-pgbackrest:15.0"
    postgresql_version: Annotated[
        int,
        Field(ge=13, le=18),
        Question("PostgreSQL version", "The major version in the image; decides which parameters are known."),
    ] = 15
    pgbackrest_version: Annotated[
        PgBackRestVersion, Question("pgBackRest version", "The version in the image; decides which options are known.")
    ] = "2.45"
    kubectl: Annotated[
        Image, Question("kubectl image", "Starts the backups inside the database's pod; contains only kubectl.")
    ] = "registry.k8s.io/kubectl:v1.34.4"
    pull_policy: Annotated[
        Literal["IfNotPresent", "Always", "Never"],
        Question("Pull policy", "IfNotPresent suits a tag that never changes; Always is for one that does."),
    ] = "IfNotPresent"
    pull_secrets: Annotated[
        list[ObjectName],
        Question("Pull Secrets", "Secrets in the release's namespace with the login of a private registry."),
    ] = Field(default_factory=_no_entries)


class Advanced(Section):
    """For experienced users. The defaults suit a first release."""

    process_max: Annotated[
        Annotated[int, Field(ge=1, le=999)] | None,
        Question("Processes", "process-max of a backup. null: one per core."),
    ] = None
    bundle: Annotated[bool, Question("Bundle small files", "repo1-bundle: hundreds of objects become a handful.")] = (
        True
    )
    block: Annotated[
        bool,
        Question(
            "Block incremental",
            "repo1-block: incrementals store only changed blocks. Needs 2.52.1 or newer, and bundles.",
        ),
    ] = False
    archive_async: Annotated[
        bool,
        Question("Asynchronous archive", "archive-async: pushes WAL in batches; for databases that write a lot."),
    ] = False
    archive_push_queue_max: Annotated[
        Size | None,
        Question(
            "Drop WAL beyond",
            "archive-push-queue-max: above it WAL is dropped, and recovery ends there. null: never.",
        ),
    ] = None
    log_level: Annotated[
        Literal["off", "error", "warn", "info", "detail", "debug", "trace"],
        Question("Log level", "log-level-console: how detailed the logs of backups are; info is enough."),
    ] = "info"
    network_policy: Annotated[
        bool,
        Question(
            "NetworkPolicy",
            'Allows connections only from pods labelled <release>-client: "true", and only to DNS and S3.',
        ),
    ] = False
    prometheus_rule: Annotated[
        bool,
        Question(
            "PrometheusRule",
            "Alerts on failed, missed and suspended backups. Needs the Prometheus Operator and kube-state-metrics.",
        ),
    ] = False
    options: Annotated[
        dict[OptionName, OptionValue], Question("Options", "Any other option of pgbackrest.conf, as name: value.")
    ] = Field(default_factory=dict)


class Pods(Section):
    """Where the pods run, and what the cluster's policies ask of them."""

    labels: Annotated[
        dict[MetadataKey, LabelValue],
        Question("Labels", "For every object and pod but the volume claim, such as team: payments."),
    ] = Field(default_factory=dict)
    annotations: Annotated[
        dict[MetadataKey, AnnotationValue],
        Question("Annotations", "For the database's pod; jobs.annotations are for the backup Jobs."),
    ] = Field(default_factory=dict)
    node_selector: Annotated[
        dict[NodeLabel, LabelValue],
        Question("Node selector", "Labels that a node must have to run the database and its backups."),
    ] = Field(default_factory=dict)
    tolerations: Annotated[
        list[TolerationText],
        Question("Tolerations", "Taints that do not keep the pods away, such as dedicated=database:NoSchedule."),
    ] = Field(default_factory=_no_entries)
    priority_class: Annotated[
        ObjectName | None,
        Question("PriorityClass", "Decides which pods go first where a node is full. null: the cluster's default."),
    ] = None
    runtime_class: Annotated[
        ObjectName | None,
        Question("RuntimeClass", "The container runtime of the pods, such as gvisor. null: the node's default."),
    ] = None
    service_account: Annotated[
        ObjectName | None,
        Question(
            "ServiceAccount",
            "An existing one for the database's pod, which gets no token of it. null: default. Backups have their own.",
        ),
    ] = None
    ephemeral_storage_request: Annotated[
        Size | None,
        Question("Ephemeral storage request", "Reserved for the logs and /tmp of each container. null: none."),
    ] = None
    ephemeral_storage_limit: Annotated[
        Size | None,
        Question(
            "Ephemeral storage limit",
            "For each container; a pod that writes more is evicted. null: only /tmp is bounded.",
        ),
    ] = None


class InitContainer(Section):
    """Resources of the init container, which prepares the certificates."""

    cpu_request: Annotated[
        Cpu,
        Question("Init: CPU request", "Reserved for the init container. A LimitRange may require more."),
    ] = "50m"
    cpu_limit: Annotated[Cpu, Question("Init: CPU limit", "The most CPU that it may use.")] = "1"
    memory_request: Annotated[Size, Question("Init: memory request", "The memory that is reserved for it.")] = "32Mi"
    memory_limit: Annotated[Size, Question("Init: memory limit", "openssl reads all certificates; 64Mi is enough.")] = (
        "64Mi"
    )


class BackupJobs(Section):
    """Resources and labels of the backup Jobs, whose containers run only kubectl."""

    cpu_request: Annotated[
        Cpu, Question("Jobs: CPU request", "Reserved for each container of the backup Jobs, which run only kubectl.")
    ] = "20m"
    cpu_limit: Annotated[Cpu, Question("Jobs: CPU limit", "The most CPU that it may use.")] = "500m"
    memory_request: Annotated[Size, Question("Jobs: memory request", "The memory that is reserved for it.")] = "32Mi"
    memory_limit: Annotated[Size, Question("Jobs: memory limit", "kubectl needs 64Mi.")] = "128Mi"
    labels: Annotated[
        dict[MetadataKey, LabelValue],
        Question("Jobs: labels", 'For Jobs and their pods. sidecar.istio.io/inject: "false" keeps Istio out.'),
    ] = Field(default_factory=dict)
    annotations: Annotated[
        dict[MetadataKey, AnnotationValue],
        Question("Jobs: annotations", "For Jobs and their pods. linkerd.io/inject: disabled keeps Linkerd out."),
    ] = Field(default_factory=dict)


class Answers(Section):
    """All that a person decides about a release."""

    release: Annotated[Release, Page("Release")] = Field(default_factory=Release.model_construct)
    images: Annotated[Images, Page("Release")] = Field(default_factory=Images.model_construct)
    credentials: Annotated[DatabaseCredentials, Page("Database")] = Field(
        default_factory=GeneratedCredentials.model_construct
    )
    storage: Annotated[Storage, Page("Storage")] = Field(default_factory=Storage.model_construct)
    tuning: Annotated[Tuning, Page("Tuning")] = Field(default_factory=Tuning.model_construct)
    resources: Annotated[Resources, Page("Tuning")] = Field(default_factory=Resources.model_construct)
    repository: Annotated[Repository, Page("Repository")] = Field(default_factory=Repository.model_construct)
    tls: Annotated[Tls, Page("TLS")] = Field(default_factory=Tls.model_construct)
    schedule: Annotated[Schedule, Page("Schedule")] = Field(default_factory=Schedule.model_construct)
    retention: Annotated[Retention, Page("Schedule")] = Field(default_factory=Retention.model_construct)
    compression: Annotated[Compression, Page("Repository")] = Field(default_factory=GzCompression.model_construct)
    advanced: Annotated[Advanced, Page("Advanced")] = Field(default_factory=Advanced.model_construct)
    pods: Annotated[Pods, Page("Advanced")] = Field(default_factory=Pods.model_construct)
    init_container: Annotated[InitContainer, Page("Advanced")] = Field(default_factory=InitContainer.model_construct)
    jobs: Annotated[BackupJobs, Page("Advanced")] = Field(default_factory=BackupJobs.model_construct)

    def has_tls_mirror(self) -> bool:
        """Whether a certificate is mirrored and trusted, rather than the public authorities."""
        return self.repository.enabled and self.tls.verify and bool(self.tls.source or self.tls.ca_file)


def question_of(metadata: list[Any]) -> Question | None:
    """The question among a field's metadata."""
    return next((item for item in metadata if isinstance(item, Question)), None)


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections among an annotation's alternatives, in their order."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in sections_in(part)]
