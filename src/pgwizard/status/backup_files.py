"""Whether the files of each backup are there, in the size that its manifest has, and which pages were damaged.

Two scripts run in the database's pod, so that only what differs leaves it: ``listing_command`` prints a fingerprint of
each backup's folder, and ``comparison_command`` compares the files of backups with their manifests, by name and size;
nothing is downloaded but manifests. A backup whose fingerprint is known is not compared again; where none is,
``first_command`` does both at once. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pgwizard.plan.names import STANZA
from pgwizard.status.repository import Backup, DamagedPages, FileFault, is_label
from pgwizard.text import fit, plain

FAULTS_NAMED = 5
"""So many files and relations of one backup are named; the others are counted."""
_COMPARED_AT_ONCE = 40

# A record ends with "}": a name may hold one too, and is then put together again.
_FILES = r"""
function text(name) { gsub(/\\"/, "\"", name); gsub(/\\\\/, "\\", name); return name }
BEGIN { RS = "[}]" }
{ record = part $0; part = "" }
record !~ /":[{]"type":"[a-z]+"(,[^{]*)?$/ { part = record "}"; next }
match(record, /":[{]"type":"file","size":[0-9]+,"time":[0-9]+$/) {
  name = substr(record, 1, RSTART - 1); sub(/^[,{]"/, "", name); split(substr(record, RSTART), size, /[:,]/)
  print size[5] + 0, text(name)
}
"""
_FINGERPRINTS = r"""
{ name = substr($0, index($0, " ") + 1); slash = index(name, "/"); if (!slash) next
  label = substr(name, 1, slash - 1); count[label]++; bytes[label] += $1
  order[label] += ($1 % 9973) * count[label] }
END { for (label in count) printf "files %s %d %.0f %.0f\n", label, count[label], bytes[label], order[label] }
"""
# Input: the files that are there, then the manifest. Output: the faults; "file" lines name the files that they damage.
_COMPARISON = rf"""
function value(key,   at, rest) {{
  at = index(about, "\"" key "\":"); if (!at) return ""
  rest = substr(about, at + length(key) + 3)
  if (rest ~ /^"/) {{ rest = substr(rest, 2); return substr(rest, 1, index(rest, "\"") - 1) }}
  match(rest, /^[^,}}]*/); return substr(rest, 1, RLENGTH)
}}
function fault(path, expected) {{
  if (path in there && there[path] == expected) return 0
  if (faults++ < {FAULTS_NAMED}) print "fault", label, expected, (path in there ? there[path] : "-"), path
  return 1
}}
function stored(name, bi,   path) {{ path = name (bi != "" ? ".pgbi" : ending); return path }}
NR == FNR {{ path = substr($0, index($0, " ") + 1); there[path] = $1; next }}
/^\[/ {{ section = $0; next }}
section == "[backup]" && /^backup-bundle=true/ {{ is_bundled = 1 }}
section == "[backup:option]" && /^option-compress-type=/ {{
  split($0, parts, "\""); ending = parts[2] == "none" ? "" : "." parts[2]
}}
section == "[db]" {{ about = $0; database[value("db-id")] = substr($0, 1, index($0, "={{") - 1) }}
section != "[target:file]" || !/=[{{]"/ {{ next }}
{{
  at = index($0, "={{\""); name = substr($0, 1, at - 1); about = substr($0, at + 1)
  if (index(about, "\"checksum-page\":false") && match(about, /"checksum-page-error":[[][^"}}]*[]],?/)) {{
    pages = substr(about, RSTART + 22, RLENGTH - 22); sub(/,$/, "", pages); split(name, folders, "/")
    oid = folders[2] == "base" ? folders[3] : folders[1] == "pg_tblspc" ? folders[4] : ""
    if (name ~ /^[A-Za-z0-9_.\/]+$/ && damaged_pages++ < {FAULTS_NAMED}) print "page", label, name, pages, database[oid]
  }}
  if (index(about, "\"reference\":")) next
  size = value("size") + 0; repo = value("repo-size"); repo = repo == "" ? size : repo + 0; bundle = value("bni")
  if (is_bundled && size == 0) next
  if (bundle != "") {{ end = value("bno") + repo; if (end > ends[bundle]) ends[bundle] = end; next }}
  if (fault(stored(name, value("bi")), repo)) print "file", label, name
}}
END {{
  for (bundle in ends) {{
    path = "bundle/" bundle  # what follows the last file in it does no harm
    if (!(path in there) || there[path] < ends[bundle]) {{ fault(path, ends[bundle]); print "bundle", label, bundle }}
  }}
  if (faults) print "faults", label, faults
  if (damaged_pages) print "pages", label, damaged_pages
}}
"""
# Names of the files in damaged bundles: what a later backup that builds on them cannot restore.
_BUNDLE_FILES = r"""
/^\[/ { section = $0; next }
section != "[target:file]" || index($0, "\"reference\":") { next }
match($0, /"bni":[0-9]+/) {
  bundle = substr($0, RSTART + 6, RLENGTH - 6); name = substr($0, 1, index($0, "={\"") - 1)
  if (index(bundles, " " bundle " ")) print "file", label, name
}
"""
# Whether a later backup draws on a damaged file: by a reference, or by blocks of it, which its own file leaves out.
_NEEDS = r"""
NR == FNR { name = substr($0, index($0, " ") + 1); owner = substr(name, 1, index(name, " ") - 1)
  bad[substr(name, index(name, " ") + 1)] = bad[substr(name, index(name, " ") + 1)] " " owner; next }
/^\[/ { section = $0; next }
section != "[target:file]" { next }
{ name = substr($0, 1, index($0, "={\"") - 1); if (!(name in bad)) next
  count = split(bad[name], owners, " ")
  for (number = 1; number <= count; number++) {
    owner = owners[number]
    if (index($0, "\"reference\":\"" owner "\"") || index($0, "{\"bi\":")) needs[owner] = 1
  } }
END { for (owner in needs) print "needs", label, owner }
"""
_HEAD = f"""set -euo pipefail
shopt -s inherit_errexit  # else a failure of the store within $(...) is taken for an empty file
io_timeout=$1 root=backup/$2
shift 2
repository() {{ pgbackrest --log-level-console=off --log-level-stderr=error --io-timeout="$io_timeout" "$@"; }}
present() {{ repository --ignore-missing repo-get "$1" || {{ code=$?; [ "$code" = 1 ] || exit "$code"; }}; }}
either() {{
  local name text
  for name in "$1" "$1.copy"; do
    text=$(present "$name")
    case $text in *backrest-checksum=*) printf '%s\\n' "$text"; return ;; esac
  done
}}
labels() {{ either "$root/backup.info" | sed -n 's/^\\([0-9]\\{{8\\}}-[0-9]*F[^=]*\\)={{.*/\\1/p'; }}
files() {{ repository repo-ls --output=json --recurse "$root${{1:+/$1}}" | awk '{_FILES}'; }}
"""
_LIST = f"""labels | sed 's/^/backup /'
files "" | awk '{_FINGERPRINTS}'
"""
_COMPARE = f"""damage=
for label in "$@"; do
  manifest=$(either "$root/$label/backup.manifest")
  if [ -z "$manifest" ]; then echo "manifest $label"; continue; fi
  there=$(files "$label")
  found=$(awk -v label="$label" '{_COMPARISON}' <(printf '%s\\n' "$there") <(printf '%s\\n' "$manifest"))
  printf '%s\\n' "$found" | sed -n '/^\\(fault\\|faults\\|page\\|pages\\) /p'
  bundles=$(printf '%s\\n' "$found" | awk '$1 == "bundle" {{ printf " %s ", $3 }}')
  damage+=$(printf '%s\\n' "$found" | sed -n '/^file /p'; [ -z "$bundles" ] ||
    printf '%s\\n' "$manifest" | awk -v label="$label" -v bundles="$bundles" '{_BUNDLE_FILES}')
  damage+=$'\\n'
  echo "compared $label"
done
current=$(labels)
if [ -n "${{damage//[[:space:]]/}}" ]; then
  for label in $current; do
    case $label in *_*) ;; *) continue ;; esac
    chain=$(printf '%s' "$damage" | awk -v full="${{label%%_*}}" -v label="$label" \\
      '$2 != label && $2 < label && index($2, full) == 1')
    if [ -z "$chain" ]; then continue; fi
    manifest=$(either "$root/$label/backup.manifest")
    awk -v label="$label" '{_NEEDS}' <(printf '%s\\n' "$chain") <(printf '%s\\n' "$manifest")
  done
fi
printf '%s\\n' "$current" | sed -n 's/^./backup &/p'
"""
_LISTING, _COMPARISONS = f"{_HEAD}\n{_LIST}", f"{_HEAD}\n{_COMPARE}"
_LISTING_END = "listed"
_FIRST = f"""{_HEAD}
listing=$({_LIST})
printf '%s\\n' "$listing" {_LISTING_END}
newest=$(printf '%s\\n' "$listing" | sed -n 's/^backup //p' | LC_ALL=C sort -r | sed -n 1,{_COMPARED_AT_ONCE}p | sort)
if [ -z "$newest" ]; then exit 0; fi
mapfile -t labels <<< "$newest"
set -- "${{labels[@]}}"
{_COMPARE}"""
MANIFEST = "backup.manifest"
LISTING_NAME, COMPARISON_NAME, FIRST_NAME = "backup-listing", "backup-comparison", "backup-files"


def listing_command(io_timeout_seconds: int, stanza: str = STANZA) -> tuple[str, ...]:
    """Prints each backup's fingerprint. io_timeout_seconds: see ``probes.info_command``."""
    return ("bash", "-c", _LISTING, LISTING_NAME, str(io_timeout_seconds), stanza)


def comparison_command(io_timeout_seconds: int, labels: Sequence[str], stanza: str = STANZA) -> tuple[str, ...]:
    """Compares the files of these backups with their manifests; see ``listing_command``."""
    return ("bash", "-c", _COMPARISONS, COMPARISON_NAME, str(io_timeout_seconds), stanza, *labels)


def first_command(io_timeout_seconds: int, stanza: str = STANZA) -> tuple[str, ...]:
    """As ``listing_command``, and then ``comparison_command`` for all that are due where none was compared yet."""
    return ("bash", "-c", _FIRST, FIRST_NAME, str(io_timeout_seconds), stanza)


@dataclass(frozen=True, slots=True)
class ComparedBackup:
    """The files of a backup beside its manifest. fingerprint: of its folder when it was compared.

    faults, pages: at most FAULTS_NAMED of them; fault_count, page_files: how many there are; needs: backups with
    damaged files that it draws on.
    """

    fingerprint: str = ""
    faults: tuple[FileFault, ...] = ()
    fault_count: int = 0
    pages: tuple[DamagedPages, ...] = ()
    page_files: int = 0
    needs: tuple[str, ...] = ()

    @property
    def is_damaged(self) -> bool:
        """Whether it cannot be restored."""
        return bool(self.faults or self.needs)


@dataclass(frozen=True, slots=True)
class BackupFiles:
    """The backups by label, as far as their files were compared."""

    comparisons: Mapping[str, ComparedBackup] = field(default_factory=dict)

    def damage(self, backups: Iterable[Backup]) -> dict[str, ComparedBackup]:
        """Of these backups those that cannot be restored because of a file, in their order."""
        pairs = ((backup.label, self.comparisons.get(backup.label)) for backup in backups)
        return {label: files for label, files in pairs if files is not None and files.is_damaged}


def read_listing(text: str) -> dict[str, str]:
    """The fingerprints of all backups that are in ``backup.info``, newest first. Raises ValueError."""
    labels, fingerprints = list[str](), dict[str, str]()
    for line in text.splitlines():
        match line.split(" "):
            case ["backup", label] if is_label(label):
                labels.append(label)
            case ["files", label, *numbers]:
                fingerprints[label] = " ".join(numbers)
            case _:
                raise _refusal(line)
    return {label: fingerprints.get(label, "") for label in sorted(labels, reverse=True)}


def choose_due(fingerprints: Mapping[str, str], earlier: BackupFiles) -> tuple[str, ...]:
    """The backups to compare now, oldest first: what is new or has changed, and what these may draw on."""
    changes = [
        label
        for label, fingerprint in fingerprints.items()
        if (backup := earlier.comparisons.get(label)) is None or backup.fingerprint != fingerprint
    ][:_COMPARED_AT_ONCE]
    chains = {label.partition("_")[0] for label in changes}
    relatives = {
        label for label, backup in earlier.comparisons.items() if backup.faults and label.partition("_")[0] in chains
    }
    return tuple(sorted({*changes, *(relatives & fingerprints.keys())}))


def drop_expired(fingerprints: Mapping[str, str], earlier: BackupFiles) -> BackupFiles:
    """The earlier comparisons of backups that are still there."""
    return BackupFiles({label: backup for label, backup in earlier.comparisons.items() if label in fingerprints})


def read_comparison(
    text: str, labels: Collection[str], fingerprints: Mapping[str, str], earlier: BackupFiles
) -> BackupFiles:
    """The earlier comparisons, with the answer of ``comparison_command`` for these backups.

    A backup that is no longer in ``backup.info`` at the end was expired meanwhile. Raises ValueError.
    """
    fresh = {label: ComparedBackup(fingerprints.get(label, "")) for label in labels}
    current, needs = set[str](), dict[str, list[str]]()
    for line in text.splitlines():
        match line.split(" "):
            case ["backup", label]:
                current.add(label)
            case ["compared", label] if label in fresh:
                pass
            case ["manifest", label] if label in fresh:
                fresh[label] = replace(fresh[label], faults=(FileFault(MANIFEST, 0),), fault_count=1)
            case ["fault", label, expected, actual, *path] if label in fresh and expected.isdecimal():
                size = None if actual == "-" else _number(actual, line)
                fault = FileFault(plain(" ".join(path), 200), int(expected), size)
                fresh[label] = replace(fresh[label], faults=(*fresh[label].faults, fault))
            case ["faults", label, count] if label in fresh:
                fresh[label] = replace(fresh[label], fault_count=_number(count, line))
            case ["page", label, path, pages, *database] if label in fresh:
                page = DamagedPages(fit(path.removeprefix("pg_data/")), _pages(pages), plain(" ".join(database), 100))
                fresh[label] = replace(fresh[label], pages=(*fresh[label].pages, page))
            case ["pages", label, count] if label in fresh:
                fresh[label] = replace(fresh[label], page_files=_number(count, line))
            case ["needs", label, other]:
                needs.setdefault(label, []).append(fit(other))
            case _:
                raise _refusal(line)
    comparisons = {label: backup for label, backup in {**earlier.comparisons, **fresh}.items() if label in current}
    chains = {label.partition("_")[0] for label in labels}
    members = [label for label in comparisons if label.partition("_")[0] in chains]
    return BackupFiles(
        comparisons
        | {label: replace(comparisons[label], needs=tuple(sorted(needs.get(label, ())))) for label in members}
    )


def read_first(text: str) -> BackupFiles:
    """The answer of ``first_command``. Raises ValueError."""
    listing, mark, comparison = f"\n{text}".partition(f"\n{_LISTING_END}\n")
    if not mark:
        raise _refusal(text)
    fingerprints = read_listing(listing.strip("\n"))
    labels = choose_due(fingerprints, BackupFiles())
    return read_comparison(comparison, labels, fingerprints, BackupFiles())


def _pages(text: str) -> str:
    """Page numbers such as ``[3,[7,8]]`` as ``3, 7-8``."""
    if re.fullmatch(r"[\[\]0-9,]+", text) is None:
        return fit(text)
    inner = re.sub(r"\[([0-9]+),([0-9]+)\]", r"\1-\2", text.removeprefix("[").removesuffix("]"))
    return inner.replace(",", ", ")


def _number(text: str, line: str) -> int:
    if not text.isdecimal():
        raise _refusal(line)
    return int(text)


def _refusal(line: str) -> ValueError:
    return ValueError(f"the comparison of the backups' files has the line {plain(line, 80)}")
