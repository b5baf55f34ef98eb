#!/bin/bash
# Runs a script of this folder apart from the stream that asked for it, and follows it: apart.sh SCRIPT ARGUMENT...
# A stream that is lost must neither end nor block what it started. Who comes next follows what runs, and if it is what
# was wanted, ends with its exit code.
# Nothing here may be left behind to end by a signal or with a code of its own: whoever adopts it could be PostgreSQL,
# which takes such an end for a crashed backend and throws every session out. So the log is read without a child.
set -euo pipefail

readonly wanted="$*"
readonly running=/tmp/apart.lock what=/tmp/apart.what log=/tmp/apart.log result=/tmp/apart.result

start() {
  rm -f "$result"
  : >"$log"
  echo "$wanted" >"$what"
  # file descriptor 9 keeps the lock until the script has ended
  # shellcheck disable=SC2016 # the inner shell expands them
  setsid --fork bash -c '
    status=0
    bash "/etc/pgbackrest/$3" "${@:4}" >>"$1" 2>&1 </dev/null || status=$?
    echo "$status" >"$2.new"
    mv "$2.new" "$2"
  ' apart "$log" "$result" "$@"
}

say_new_lines() {
  local line
  while IFS= read -r line <&8; do
    printf '%s%s\n' "$rest" "$line"
    rest=""
  done
  rest+="$line"
}

follow() {
  local ended="" quiet=0 rest=""
  exec 8<"$log"
  until [[ -n "$ended" ]]; do
    if [[ -s "$result" ]]; then
      ended=yes # what was written until then is said below
    else
      sleep 0.2
    fi
    say_new_lines
    # a stream that is idle for minutes is cut on its way
    if ((++quiet % 300 == 0)); then
      echo "still running: $(<"$what")"
    fi
  done
  exec 8<&-
  return "$(<"$result")"
}

while true; do
  exec 9>>"$running"
  if flock --nonblock 9; then
    start "$@"
  else
    sleep 0.5 # who has just taken the lock writes what it runs
    echo "$(<"$what") is running: following it"
  fi
  exec 9>&-
  same=no
  [[ "$(<"$what")" == "$wanted" ]] && same=yes
  status=0
  follow || status=$?
  if [[ "$same" == yes ]]; then
    exit "$status"
  fi
done
