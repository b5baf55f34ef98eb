#!/bin/bash
# Verifies the repository: verify.sh. Runs in the database's container. pgBackRest ends with 0 whatever it finds, so its
# report decides: this ends with 1 where a backup or a segment is damaged. The report comes last, for whoever reads only
# the end of the log, and counts the valid backups instead of listing them.
set -euo pipefail

report="$(mktemp)"
readonly report
trap 'rm -f "$report"' EXIT
pgbackrest --stanza=main --output=text --verbose --log-level-console=off --log-level-stderr=detail verify >"$report"
awk '
  /^status: (ok|error)$/ { complete = 1 }
  /^ *archiveId: .*total WAL checked: / {
    line = $0
    sub(/.*total WAL checked: /, "", line); checked = line + 0
    sub(/.*total valid WAL: /, "", line)
    if (checked != line + 0) damaged = 1
  }
  /^ *backup: .*, status: / {
    is_valid = $0 ~ /, status: (valid|in-progress),/
    if (!is_valid) damaged = 1
    if ($0 ~ /, status: valid,/) valid++
  }
  !/^ *backup: / || !is_valid { print }
  END {
    print "valid backups: " valid + 0
    exit complete && !damaged ? 0 : 1
  }
' "$report"
