"""The public authorities that an image trusts where no certificate is chosen."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pgwizard.tls.certificates import Bundle, read_bundle


@cache
def public_authorities() -> Bundle:
    """Mozilla's, which Debian's images have too, as certifi has them: an image may have some more, or older ones.

    Blocking, and takes some tenths of a second: call it in a thread.
    """
    import certifi

    return read_bundle(Path(certifi.where()).read_bytes())
