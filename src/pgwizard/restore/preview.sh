# A read-only server at exactly one moment, on a volume that goes with its pod. It writes nothing to the repository.
# preview.sh serve COUNT RESTORE-OPTION... SERVER-ARGUMENT..., of which the first COUNT are pgBackRest's, restores and
# serves until it is stopped; PREVIEW_TARGET has the lines of its first target.
# preview.sh move NAME LSN SETTING=VALUE... aims the server at a later target. NAME: tells its lines in the log from
# those of other targets; LSN: what the newest state exceeds, where that is the target, or -; settings: PostgreSQL's.
# preview.sh state prints where the server is, as JSON.

readonly folder="${PREVIEW_CONTROL:-/tmp/preview}"
readonly patience="${PREVIEW_PATIENCE:-90}"  # how long no WAL may come before the target counts as not archived
readonly quiet="${PREVIEW_QUIET:-4}"         # the same at the end of the archive, where the newest state is wanted
session="-c search_path=pg_catalog"

give_up() {
  echo "preview: failed: $1"
  exit 1
}

# Where the server is: the position and the newest commit that are replayed, and why recovery stopped there.
state() {
  sql -v stopped="$(head -c 200 "$folder/stopped" 2>/dev/null)" <<'SQL'
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
  mkdir -p "$folder"
  printf '%s\n' "$@" >"$folder/next" && mv "$folder/next" "$folder/target"
}

if [[ "$1" == state ]]; then
  state
  exit
elif [[ "$1" == move ]]; then
  write_target "${@:2}"
  touch "$folder/moving"
  exec pg_ctl -D "$data" stop -m fast -W # waiting for its end, it could take the next server for it
fi

# ---- restore ---------------------------------------------------------------------------------------------------------

trap 'exit 0' TERM
readonly count="$2"
readonly restore=("${@:3:$count}") arguments=("${@:$((count + 3))}")
write_target "$PREVIEW_TARGET"
echo "preview: restoring"
mkdir -p "$data" && chmod 700 "$data"
backrest detail --archive-mode=off "${restore[@]}" restore || give_up "pgBackRest ended with $?"
set_maxima "" "${arguments[@]}"

# ---- the server ------------------------------------------------------------------------------------------------------

# Keeps why recovery stopped.
note() {
  case "$1" in
    *"LOG:  recovery stopping "*) printf '%s\n' "${1#*LOG:  recovery stopping }" >"$folder/stopped" ;;
    *FATAL:*) printf '%s\n' "${1#*FATAL:  }" >"$folder/fatal" ;;
  esac
}

# In standby mode it stays at the end of the archive and waits for more, where recovery alone would fail or promote.
start_server() {
  local settings=() setting
  for setting in "${target[@]:2}"; do
    settings+=(-c "$setting")
  done
  rm -f "$folder/moving" "$folder/stopped" "$folder/fatal"
  postgres -D "$data" "${arguments[@]}" "${maxima[@]}" "${settings[@]}" "${alone[@]}" "${disposable[@]}" \
    -c recovery_target_action=pause -c primary_conninfo= -c primary_slot_name= -c recovery_min_apply_delay=0 \
    -c recovery_end_command= -c archive_cleanup_command= -c wal_retrieve_retry_interval=1s -c lock_timeout=10s \
    > >(server_log) 2>&1 &
  server=$!
}

# Until the target is reached, or nothing more comes. The server may end meanwhile.
reach_target() {
  local answer recovering pause position is_beyond last="" since="$SECONDS" is_ours="" doubts=0
  refusals=0
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
      elif [[ "$pause" == paused && ( -n "$is_ours" || -e "$folder/stopped" ) ]]; then
        return
      elif [[ "$pause" == paused ]] && ((++doubts == 20)); then
        give_up "recovery is paused before its target; what PostgreSQL printed above says why"
      elif [[ "$position" != "$last" ]]; then
        last="$position" since="$SECONDS"
        print_replayed
      elif [[ "${target[1]}" != - && "$is_beyond" == t ]] && ((SECONDS - since >= quiet)); then
        sql -c "SELECT pg_wal_replay_pause()" >/dev/null && is_ours=yes
      elif ((SECONDS - since >= patience)); then
        return
      fi
    elif is_refusing "$answer"; then
      give_up "the server cannot be asked how far recovery is: $answer"
    fi
    sleep 0.3
  done
}

while true; do
  mapfile -t target <"$folder/target"
  echo "preview: replaying to ${target[0]}"
  start_server
  reach_target
  if kill -0 "$server" 2>/dev/null; then
    sleep 0.2 # the line of its log that says why it stopped may be late
    echo "preview: reached ${target[0]} $(state)"
  fi
  wait "$server"
  if [[ ! -e "$folder/moving" ]]; then
    sleep 0.2 # its last line may be late
    give_up "the server ended: $(cat "$folder/fatal" 2>/dev/null)"
  fi
done
