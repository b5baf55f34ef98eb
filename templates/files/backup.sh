#!/bin/bash
# Takes one backup: backup.sh full|incr. Runs in the database's container, where the lock file and the settings are.
# The backup outlives the stream of kubectl exec that started it: a stream that is lost must neither end nor block it.
# Who comes next follows the one that runs, and of the same type ends with its exit code.
set -euo pipefail

readonly type="$1"
readonly running=/tmp/backup.lock kind=/tmp/backup.type log=/tmp/backup.log result=/tmp/backup.result
readonly lock_held=50 no_primary=56 tries=30 pause_seconds=20

start() {
  rm -f "$result"
  : >"$log"
  echo "$type" >"$kind"
  # file descriptor 9 keeps the lock until the backup has ended
  # shellcheck disable=SC2016 # the inner shell expands them
  setsid --fork bash -c '
    status=0
    pgbackrest --stanza=main --type="$1" backup >>"$2" 2>&1 </dev/null || status=$?
    echo "$status" >"$3.new"
    mv "$3.new" "$3"
  ' backup "$type" "$log" "$result"
}

follow() {
  local status quiet=0
  tail --lines=+1 --follow "$log" 9>&- &
  local tail=$!
  until [[ -s "$result" ]]; do
    sleep 0.2
    # a stream that is idle for minutes is cut on its way
    if ((++quiet % 300 == 0)); then
      echo "still running"
    fi
  done
  sleep 0.3
  kill "$tail"
  status="$(<"$result")"
  return "$status"
}

for ((try = 1; try <= tries; try++)); do
  exec 9>"$running"
  mine=yes
  if flock --nonblock 9; then
    start
  else
    echo "a backup is running: following it"
    [[ "$(<"$kind")" == "$type" ]] || mine=no
  fi
  exec 9>&-
  status=0
  follow || status=$?
  if [[ "$mine" == no ]]; then
    continue
  fi
  if ((status != lock_held && status != no_primary)); then
    exit "$status"
  fi
  echo "[0$status] the lock is held, or the server did not answer: try $try of $tries, next in $pause_seconds s"
  sleep "$pause_seconds"
done
echo "the lock was held for $((tries * pause_seconds)) s: giving up" >&2
exit "${status:-$lock_held}"
