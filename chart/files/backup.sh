#!/bin/bash
# Takes one backup: backup.sh full|incr. Runs in the database's container, where the lock file and the settings are.
set -euo pipefail

readonly type="$1"
readonly lock_held=50 no_primary=56 tries=30 pause_seconds=20
readonly logs=/var/log/pgbackrest most_bytes=16777216 kept_bytes=1048576

# pgBackRest only ever appends to its own logs, and a full volume would evict the database.
for log in "$logs"/*.log; do
  if [[ -f "$log" ]] && (($(stat --format=%s "$log") > most_bytes)); then
    end="$(tail --bytes="$kept_bytes" "$log")"
    printf '%s\n' "$end" >"$log"
  fi
done

for ((try = 1; try <= tries; try++)); do
  status=0
  pgbackrest --stanza=main --type="$type" backup || status=$?
  if ((status != lock_held && status != no_primary)); then
    exit "$status"
  fi
  echo "[0$status] the lock is held, or the server did not answer: try $try of $tries, next in $pause_seconds s"
  sleep "$pause_seconds"
done
echo "the lock was held for $((tries * pause_seconds)) s: giving up" >&2
exit "$status"
