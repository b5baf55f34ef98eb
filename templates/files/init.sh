#!/bin/bash
# Creates the stanza and takes the first full backup unless a valid one exists: init.sh SHA256-OF-PGBACKREST.CONF
# Runs in the database's container; every step may be repeated.
set -euo pipefail

readonly wanted="$1"
readonly conf=/etc/pgbackrest/pgbackrest.conf
readonly file_invalid=28 lock_held=50 no_primary=56 archive_timeout=82

say() {
  printf '%s %s\n' "$(date -u '+%F %T')" "$*"
}

# A ConfigMap reaches a running pod late.
mounted_is_wanted() {
  [[ "$(sha256sum <"$conf")" == "$wanted"* ]]
}

# Over TCP: the server that initdb starts for itself answers on the socket only.
server_answers() {
  pg_isready --quiet --host=127.0.0.1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB"
}

# Not every server that answers opens a session: a library that each of them loads may be missing.
problem=""
session_opens() {
  problem="$(psql --username="$POSTGRES_USER" --dbname=postgres --no-psqlrc --quiet --command='SELECT 1' \
    2>&1 >/dev/null)"
}

wait_until() {
  local what="$1" seconds="$2"
  shift 2
  local end=$((SECONDS + seconds))
  until "$@"; do
    if ((SECONDS >= end)); then
      say "waited $seconds s in vain until $what${problem:+: $problem}" >&2
      exit 1
    fi
    sleep 0.2
  done
}

# retry CODE TRIES COMMAND...: again while it ends with that code, or finds the server busy
retry() {
  local code="$1" tries="$2" try status
  shift 2
  for ((try = 1; try <= tries; try++)); do
    status=0
    "$@" || status=$?
    if ((status != code && status != no_primary)); then
      return "$status"
    fi
    say "[0$status] on try $try of $tries"
    sleep 5
  done
  return "$status"
}

# PostgreSQL reads the JSON: the image has no other tool for it. By a file: one argument holds 128 KiB at most.
full_backups() {
  pgbackrest --stanza=main --output=json --log-level-console=off info >/tmp/info.json
  psql --username="$POSTGRES_USER" --dbname=postgres --no-psqlrc --quiet --tuples-only --no-align \
    --set=ON_ERROR_STOP=1 <<'SQL'
\set info `cat /tmp/info.json`
SELECT count(*)
  FROM json_array_elements(:'info'::json) stanza
 CROSS JOIN json_array_elements(stanza->'backup') backup
 CROSS JOIN pg_control_system() control
  JOIN json_array_elements(stanza->'db') db ON db->>'id' = backup->'database'->>'id'
 WHERE backup->>'type' = 'full' AND coalesce(backup->>'error', 'false') = 'false'
   AND coalesce(backup->'database'->>'repo-key', '1') = '1' AND coalesce(db->>'repo-key', '1') = '1'
   AND db->>'system-id' = control.system_identifier::text
SQL
}

wait_until "the mounted pgbackrest.conf is the new one" 300 mounted_is_wanted
wait_until "the server answers" 3600 server_answers
wait_until "a session opens" 30 session_opens

status=0
retry "$lock_held" 24 pgbackrest --stanza=main stanza-create || status=$?
if ((status == file_invalid)); then
  say "the repository path holds the backups of another cluster: choose another repository.path, or empty it by hand" >&2
fi
if ((status != 0)); then
  exit "$status"
fi
retry "$archive_timeout" 3 pgbackrest --stanza=main check

# A repository that was emptied lacks the histories of the server's timelines, and PostgreSQL archives each only once.
# Without them nothing can be restored to a timeline above 1.
for history in "$PGDATA"/pg_wal/*.history; do
  if [[ -e "$history" ]]; then
    pgbackrest --stanza=main archive-push "$history"
  fi
done

found="$(full_backups)"
if ((found > 0)); then
  say "$found valid full backup(s) found: no new one is taken"
else
  exec bash /etc/pgbackrest/backup.sh full
fi
