#!/bin/bash
# Takes one backup: backup.sh full|incr. Runs in the database's container, where the lock file and the settings are.
set -euo pipefail

readonly type="$1"
readonly lock_held=50 tries=30 pause_seconds=20

for ((try = 1; try <= tries; try++)); do
  status=0
  # detail keeps the stream of kubectl exec from falling idle
  pgbackrest --stanza=main --type="$type" --log-level-console=detail backup || status=$?
  if ((status != lock_held)); then
    exit "$status"
  fi
  echo "another backup or the archiver holds the lock: try $try of $tries, next in $pause_seconds s"
  sleep "$pause_seconds"
done
echo "the lock was held for $((tries * pause_seconds)) s: giving up" >&2
exit "$lock_held"
