# Each folder below the first argument is a server: leaf.pem, chain.pem, key.pem, trusted.pem and target (host, port);
# or it is a pgbackrest.conf alone, without a server. pgbackrest connects to each one; a line for each is printed: the
# folder's name, a tab, and what pgbackrest printed.
# arguments: folder, servers at a time, io-timeout in seconds
set -u
export PGBACKREST_REPO1_S3_KEY=key PGBACKREST_REPO1_S3_KEY_SECRET=secret IO_TIMEOUT="$3"

connect() {
  cd "$1" || exit 1
  if [ -e pgbackrest.conf ]; then
    report "$1" "$(pgbackrest --config="$PWD/pgbackrest.conf" --log-level-console=error --log-level-stderr=off \
      --io-timeout="$IO_TIMEOUT" repo-ls 2>&1)"
    return
  fi
  read -r host port <target
  sent=()
  [ ! -s chain.pem ] || sent=(-cert_chain chain.pem)
  openssl s_server -accept "127.0.0.1:$port" -cert leaf.pem -key key.pem "${sent[@]}" -no-CAfile -no-CApath \
    -no-CAstore -cipher 'DEFAULT:@SECLEVEL=0' -www -quiet </dev/null >/dev/null 2>server.log &
  server=$!
  printed="$(pgbackrest --config=/dev/null --log-level-console=error --log-level-stderr=off \
    --repo1-type=s3 --repo1-path=/ --repo1-s3-bucket=bucket --repo1-s3-region=region --repo1-s3-uri-style=path \
    --repo1-s3-endpoint=endpoint.invalid --repo1-storage-host="$host" --repo1-storage-port="$port" \
    --repo1-storage-ca-file="$PWD/trusted.pem" --io-timeout="$IO_TIMEOUT" repo-ls 2>&1)"
  kill "$server"
  wait "$server" 2>/dev/null
  report "$1" "$printed"
}

report() {
  printf '%s\t%s\n' "$(basename "$1")" "$(printf '%s' "$2" | tr '\n' ' ')"
}
export -f connect report

find "$1" -mindepth 1 -maxdepth 1 -type d -print0 | xargs -0 -P "$2" -I{} bash -c 'connect {}'
