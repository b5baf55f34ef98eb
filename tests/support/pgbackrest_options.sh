# Each file below the first argument is a pgbackrest.conf. For each one a line: its name, a tab, and what pgbackrest has
# against its options, if anything. A command that accepts them ends at a lock or a data directory that is not there.
# arguments: folder, files at a time
set -u
export PGBACKREST_REPO1_S3_KEY=key PGBACKREST_REPO1_S3_KEY_SECRET=secret

ask() {
  quiet=(--log-level-console=warn --log-level-file=off --stanza=main)
  case "$1" in *.cipher.conf) export PGBACKREST_REPO1_CIPHER_PASS=pass ;; esac
  refused="$(
    for command in backup expire restore "archive-push /none/0" "archive-get 000000010000000000000001 /none/0"; do
      # shellcheck disable=SC2086 # the command has arguments
      timeout 20 pgbackrest --config="$1" "${quiet[@]}" --lock-path=/dev/null $command 2>&1
    done | grep -E -m1 'ERROR: \[0(2[7-9]|3[0-9])\]|contains .*option'
  )"
  printf '%s\t%s\n' "$(basename "$1")" "$refused"
}
export -f ask

find "$(realpath "$1")" -name '*.conf' -print0 | xargs -0 -P "$2" -I{} bash -c 'ask {}'
