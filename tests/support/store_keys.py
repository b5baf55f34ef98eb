"""Key pairs of the rig's MinIO with less than all rights, made through its admin API.

The body of such a request is encrypted with the administrator's secret key, as MinIO's clients do it: salt, a byte for
the cipher, nonce, and fragments of AES-GCM with a counter in the nonce. One fragment is enough here.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support import rig_s3

_ADMIN = "/minio/admin/v3"
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
    rig_s3.request("PUT", f"{_ADMIN}/add-service-account", body=_encrypted(json.dumps(body).encode()))
    try:
        yield key
    finally:
        rig_s3.request("DELETE", f"{_ADMIN}/delete-service-account", f"accessKey={key.access}")


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
