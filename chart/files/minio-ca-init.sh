# OpenSSL looks an authority up by a link named after the hash of its subject, so a copy alone is not trusted; and this
# mount hides the image's own authorities, so they are brought along.
set -eu
cp /usr/local/share/ca-certificates/minio/tls.crt /etc/ssl/certs/minio-ca.crt
cp /usr/share/ca-certificates/mozilla/*.crt /etc/ssl/certs/
# rehash links only files that hold exactly one certificate
awk '/-----BEGIN/ { n++ } n { print > ("/etc/ssl/certs/minio-ca-" n ".crt") }' /etc/ssl/certs/minio-ca.crt
openssl rehash /etc/ssl/certs
