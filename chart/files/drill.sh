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

# Restores the newest state of a repository into an empty volume, checks it, and leaves a receipt: drill.sh COUNT
# RESTORE-OPTION... SERVER-ARGUMENT..., of which the first COUNT are pgBackRest's. It writes nothing to the repository.
# DRILL_MUST_EXCEED: the WAL position that recovery must get beyond; without it that is where the newest segment begins.
# DRILL_QUERY, DRILL_EXPECT: a query, and what it must answer. A failed check ends it with 1, after all others.
shopt -s lastpipe

readonly receipt="${DRILL_RECEIPT:-/dev/termination-log}"
readonly names="restore recovery wal rows indexes query checksums"
readonly count="$1"
readonly restore=("${@:2:$count}") arguments=("${@:$((count + 2))}")

milliseconds() {
  echo "$((${EPOCHREALTIME/./} / 1000))"
}

# A text as JSON: one line, at most so many characters.
quoted() {
  local text="${1//[[:cntrl:]]/ }"
  text="${text:0:${2:-200}}"
  text="${text//\\/\\\\}"
  printf '"%s"' "${text//\"/\\\"}"
}

# The first 1000 bytes of the input, which is read to its end: a program whose output nobody reads would be killed.
beginning() {
  head -c 1000
  cat >/dev/null
}

bytes_of_lsn() {
  [[ "$1" =~ ^([0-9A-F]+)/([0-9A-F]+)$ ]] || return 1
  echo "$(((16#${BASH_REMATCH[1]} << 32) + 16#${BASH_REMATCH[2]}))"
}

lsn_of_bytes() {
  printf '%X/%X' "$(($1 >> 32))" "$(($1 & 0xFFFFFFFF))"
}

checks="" failures=0 backup="" timeline=0 begin=0 reached=0 must_exceed=0 reached_at="" size=0 segment=16777216
mark="$(milliseconds)"

# Ends a check: its name, passed, failed or skipped, and why.
end() {
  local now spent
  now="$(milliseconds)"
  mark="$((mark < now ? mark : now))" # the clock may have been set back
  spent="$(printf '%d.%03d' "$(((now - mark) / 1000))" "$(((now - mark) % 1000))")"
  mark="$now"
  if [[ "$2" == failed ]]; then
    ((++failures))
  fi
  checks+="${checks:+,}{\"name\":\"$1\",\"outcome\":\"$2\",\"seconds\":$spent,\"text\":$(quoted "${3:-}")}"
  echo "drill: $1 $2${3:+: $3}"
}

# Leaves the receipt as the message of the container's end, with whatever was not checked. Lines of a log may be cut.
finish() {
  local name
  for name in $names; do
    if [[ "$checks" != *"\"name\":\"$name\""* ]]; then
      end "$name" skipped "not reached"
    fi
  done
  printf '{"backup":%s,"timeline":%d,"lsn":"%s","reached_at":%s,"bytes":%d,"segments":%d,"checks":[%s]}' \
    "$(quoted "$backup" 80)" "$timeline" "$(lsn_of_bytes "$reached")" "$(quoted "$reached_at" 40)" "$size" \
    "$((reached > begin ? (reached - begin + segment - 1) / segment : 0))" "$checks" >"$receipt"
  # The receipt of a scheduled drill stays with its pod, and so does the volume: what was restored does not.
  rm -rf "${data:?}" 2>/dev/null
  exit "$((failures > 0))"
}

# The name of the newest segment of the newest timeline.
newest_segment() {
  local archive folder name
  archive="archive/main/$(backrest off repo-ls archive/main | grep -E '^[0-9]+-[0-9]+$' | sort -t - -k 2n | tail -n 1)"
  folder="$(backrest off repo-ls "$archive" | grep -E '^[0-9A-F]{16}$' | sort | tail -n 1)"
  name="$(backrest off repo-ls "$archive/$folder" | grep -oE '^[0-9A-F]{24}-' | sort | tail -n 1)"
  [[ -n "$name" ]] && echo "${name%-}"
}

# ---- restore ---------------------------------------------------------------------------------------------------------

echo "drill: restoring"
newest=""
if [[ -z "${DRILL_MUST_EXCEED:-}" ]]; then
  newest="$(newest_segment)" || end wal failed "the archive cannot be listed, or holds no WAL"
fi
mkdir -p "$data" && chmod 700 "$data"
error="" status=0
backrest detail --archive-mode=off "${restore[@]}" restore 2>&1 | while IFS= read -r line; do
  printf '%s\n' "$line"
  if [[ "$line" == *"ERROR: ["* ]]; then
    error="${line#*ERROR: }"
  elif [[ "$line" =~ restore\ backup\ set\ ([-_0-9A-Z]+) ]]; then
    backup="${BASH_REMATCH[1]}"
  fi
done
status="${PIPESTATUS[0]}"
if ((status > 0)); then
  end restore failed "pgBackRest ended with $status: $error"
  finish
fi
size="$(du -sb "$data" | cut -f 1)"
segment="$(control "Bytes per WAL segment")"
begin="$(bytes_of_lsn "$(sed -n 's/^START WAL LOCATION: \([0-9A-F/]*\).*/\1/p' "$data/backup_label")")" || begin=0
if [[ -n "$newest" ]]; then
  must_exceed="$(((16#${newest:8:8} << 32) + 16#${newest:16:8} * segment))"
else
  must_exceed="$(bytes_of_lsn "${DRILL_MUST_EXCEED:-}")" || must_exceed=0
fi
end restore passed "$size bytes"

# ---- recovery --------------------------------------------------------------------------------------------------------

readonly fatal="/tmp/drill-fatal"
note() {
  case "$1" in
    *FATAL:*) printf 'FATAL:%s\n' "${1#*FATAL:}" >"$fatal" ;;
    *PANIC:*) printf 'PANIC:%s\n' "${1#*PANIC:}" >"$fatal" ;;
  esac
}

fail_recovery() {
  local reason
  sleep 0.2 # the server's last line may be late
  reason="$(cat "$fatal" 2>/dev/null)"
  end recovery failed "$1${reason:+: $reason}"
  finish
}

set_maxima "" "${arguments[@]}"
postgres -D "$data" "${arguments[@]}" "${maxima[@]}" "${alone[@]}" "${disposable[@]}" -c autovacuum=off \
  > >(server_log) 2>&1 &
server=$!
await_recovery
found="$(
  sql -F ' ' <<'SQL'
SELECT fork[1], fork[2], to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM pg_walfile_name(pg_current_wal_lsn()) name, regexp_match(rtrim(pg_read_file('pg_wal/' || substr(name, 1, 8) ||
  '.history'), E'\n'), E'([0-9]+)\t([0-9A-F]+/[0-9A-F]+)\t[^\n]*$') fork
SQL
)" || found=""
read -r timeline position reached_at <<<"$found" || true
if ! reached="$(bytes_of_lsn "${position:-}")"; then
  timeline=0 reached=0
  end recovery failed "what recovery reached could not be read"
  finish
fi
end recovery passed "timeline $timeline to $position${reached_at:+, $reached_at}"

# ---- what was restored -----------------------------------------------------------------------------------------------

# Recovery takes a missing or damaged segment for the end of the WAL, and ends with success.
if [[ "$checks" != *'"name":"wal"'* ]]; then
  if ((reached > must_exceed)); then
    end wal passed "everything that is archived was replayed"
  else
    end wal failed "recovery ended at $position, and the newest segment begins at $(lsn_of_bytes "$must_exceed")$(
      ): a segment is missing or damaged"
  fi
fi

if refusal="$(pg_dumpall -U "$POSTGRES_USER" 2>&1 >/dev/null)"; then
  end rows passed "pg_dumpall read every row"
else
  for words in "pg_dump: error: " "PQgetResult() failed." "pg_dump: detail: Error message from server: "; do
    refusal="${refusal//"$words"/}" # the reason comes after them, and the receipt has little room
  done
  end rows failed "pg_dumpall: ${refusal:-it failed}"
fi

if ! command -v pg_amcheck >/dev/null; then
  end indexes skipped "pg_amcheck is not in the image"
elif [[ -z "$(sql -c "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'" 2>/dev/null)" ]]; then
  end indexes skipped "the extension amcheck is not in the image"
elif refusal="$(pg_amcheck -U "$POSTGRES_USER" --all --install-missing --heapallindexed 2>&1 | beginning)"; then
  end indexes passed "pg_amcheck found no damage"
else
  end indexes failed "pg_amcheck: ${refusal:-it failed}"
fi

if [[ -z "${DRILL_QUERY:-}" ]]; then
  end query skipped "no query"
elif ! answer="$(sql -d "${POSTGRES_DB:-$POSTGRES_USER}" -c "$DRILL_QUERY" 2>&1 | beginning)"; then
  end query failed "$answer"
elif [[ -n "${DRILL_EXPECT+set}" && "$answer" != "$DRILL_EXPECT" ]]; then
  end query failed "it answered ${answer:0:80}, and ${DRILL_EXPECT:0:80} was expected"
else
  end query passed "it answered ${answer:0:80}"
fi

if ! pg_ctl -D "$data" stop -m fast -w -t 300 >/dev/null; then
  end checksums failed "the server did not stop"
elif [[ "$(control "Data page checksum version")" == 0 ]]; then
  end checksums skipped "the database has no data checksums"
elif refusal="$(pg_checksums --check -D "$data" 2>&1 | beginning)"; then
  end checksums passed "the checksum of every page is right"
else
  end checksums failed "pg_checksums: ${refusal##*$'\n'}"
fi
finish
