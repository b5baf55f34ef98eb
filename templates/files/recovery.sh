#!/bin/bash
# What restore.sh, preview.sh and drill.sh have in common: its text comes before theirs. They set session, the options
# of all their queries, and define note, which server_log calls, and fail_recovery, which await_recovery does.
set -uo pipefail
export LC_ALL=C
export PGBACKREST_ARCHIVE_ASYNC=n # before 2.59 an asynchronous archive-get may end recovery at a change of timeline
export PGBACKREST_LOG_LEVEL_CONSOLE=warn # of what PostgreSQL runs, a line a segment of its own is enough

readonly data="$PGDATA"
readonly most_refusals=100 # of the server, one after the other: 30 s at least
readonly limits="max_connections max_worker_processes max_wal_senders max_prepared_xacts max_locks_per_xact"
# Of a server that recovers: it can be asked, by nobody outside of its pod; it works for no other system; what it logs
# of statements would hold the password; and its log is read here, as it is by default.
readonly alone=(
  -c listen_addresses= -c hot_standby=on -c max_logical_replication_workers=0 -c cron.launch_active_jobs=off
  -c logging_collector=off -c log_destination=stderr -c log_statement=none -c log_duration=off
  -c log_min_duration_statement=-1 -c log_min_error_statement=panic
  -c lc_messages=C -c log_error_verbosity=default -c log_min_messages=warning
)
# Of one whose volume goes with its pod: it archives nothing, and need not survive a crash.
# shellcheck disable=SC2034 # restore.sh has none
readonly disposable=(
  -c archive_mode=off -c fsync=off -c full_page_writes=off -c shared_buffers=64MB -c huge_pages=off
)
session="" server=0 refusals=0

backrest() {
  pgbackrest --stanza=main --log-level-console="$1" "${@:2}"
}

sql() {
  PGOPTIONS="-c statement_timeout=0 -c lock_timeout=0 $session" \
    psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U "$POSTGRES_USER" -d postgres "$@"
}

# What pg_control says under a name; nothing where it is missing or damaged.
control() {
  local text
  text="$(pg_controldata -D "$data" 2>&1)" || return 0
  if [[ "$text" != *"checksum does not match"* ]]; then
    sed -n "s/^$1: *//p" <<<"$text"
  fi
}

# The limits that the data directory was last used with, a line each: recovery refuses lower ones.
control_limits() {
  local name
  for name in $limits; do
    control "$name setting" | grep . || echo 0
  done
}

# Sets maxima, the settings with which recovery begins: of each limit the highest of what is configured, what the data
# directory was used with, and the line of $1, of an earlier control_limits. The rest are the server's arguments.
set_maxima() {
  local before="$1" after limit setting configured most line=0
  after="$(control_limits)"
  maxima=()
  for limit in $limits; do
    ((++line))
    setting="${limit/prepared_xacts/prepared_transactions}"
    setting="${setting/locks_per_xact/locks_per_transaction}"
    configured="$(postgres -D "$data" "${@:2}" -C "$setting" 2>/dev/null)" || configured=0
    most="$({
      echo "$configured"
      sed -n "${line}p" <<<"$before"
      sed -n "${line}p" <<<"$after"
    } | sort -n | tail -n 1)"
    if ((most > 0)); then
      maxima+=(-c "$setting=$most")
    fi
  done
}

# The server's log, of which note gets each line, without the answers to our own questions, which read like a failure if they are asked too early.
server_log() {
  local line
  while IFS= read -r line; do
    case "$line" in
      *"FATAL:  the database system is starting up"* | *"FATAL:  the database system is not yet accepting"*) continue ;;
    esac
    note "$line"
    printf '%s\n' "$line"
  done
}

# Whether the server, by its answer to a failed question, has refused too often. One that starts or ends does not refuse.
is_refusing() {
  case "$1" in
    *"is starting up"* | *"not yet accepting connections"* | *"is shutting down"* | *"No such file or directory"*)
      refusals=0
      ;;
    *) ((++refusals)) ;;
  esac
  ((refusals >= most_refusals))
}

print_replayed() {
  sql 2>/dev/null <<'SQL'
SELECT 'replayed to ' || pg_last_wal_replay_lsn() || coalesce(', ' ||
  to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', '')
SQL
}

# Waits until recovery has ended and the server can write. fail_recovery is called with why it never will, and exits.
await_recovery() {
  local answer ticks=0
  while kill -0 "$server" 2>/dev/null; do
    if answer="$(sql -c "SELECT pg_is_in_recovery()" 2>&1)"; then
      refusals=0
      if [[ "${answer##*$'\n'}" == f ]]; then # a warning may precede it
        return
      elif ((ticks++ % 10 == 0)); then
        if [[ "$(sql -c "SELECT pg_get_wal_replay_pause_state()" 2>/dev/null)" == paused ]]; then
          fail_recovery "recovery is paused, and nothing would continue it; what PostgreSQL printed above says why"
        fi
        print_replayed
      fi
    elif is_refusing "$answer"; then
      fail_recovery "the server cannot be asked how far recovery is: $answer"
    fi
    sleep 0.3
  done
  wait "$server"
  fail_recovery "the server ended during recovery"
}

