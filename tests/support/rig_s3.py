"""Requests to the rig's MinIO as its administrator, from outside of the cluster."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import urllib.request
from datetime import UTC, datetime
from urllib.parse import urlsplit

from support.waiting import DEADLINE_SECONDS


def request(method: str, path: str, query: str = "", body: bytes = b"") -> bytes:
    """The answer to a request, which is signed with AWS's version 4. Raises urllib.error.HTTPError for a refusal."""
    endpoint = os.environ["RIG_S3_ENDPOINT"]
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
    signed_request = urllib.request.Request(
        url, data=body, method=method, headers={**signed, "Authorization": authorization}
    )
    context = ssl.create_default_context(cafile=os.environ["RIG_S3_CA"])
    with urllib.request.urlopen(signed_request, timeout=DEADLINE_SECONDS, context=context) as answer:
        return bytes(answer.read())


def object_path(file: str) -> str:
    """The path of a file of the bucket."""
    return f"/{os.environ['RIG_S3_BUCKET']}/{file.strip('/')}"
