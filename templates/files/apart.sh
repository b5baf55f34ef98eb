#!/bin/bash
# Runs a script of this folder apart from the stream that started it, and follows it: apart.sh SCRIPT ARGUMENT...
# A stream that is lost must neither end nor block what it started. Who comes next follows what runs, and if it is what
# was wanted, ends with its exit code.
# Nothing here may be left behind to end by a signal or with a code of its own: whoever adopts it could be PostgreSQL,
# which takes such an end for a crashed backend and throws every session out. So the log is read without a child.
set -euo pipefail

readonly wanted="$*"
readonly scripts=/etc/pgbackrest folder=/tmp
readonly begin_bytes=33554432 end_bytes=65536 # of a log; the two that are kept must fit into /tmp
readonly running="$folder/apart.lock" current="$folder/apart.current"

# A timeout that is meant for applications must not end the sessions of a backup, which last for hours, and no view of
# somebody's may be found first. An older server refuses the parameters of a newer one.
PGOPTIONS="-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c search_path=pg_catalog"
if [[ "$(psql --version 2>/dev/null)" =~ \ ([0-9]+) ]]; then
  if ((BASH_REMATCH[1] >= 14)); then
    PGOPTIONS+=" -c idle_session_timeout=0"
  fi
  if ((BASH_REMATCH[1] >= 17)); then
    PGOPTIONS+=" -c transaction_timeout=0"
  fi
fi
export PGOPTIONS

# A run has files of its own, so that who follows it late still reads its own log and its own code. They are opened
# before the lock is given away: on a busy node two more runs may have ended, and deleted them, before the next line.
start() {
  local last="" old
  run="$folder/apart.run.$EPOCHREALTIME.$$"
  read -r last <"$current" || true
  for old in "$folder"/apart.run.*; do
    if [[ "$old" != "$last".* ]]; then # somebody may still read the last one
      rm -f "$old"
    fi
  done
  : >"$run.log"
  : >"$run.result"
  open_files
  printf '%s\n%s\n' "$run" "$wanted" >"$current.new"
  mv "$current.new" "$current"
  # file descriptor 9 keeps the lock until the script has ended
  # A log without a bound would fill /tmp, and the kubelet evicts the database with it: of a long one the beginning and
  # the end are kept. Without a buffer, so that who follows sees each line.
  # shellcheck disable=SC2016 # the inner shell expands them
  setsid --fork bash -c '
    set -o pipefail
    bounded() {
      stdbuf --output=0 head --bytes="$1"
      if IFS= read -r line || [[ -n "$line" ]]; then
        printf "\n... the log is longer than %d MiB: only its end follows\n%s\n" "$(($1 >> 20))" "$line"
        tail --bytes="$2"
      fi
    }
    status=0
    bash "$4/$5" "${@:6}" 2>&1 | bounded "$2" "$3" || status=$?
    echo "$status" >"$1.result"
  ' apart "$run" "$begin_bytes" "$end_bytes" "$scripts" "$@" >>"$run.log" 2>&1 </dev/null
}

open_files() {
  exec 7<"$run.result" 8<"$run.log"
}

has_result() {
  [[ -s /dev/fd/7 ]]
}

say_new_lines() {
  local line
  while IFS= read -r line <&8; do
    printf '%s%s\n' "$rest" "$line"
    rest=""
  done
  rest+="$line"
}

is_running() {
  ! flock --nonblock "$running" true
}

# The log of the run whose files are open, as it grows; ends with its exit code.
follow() {
  local ended="" quiet=0 rest="" code
  until [[ -n "$ended" ]]; do
    if has_result; then
      ended=yes # what was written until then is printed below
    elif ((++quiet % 10 == 0)) && ! is_running && ! has_result; then
      ended=lost
    else
      sleep 0.2
    fi
    say_new_lines
    # a stream that is idle for minutes is cut on its way
    if ((quiet % 300 == 299)); then
      echo "still running"
    fi
  done
  if [[ -n "$rest" ]]; then
    printf '%s\n' "$rest"
  fi
  if [[ "$ended" == lost ]]; then
    echo "it was killed before it ended" >&2
    return 1
  fi
  read -r code <&7
  return "$code"
}

touch "$current"
while true; do
  exec 9>>"$running"
  if flock --nonblock 9; then
    start "$@"
    what="$wanted"
    exec 9>&-
  else
    exec 9>&-
    # Where no run is named, its files are gone, or it has a result, the owner of the lock has yet to write the next.
    if ! { { read -r run && IFS= read -r what; } <"$current" && open_files 2>/dev/null && ! has_result; }; then
      sleep 0.5
      continue
    fi
    echo "$what is running: following it"
  fi
  status=0
  follow || status=$?
  if [[ "$what" == "$wanted" ]]; then
    exit "$status"
  fi
done
