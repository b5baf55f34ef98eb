"""Key pairs of the rig's MinIO with less than all rights, made through its admin API.

The body of such a request is encrypted with the administrator's secret key, as MinIO's clients do it: salt, a byte for
the cipher, nonce, and fragments of AES-GCM with a counter in the nonce. One fragment is enough here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import ssl
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.waiting import DEADLINE_SECONDS

_PBKDF2_AES_GCM, _PBKDF2_ROUNDS, _LAST_FRAGMENT = b"\x02", 8192, b"\x80"


@dataclass(frozen=True, slots=True)
class StoreKey:
    """A key pair."""

    access: str
    secret: str


@contextmanager
def store_key(*, reads: Sequence[str], writes: Sequence[str] = ()) -> Iterator[StoreKey]:
    """A key pair that may read below some paths of the bucket, and also write below others; deleted at the end."""
    key = StoreKey(f"test{secrets.token_hex(6)}", secrets.token_hex(20))
    body = {"accessKey": key.access, "secretKey": key.secret, "policy": _policy(reads, writes)}
    _request("PUT", "add-service-account", body=_encrypted(json.dumps(body).encode()))
    try:
        yield key
    finally:
        _request("DELETE", "delete-service-account", f"accessKey={key.access}")


def _policy(reads: Sequence[str], writes: Sequence[str]) -> dict[str, Any]:
    bucket = f"arn:aws:s3:::{os.environ['RIG_S3_BUCKET']}"
    both = [path.strip("/") for path in (*reads, *writes)]
    listed = {"StringLike": {"s3:prefix": [f"{path}/*" for path in both]}}
    statements: list[dict[str, Any]] = [
        {"Action": ["s3:ListBucket"], "Resource": [bucket], "Condition": listed},
        {"Action": ["s3:GetObject"], "Resource": [f"{bucket}/{path}/*" for path in both]},
    ]
    if writes:
        owned = [f"{bucket}/{path.strip('/')}/*" for path in writes]
        statements.append({"Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": owned})
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}


def _encrypted(body: bytes) -> bytes:
    salt, nonce = secrets.token_bytes(32), secrets.token_bytes(8)
    key = hashlib.pbkdf2_hmac("sha256", os.environ["RIG_S3_SECRET_KEY"].encode(), salt, _PBKDF2_ROUNDS)
    cipher = AESGCM(key)
    associated = cipher.encrypt(nonce + (0).to_bytes(4, "little"), b"", b"")
    fragment = cipher.encrypt(nonce + (1).to_bytes(4, "little"), body, _LAST_FRAGMENT + associated)
    return salt + _PBKDF2_AES_GCM + nonce + fragment


def _request(method: str, action: str, query: str = "", body: bytes = b"") -> None:
    """Signed with AWS's version 4. Raises urllib.error.HTTPError for a refusal."""
    endpoint, path = os.environ["RIG_S3_ENDPOINT"], f"/minio/admin/v3/{action}"
    host, digest, at = urlsplit(endpoint).netloc, hashlib.sha256(body).hexdigest(), datetime.now(UTC)
    stamp, scope = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}/us-east-1/s3/aws4_request"
    signed = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names, headers = ";".join(signed), "".join(f"{name}:{value}\n" for name, value in signed.items())
    canonical = "\n".join((method, path, query, headers, names, digest))
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{os.environ['RIG_S3_SECRET_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={os.environ['RIG_S3_ACCESS_KEY']}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    url = f"{endpoint}{path}" + (f"?{query}" if query else "")
    request = urllib.request.Request(url, data=body, method=method, headers={**signed, "Authorization": authorization})
    context = ssl.create_default_context(cafile=os.environ["RIG_S3_CA"])
    urllib.request.urlopen(request, timeout=DEADLINE_SECONDS, context=context).close()
