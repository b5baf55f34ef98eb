"""Who is spoken to and as whom: the kubeconfig as kubectl reads it, in-cluster otherwise, and its credentials.

The only module that imports ``kubernetes``, and only where an ``auth-provider`` token is to be refreshed, in a thread:
the import takes 0.3 s. The rest is done here, because that package sends requests without credentials when a plug-in
fails, lends the plug-in the terminal, ignores impersonation, lets the last file choose the context, and leaves client
keys in temporary files.

It refuses to send requests, to be interactive, and to put a credential into a text.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import ipaddress
import os
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from pgwizard.errors import KubeconfigError
from pgwizard.text import plain

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Part:
    """A block of the merged kubeconfig, and the folder that relative paths in it start from."""

    name: str
    values: Mapping[str, Any] = field(repr=False)
    folder: Path

    def bytes_of(self, key: str) -> bytes | None:
        """The content of ``key-data`` (base64), else of the file that ``key`` names; None where neither is set."""
        if data := self.values.get(f"{key}-data"):
            try:
                return base64.b64decode(str(data), validate=True)
            except binascii.Error:
                raise KubeconfigError(f"{key}-data of {self.name!r} in the kubeconfig is not base64") from None
        if path := self.values.get(key):
            return _read(self.folder / str(path), f"{key} of {self.name!r} in the kubeconfig")
        return None


@dataclass(frozen=True)
class Target:
    """Where requests go: the chosen context, with everything but the credentials."""

    label: str
    url: str
    namespace: str
    cluster: Part
    user: Part
    context: str = ""
    files: str = ""
    proxy: str | None = field(default=None, repr=False)

    @property
    def server_hostname(self) -> str | None:
        """The name in SNI and in the certificate, where it is not the URL's host."""
        return self.cluster.values.get("tls-server-name") or None


def load(context: str | None = None, kubeconfig: str | None = None, namespace: str | None = None) -> Target:
    """Read the kubeconfig: ``kubeconfig``, else the files of $KUBECONFIG, else ~/.kube/config, else in-cluster.

    Blocking: call it in a thread. Raises KubeconfigError.
    """
    present, files = _present(kubeconfig)
    if not present:
        if kubeconfig is None and context is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return _in_cluster(namespace)
        raise _absent(files)
    with _readable(files):
        return _from_files(os.pathsep.join(present), context, namespace)


def _present(kubeconfig: str | None) -> tuple[list[str], str]:
    """The files that are there, and what was asked for, for messages."""
    files = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
    asked = [files] if kubeconfig else files.split(os.pathsep)
    return [path for path in asked if path and Path(path).exists()], files


def _absent(files: str) -> KubeconfigError:
    return KubeconfigError(
        f"there is no kubeconfig: {plain(files)} does not exist",
        hint="set KUBECONFIG, or name the file with --kubeconfig",
    )


@contextlib.contextmanager
def _readable(files: str) -> Iterator[None]:
    """What can go wrong while the files are read, as KubeconfigError."""
    try:
        yield
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"the kubeconfig {plain(files)} is not valid YAML{where}") from None
    except (AttributeError, TypeError, KeyError, ValueError, UnicodeError):
        raise KubeconfigError(f"{plain(files)} is not a kubeconfig: its structure is not as expected") from None
    except OSError as error:
        raise KubeconfigError(f"the kubeconfig {plain(files)} cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class Context:
    """One context of the kubeconfig, for a person to choose. runs: the program that logs it in; empty for none.

    name is as the file has it, so that it can be connected to; the rest is fit to be shown.
    """

    name: str
    server: str
    namespace: str
    runs: str = ""
    current: bool = False


def contexts(kubeconfig: str | None = None) -> list[Context]:
    """Every context, the current one first, then in the order of the files; those that lead nowhere are left out.

    Nothing is run and nothing is sent. Blocking: call it in a thread. Raises KubeconfigError.
    """
    present, files = _present(kubeconfig)
    if not present:
        if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            target = _in_cluster(None)
            return [Context("", target.label, target.namespace, current=True)]
        raise _absent(files)
    with _readable(files):
        contents = [(Path(path), _mapping(path)) for path in present]
        merged = _merged(contents)
        current = next((str(found["current-context"]) for _, found in contents if found.get("current-context")), "")
        listed = [
            Context(
                name=name,
                server=_without_credentials(str(cluster.values.get("server") or "")),
                namespace=plain(str(part.values.get("namespace") or "default")),
                runs=_runs(merged["user"].get(str(part.values.get("user") or ""))),
                current=name == current,
            )
            for name, part in merged["context"].items()
            if (cluster := merged["cluster"].get(str(part.values.get("cluster", "")))) is not None
        ]
    return sorted(listed, key=lambda context: not context.current)


def _runs(user: Part | None) -> str:
    values = user.values if user else {}
    plugin = values.get("exec") or {}
    provider = values.get("auth-provider") or {}
    return plain(str(plugin.get("command") or provider.get("name") or ""), 60)


# -- reading the files ------------------------------------------------------------------------------------------------


def _from_files(files: str, context: str | None, namespace: str | None) -> Target:
    contents = [(Path(path), _mapping(path)) for path in files.split(os.pathsep)]
    merged = _merged(contents)
    currents = (content.get("current-context") for _, content in contents)
    chosen = context or next((str(current) for current in currents if current), "")
    if not chosen:
        raise KubeconfigError(
            f"the kubeconfig {plain(files)} names no current context", hint="kubectl config use-context NAME"
        )
    values = _part(merged, "context", chosen, files).values
    cluster = _part(merged, "cluster", str(values.get("cluster", "")), files)
    name = str(values.get("user") or "")
    user = _part(merged, "user", name, files) if name else Part("", {}, cluster.folder)
    url = str(cluster.values.get("server") or "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise KubeconfigError(f"cluster {cluster.name!r} in the kubeconfig {plain(files)} has no usable server URL")
    return Target(
        label=f"{plain(chosen)} ({_without_credentials(url)})",
        url=url,
        namespace=plain(namespace or str(values.get("namespace") or "default")),
        cluster=cluster,
        user=user,
        context=chosen,
        files=files,
        proxy=_proxy(url, cluster.values.get("proxy-url")),
    )


def _mapping(path: str) -> Mapping[str, Any]:
    content = yaml.load(Path(path).read_bytes(), _LOADER)  # noqa: S506 - the safe loader, in C where it is there
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TypeError
    return content


def _merged(contents: list[tuple[Path, Mapping[str, Any]]]) -> dict[str, dict[str, Part]]:
    """Clusters, users and contexts by name, the first file that names one wins, as in client-go."""
    merged: dict[str, dict[str, Part]] = {"cluster": {}, "user": {}, "context": {}}
    for path, content in contents:
        for kind, parts in merged.items():
            for entry in content.get(f"{kind}s") or []:
                name = str(entry["name"])
                parts.setdefault(name, Part(name, entry.get(kind) or {}, path.absolute().parent))
    return merged


def _part(merged: Mapping[str, Mapping[str, Part]], kind: str, name: str, files: str) -> Part:
    if name in merged[kind]:
        return merged[kind][name]
    known = ", ".join(plain(known, 60) for known in merged[kind])
    raise KubeconfigError(
        f"the kubeconfig {plain(files)} has no {kind} {plain(name)!r}", hint=f"it has: {known or 'none'}"
    )


def _in_cluster(namespace: str | None) -> Target:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    with contextlib.suppress(OSError):
        namespace = namespace or (SERVICE_ACCOUNT / "namespace").read_text().strip()
    return Target(
        label=f"in-cluster ({url})",
        url=url,
        namespace=namespace or "default",
        cluster=Part("in-cluster", {"certificate-authority": "ca.crt"}, SERVICE_ACCOUNT),
        user=Part("in-cluster", {"tokenFile": "token"}, SERVICE_ACCOUNT),
    )


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise KubeconfigError(f"{what} cannot be read: {plain(str(path))}: {_reason(error)}") from None


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _text(content: bytes, what: str) -> str:
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise KubeconfigError(f"{what} is not plain text") from None


def _without_credentials(url: str) -> str:
    """To be shown."""
    parts = urlsplit(url)
    return plain(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl())


def _proxy(url: str, configured: str | None) -> str | None:
    """proxy-url, else the environment's as Go reads it: NO_PROXY may hold networks; loopback never goes by proxy."""
    proxy = configured or _environment_proxy(url)
    if proxy and urlsplit(proxy).scheme not in {"http", "https"}:
        scheme = plain(urlsplit(proxy).scheme, 20)
        raise KubeconfigError(f"a proxy of the kind {scheme!r} is not supported", hint="use an http:// proxy")
    return proxy


def _environment_proxy(url: str) -> str | None:
    parts = urlsplit(url)
    proxy = urllib.request.getproxies_environment().get(parts.scheme)
    if not proxy or _bypassed(parts.hostname or "", parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypassed(host: str, netloc: str) -> bool:
    address = None
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").lower().split(","):
        name = entry.strip().lstrip(".")
        if name and (name in {"*", host, netloc} or host.endswith(f".{name}")):
            return True
        with contextlib.suppress(ValueError):
            if address is not None and address in ipaddress.ip_network(name, strict=False):
                return True
    return False
