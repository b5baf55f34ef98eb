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
