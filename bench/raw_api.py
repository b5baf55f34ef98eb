"""Where the API server of a kubeconfig is, and the TLS of its client certificate: no client library in between."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import yaml


def server_and_context(kubeconfig: str) -> tuple[str, ssl.SSLContext]:
    """The URL without a slash at its end."""
    config = yaml.safe_load(Path(kubeconfig).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority").decode())
    with tempfile.TemporaryDirectory() as folder:
        for name in ("client-certificate", "client-key"):
            (Path(folder) / name).write_bytes(_pem(user, name))
        context.load_cert_chain(f"{folder}/client-certificate", f"{folder}/client-key")
    return str(cluster["server"]).rstrip("/"), context


def _pem(section: dict[str, Any], name: str) -> bytes:
    if text := section.get(f"{name}-data"):
        return base64.b64decode(text)
    return Path(section[name]).read_bytes()
