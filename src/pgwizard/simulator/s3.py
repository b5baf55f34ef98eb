"""Owns MinIO's API as far as a probe needs it: list, head, get, put and delete in a bucket, over HTTP/1.1.

It does not check signatures: a known access key is let in, whatever it signed with. No multipart, no versions.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_TEXTS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
}


@dataclass(slots=True)
class ObjectStore:
    """Buckets with their objects, and who may use them."""

    buckets: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"backups": {}})
    access_keys: set[str] = field(default_factory=lambda: {"demo-backup", "demo-root"})

    def serve(self, request: bytearray) -> bytes:
        """The answers to all whole requests in the buffer, which are taken out of it."""
        answers = b""
        while (end := request.find(b"\r\n\r\n")) >= 0:
            head = request[:end].decode("latin-1")
            match = re.search(r"(?im)^content-length:\s*(\d+)", head)
            length = int(match[1]) if match else 0
            if len(request) < end + 4 + length:
                break
            body = bytes(request[end + 4 : end + 4 + length])
            del request[: end + 4 + length]
            answers += self._answer(head, body)
        return answers

    def _answer(self, head: str, body: bytes) -> bytes:
        method, _, rest = head.partition("\r\n")[0].partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        bucket, _, key = unquote(target.path).lstrip("/").partition("/")
        match = re.search(r"(?im)^authorization:.*Credential=([^/,]+)/", head)
        if not match:
            return _error(method, 403, "AccessDenied", "Access Denied.")
        if match[1] not in self.access_keys:
            text = "The Access Key Id you provided does not exist in our records."
            return _error(method, 403, "InvalidAccessKeyId", text)
        if bucket not in self.buckets:
            return _error(method, 404, "NoSuchBucket", "The specified bucket does not exist")
        if not key:
            return self._bucket(method, bucket, parse_qs(target.query, keep_blank_values=True))
        return self._object(method, self.buckets[bucket], key, body)

    def _bucket(self, method: str, bucket: str, query: dict[str, list[str]]) -> bytes:
        if method == "HEAD":
            return _reply(method, 200)
        if method != "GET":
            return _error(method, 405, "MethodNotAllowed", "The specified method is not allowed.")
        if "location" in query:
            return _reply(method, 200, b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>')
        prefix = query.get("prefix", [""])[0]
        keys = sorted(key for key in self.buckets[bucket] if key.startswith(prefix))
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.buckets[bucket][key])}</Size></Contents>"
            for key in keys
        )
        text = (
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(keys)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        )
        return _reply(method, 200, text.encode())

    def _object(self, method: str, bucket: dict[str, bytes], key: str, body: bytes) -> bytes:
        if method == "PUT":
            bucket[key] = body
            return _reply(method, 200, etag=body)
        if method == "DELETE":
            bucket.pop(key, None)
            return _reply(method, 204)
        if key not in bucket:
            return _error(method, 404, "NoSuchKey", "The specified key does not exist.")
        return _reply(method, 200, bucket[key], etag=bucket[key])


def _error(method: str, status: int, code: str, text: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
    return _reply(method, status, body, extra=f"x-minio-error-code: {code}\r\nx-minio-error-desc: {text}\r\n")


def _reply(method: str, status: int, body: bytes = b"", *, etag: bytes | None = None, extra: str = "") -> bytes:
    if etag is not None:
        extra += f'ETag: "{hashlib.md5(etag, usedforsecurity=False).hexdigest()}"\r\n'
    head = f"HTTP/1.1 {status} {_TEXTS[status]}\r\nServer: MinIO\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)
