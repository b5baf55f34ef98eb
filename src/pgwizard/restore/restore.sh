# Restores, recovers and promotes in the Job of a restore, and prints a receipt: restore.sh STATE COUNT
# RESTORE-OPTION... SERVER-ARGUMENT..., of which the first COUNT are pgBackRest's. STATE: archived, where the server has
# archived its WAL; unknown, where it did not answer; clone, where the repository is another release's, and nothing is
# written to it. It runs as the only one that mounts the volume.

readonly unarchived=201 recovery=202 settings=203 archive=204 stop=205 unkept=206 # pgBackRest's own end at 122
readonly wal="$data/pg_wal"
readonly archive_seconds=300
# Neither a setting of the role nor one of the database may log or keep the password, or stop what is set here.
session="-c log_statement=none -c log_min_duration_statement=-1 -c log_min_duration_sample=-1
  -c log_transaction_sample_rate=0 -c log_min_error_statement=panic -c default_transaction_read_only=off
  -c pg_stat_statements.track_utility=off -c search_path=pg_catalog"
readonly state="$1" count="$2"
readonly restore=("${@:3:$count}") arguments=("${@:$((count + 3))}")

give_up() {
  echo "$2"
  exit "$1"
}

# As give_up, where the server can be started again on its data directory as it is. job.py reads the line.
leave() {
  echo "$2"
  echo "pgwizard-untouched"
  exit "$1"
}

# Nothing in the server's log is needed again.
note() {
  :
}

fail_recovery() {
  give_up "$recovery" "$1"
}

# A server that was killed has left WAL that only the volume has, and a restore deletes it. Of one that did not
# answer it may be damaged, or another database's: then it is kept beside the data directory.
archive_rest() {
  local ready name
  for ready in "$wal"/archive_status/*.ready; do
    if [[ -e "$ready" ]]; then
      name="${ready##*/}"
      name="${name%.ready}"
      echo "archiving $name, which only the volume has"
      if ! backrest info archive-push "$wal/$name"; then
        if [[ "$state" == unknown ]]; then
          echo "$name could not be archived"
          return
        fi
        leave "$unarchived" "$name could not be archived: nothing was touched"
      fi
      mv "$ready" "${ready%.ready}.done"
    fi
  done
}

# The segment that it wrote last was not even due to be archived: no backup and no archive has its commits. The name is
# of the time of pg_control, so that a restore that is tried again keeps it once.
keep_rest() {
  local kept dated="$wal"
  case "$(control "Database cluster state")" in
    "in production" | "in crash recovery" | "shutting down") ;;
    "") [[ "$state" == unknown ]] || return ;;
    *) [[ "$state" == unknown ]] && compgen -G "$wal/archive_status/*.ready" >/dev/null || return ;;
  esac
  if [[ -f "$data/global/pg_control" ]]; then
    dated="$data/global/pg_control"
  fi
  if compgen -G "$data/backup.manifest*" >/dev/null || [[ -e "$data/recovery.signal" || -e "$data/standby.signal" ]]; then
    return # not the server's own, but what a restore has left
  fi
  kept="${data%/*}/pg_wal.before-restore-$(date -u -r "$dated" +%Y%m%d-%H%M%S)"
  if [[ ! -d "$kept" ]]; then
    # Beside a volume that is mounted at the data directory itself, a copy would end with this container.
    if [[ "$(stat -c %d "$data")" != "$(stat -c %d "${data%/*}")" ]] ||
      ! { rm -rf "$kept.part" && cp -a "$wal/." "$kept.part" && sync -f "$kept.part" && mv "$kept.part" "$kept"; }; then
      rm -rf "$kept.part"
      leave "$unkept" "the server was killed, and its last WAL could not be copied to $kept: nothing was restored"
    fi
  fi
  echo "the server was killed: its last WAL, which is not archived, is kept in $kept"
}

# \getenv, by which the password comes on no command line, is new in psql 15.
if [[ ! "$(psql --version)" =~ \)\ ([0-9]+) ]] || ((BASH_REMATCH[1] < 15)); then
  leave "$settings" "psql 15 or newer is needed to set the password, and the image has another: nothing was touched"
fi
before="$(control_limits)"
if [[ "$state" != clone && -d "$wal" && ( "$state" == unknown || -f "$data/global/pg_control" ) ]]; then
  archive_rest
  keep_rest
fi
rm -f "$data/postmaster.pid"
mkdir -p "$data" && chmod 700 "$data"
if [[ -n "$(ls -A "$data")" && ! -e "$data/PG_VERSION" && ! -e "$data/backup.manifest" ]]; then
  touch "$data/PG_VERSION" # without either, pgBackRest compares no files and refuses a folder that has some
fi
began=$EPOCHSECONDS
backrest detail --delta "${restore[@]}" restore || {
  code=$?
  # pgBackRest writes its manifest before it changes anything, and removes pg_control first of all.
  if [[ -f "$data/global/pg_control" ]] && ! compgen -G "$data/backup.manifest*" >/dev/null; then
    leave "$code" "pgBackRest ended with $code: nothing was touched"
  fi
  exit "$code"
}
restored=$EPOCHSECONDS

own=()
if [[ "$state" == clone ]]; then
  own=(-c archive_mode=off)
fi
set_maxima "$before" "${arguments[@]}"
postgres -D "$data" "${arguments[@]}" "${maxima[@]}" "${own[@]}" "${alone[@]}" > >(server_log) 2>&1 &
server=$!
await_recovery
recovered=$EPOCHSECONDS

refusal="$(
  sql 2>&1 >/dev/null <<'SQL'
\getenv name POSTGRES_USER
\getenv password POSTGRES_PASSWORD
ALTER ROLE :"name" PASSWORD :'password';
ALTER SYSTEM RESET restore_command;
ALTER SYSTEM RESET recovery_target;
ALTER SYSTEM RESET recovery_target_time;
ALTER SYSTEM RESET recovery_target_xid;
ALTER SYSTEM RESET recovery_target_lsn;
ALTER SYSTEM RESET recovery_target_name;
ALTER SYSTEM RESET recovery_target_inclusive;
ALTER SYSTEM RESET recovery_target_action;
ALTER SYSTEM RESET recovery_target_timeline;
SQL
)" || give_up "$settings" "the password or a setting could not be set: $refusal"
receipt="$(
  sql -v restore="$((restored - began))" -v recovery="$((recovered - restored))" <<'SQL'
SELECT json_build_object('timeline', ('x' || substr(name, 1, 8))::bit(32)::int, 'lsn', fork[1],
  'reason', left(fork[2], 200), 'restoreSeconds', :restore, 'recoverySeconds', :recovery, 'reachedAt',
  to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM pg_walfile_name(pg_current_wal_lsn()) name,
  regexp_match(rtrim(pg_read_file('pg_wal/' || substr(name, 1, 8) || '.history'), E'\n'),
    E'[0-9]+\t([0-9A-F]+/[0-9A-F]+)\t([^\n]*)$') fork
SQL
)" || give_up "$settings" "what recovery reached could not be read"

if [[ "$state" != clone ]]; then
  sql -c "SELECT txid_current()" -c "SELECT pg_switch_wal()" >/dev/null || give_up "$archive" "no WAL could be written"
  for ((tries = 0; tries < 5 * archive_seconds; tries++)); do
    if ! compgen -G "$wal/archive_status/*.ready" >/dev/null; then
      break
    fi
    sleep 0.2
  done
fi
if compgen -G "$wal/archive_status/*.ready" >/dev/null; then
  give_up "$archive" "the new timeline was not archived within $archive_seconds s"
fi
pg_ctl -D "$data" stop -m fast -w -t "$archive_seconds" >/dev/null || give_up "$stop" "the server did not stop"
wait "$server" || give_up "$stop" "the server did not stop in order"
if [[ "$state" == clone ]]; then
  # Its own archive needs the newest history: PostgreSQL recovers to a timeline above 1 only where it finds one.
  for history in "$wal"/*.history; do
    newest="${history##*/}"
  done
  touch "$wal/archive_status/$newest.ready"
fi
echo "pgwizard-receipt $receipt"
