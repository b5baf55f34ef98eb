#!/bin/bash
# A read-only server at exactly one moment, on a volume that goes with its pod. It writes nothing to the repository.
# preview.sh serve COUNT RESTORE-OPTION... SERVER-ARGUMENT..., of which the first COUNT are pgBackRest's, restores and
# serves until it is stopped; PREVIEW_TARGET has the lines of its first target.
# preview.sh move NAME LSN SETTING=VALUE... aims the server at a later target. NAME: tells its lines in the log from
# those of other targets; LSN: what the newest state exceeds, where that is the target, or -; settings: PostgreSQL's.
# preview.sh state prints where the server is, as JSON.
set -uo pipefail
export LC_ALL=C
export PGBACKREST_ARCHIVE_ASYNC=n # before 2.59 an asynchronous archive-get may end recovery at a change of timeline
export PGBACKREST_LOG_LEVEL_CONSOLE=warn

readonly data="$PGDATA" control="${PREVIEW_CONTROL:-/tmp/preview}"
readonly patience="${PREVIEW_PATIENCE:-90}"  # how long no WAL may come before the target counts as not archived
readonly quiet="${PREVIEW_QUIET:-4}"         # the same at the end of the archive, where the newest state is wanted
readonly most_refusals=100                   # of the server, one after the other: 30 s at least
readonly limits="max_connections max_worker_processes max_wal_senders max_prepared_xacts max_locks_per_xact"

sql() {
  PGOPTIONS="-c statement_timeout=0 -c lock_timeout=0 -c search_path=pg_catalog" \
    psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U "$POSTGRES_USER" -d postgres "$@"
}

give_up() {
  echo "preview: failed: $1"
  exit 1
}

# What pg_control says under a name.
control_of() {
  pg_controldata -D "$data" 2>/dev/null | sed -n "s/^$1: *//p"
}

# Where the server is: the position and the newest commit that are replayed, and why recovery stopped there.
state() {
  sql -v stopped="$(head -c 200 "$control/stopped" 2>/dev/null)" <<'SQL'
SELECT json_build_object('recovering', recovering,
  'paused', CASE WHEN recovering THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END,
  'lsn', pg_last_wal_replay_lsn(), 'reason', :'stopped'::text,
  'at', to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'locks', (SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE backend_type = 'startup' AND locktype = 'relation' AND mode = 'AccessExclusiveLock'))
FROM pg_is_in_recovery() recovering
SQL
}

# ---- another target --------------------------------------------------------------------------------------------------

write_target() {
  mkdir -p "$control"
  printf '%s\n' "$@" >"$control/next" && mv "$control/next" "$control/target"
}

if [[ "$1" == state ]]; then
  state
  exit
elif [[ "$1" == move ]]; then
  write_target "${@:2}"
  touch "$control/moving"
  exec pg_ctl -D "$data" stop -m fast -W # waiting for its end, it could take the next server for it
fi

# ---- restore ---------------------------------------------------------------------------------------------------------

trap 'exit 0' TERM
readonly count="$2"
readonly restore=("${@:3:$count}") arguments=("${@:$((count + 3))}")
write_target "$PREVIEW_TARGET"
echo "preview: restoring"
mkdir -p "$data" && chmod 700 "$data"
pgbackrest --stanza=main --log-level-console=detail --archive-mode=off "${restore[@]}" restore ||
  give_up "pgBackRest ended with $?"
maxima=()
for limit in $limits; do
  setting="${limit/prepared_xacts/prepared_transactions}"
  setting="${setting/locks_per_xact/locks_per_transaction}"
  configured="$(postgres -D "$data" "${arguments[@]}" -C "$setting" 2>/dev/null)" || configured=0
  most="$({
    echo "$configured"
    control_of "$limit setting" | grep . || echo 0
  } | sort -n | tail -n 1)"
  if ((most > 0)); then
    maxima+=(-c "$setting=$most")
  fi
done

# ---- the server ------------------------------------------------------------------------------------------------------

# Keeps why recovery stopped. The answers to our own questions, asked before there can be one, would read like a failure.
server_log() {
  local line
  while IFS= read -r line; do
    case "$line" in
      *"FATAL:  the database system is starting up"* | *"FATAL:  the database system is not yet accepting"*) continue ;;
      *"LOG:  recovery stopping "*) printf '%s\n' "${line#*LOG:  recovery stopping }" >"$control/stopped" ;;
      *FATAL:*) printf '%s\n' "${line#*FATAL:  }" >"$control/fatal" ;;
    esac
    printf '%s\n' "$line"
  done
}

# In standby mode it stays at the end of the archive and waits for more, where recovery alone would fail or promote.
# Nothing of it may reach another system: no jobs of pg_cron, no subscription, no archiving, no listening.
start_server() {
  local settings=() setting
  for setting in "${target[@]:2}"; do
    settings+=(-c "$setting")
  done
  rm -f "$control/moving" "$control/stopped" "$control/fatal"
  postgres -D "$data" "${arguments[@]}" "${maxima[@]}" "${settings[@]}" -c recovery_target_action=pause \
    -c listen_addresses= -c hot_standby=on -c archive_mode=off -c primary_conninfo= -c primary_slot_name= \
    -c recovery_min_apply_delay=0 -c recovery_end_command= -c archive_cleanup_command= \
    -c wal_retrieve_retry_interval=1s -c lock_timeout=10s -c fsync=off -c full_page_writes=off -c shared_buffers=64MB -c huge_pages=off \
    -c max_logical_replication_workers=0 -c cron.launch_active_jobs=off -c logging_collector=off \
    -c log_destination=stderr -c log_statement=none -c log_duration=off -c log_min_duration_statement=-1 \
    -c log_min_error_statement=panic > >(server_log) 2>&1 &
  server=$!
}

# Until the target is reached, or nothing more comes. The server may end meanwhile.
reach_target() {
  local answer recovering pause position is_beyond last="" since="$SECONDS" refusals=0 is_ours="" doubts=0
  while kill -0 "$server" 2>/dev/null; do
    if answer="$(sql -v end="${target[1]/#-/0/0}" 2>&1 <<'SQL'
SELECT recovering, CASE WHEN recovering THEN pg_get_wal_replay_pause_state() END, pg_last_wal_replay_lsn(),
  pg_last_wal_replay_lsn() >= :'end'::pg_lsn FROM pg_is_in_recovery() recovering
SQL
    )"; then
      refusals=0
      IFS='|' read -r recovering pause position is_beyond <<<"${answer##*$'\n'}" # a warning may precede it
      if [[ "$recovering" == f ]]; then
        return # it was promoted in psql
      elif [[ "$pause" == paused && ( -n "$is_ours" || -e "$control/stopped" ) ]]; then
        return
      elif [[ "$pause" == paused ]] && ((++doubts == 20)); then
        give_up "recovery is paused before its target; what PostgreSQL printed above says why"
      elif [[ "$position" != "$last" ]]; then
        last="$position" since="$SECONDS"
        sql 2>/dev/null <<'SQL'
SELECT 'replayed to ' || pg_last_wal_replay_lsn() || coalesce(', ' ||
  to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', '')
SQL
      elif [[ "${target[1]}" != - && "$is_beyond" == t ]] && ((SECONDS - since >= quiet)); then
        sql -c "SELECT pg_wal_replay_pause()" >/dev/null && is_ours=yes
      elif ((SECONDS - since >= patience)); then
        return
      fi
    else
      case "$answer" in
        *"is starting up"* | *"not yet accepting connections"* | *"No such file or directory"* | *"is shutting down"*)
          refusals=0 ;;
        *) ((++refusals)) ;;
      esac
      if ((refusals == most_refusals)); then
        give_up "the server cannot be asked how far recovery is: $answer"
      fi
    fi
    sleep 0.3
  done
}

while true; do
  mapfile -t target <"$control/target"
  echo "preview: replaying to ${target[0]}"
  start_server
  reach_target
  if kill -0 "$server" 2>/dev/null; then
    sleep 0.2 # the line of its log that says why it stopped may be late
    echo "preview: reached ${target[0]} $(state)"
  fi
  wait "$server"
  if [[ ! -e "$control/moving" ]]; then
    sleep 0.2 # its last line may be late
    give_up "the server ended: $(cat "$control/fatal" 2>/dev/null)"
  fi
done
