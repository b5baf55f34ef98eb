"""Owns what answers behind a forwarded port. It refuses every port that nothing listens on, in the kubelet's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pgwizard import errors
from pgwizard.demo.store import Store
from pgwizard.kubeapi import ByteStream, Object


@asynccontextmanager
async def connect(store: Store, pod: Object, port: int) -> AsyncIterator[ByteStream]:
    """Raises Unreachable where nothing listens."""
    name = pod["metadata"]["name"]
    raise errors.Unreachable(f"pod {name}: failed to connect to localhost:{port}: connection refused")
    yield  # type: ignore[unreachable]
