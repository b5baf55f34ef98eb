"""Who is spoken to and as whom: the kubeconfig as kubectl reads it, in-cluster otherwise.

The only module that imports ``kubernetes``, and only where an ``auth-provider`` token is to be refreshed, in a thread:
the import takes 0.3 s. The rest is done here, because that package sends requests without credentials when a plug-in
fails, lends the plug-in the terminal, ignores impersonation, lets the last file choose the context, and leaves client
keys in temporary files.

It sends no requests, is never interactive, and never puts a credential into a text.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yaml

from pgwizard.errors import KubeconfigError
from pgwizard.kube import typed_yaml
from pgwizard.kube.commands import CURRENT_CONTEXT, Commands
from pgwizard.text import plain

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_EXTENSIONS: typed_yaml.Shape = [{"name": str, "extension": object}]
_CLUSTER: typed_yaml.Shape = {
    "server": str,
    "tls-server-name": str,
    "insecure-skip-tls-verify": bool,
    "certificate-authority": str,
    "certificate-authority-data": bytes,
    "proxy-url": str,
    "disable-compression": bool,
    "extensions": _EXTENSIONS,
}
_EXEC: typed_yaml.Shape = {
    "command": str,
    "args": [str],
    "env": [{"name": str, "value": str}],
    "apiVersion": str,
    "installHint": str,
    "provideClusterInfo": bool,
    "interactiveMode": str,
}
_USER: typed_yaml.Shape = {
    "client-certificate": str,
    "client-certificate-data": bytes,
    "client-key": str,
    "client-key-data": bytes,
    "token": str,
    "tokenFile": str,
    "as": str,
    "as-uid": str,
    "as-groups": [str],
    "as-user-extra": {"*": [str]},
    "username": str,
    "password": str,
    "auth-provider": {"name": str, "config": {"*": str}},
    "exec": _EXEC,
    "extensions": _EXTENSIONS,
}
SHAPE: typed_yaml.Shape = {
    "apiVersion": str,
    "kind": str,
    "current-context": str,
    "clusters": [{"name": str, "cluster": _CLUSTER}],
    "users": [{"name": str, "user": _USER}],
    "contexts": [{"name": str, "context": {"cluster": str, "user": str, "namespace": str, "extensions": _EXTENSIONS}}],
    "preferences": {"colors": bool, "extensions": _EXTENSIONS},
    "extensions": _EXTENSIONS,
}
"""Every field of client-go's ``clientcmd/api/v1.Config``, v0.34, with its type."""


@dataclass(frozen=True)
class Part:
    """A block of the merged kubeconfig with the types of SHAPE, and the folder that relative paths in it start from."""

    name: str
    values: Mapping[str, Any] = field(repr=False)
    folder: Path

    def bytes_of(self, key: str) -> bytes | None:
        """The content of ``key-data``, else of the file that ``key`` names; None where neither is set."""
        if data := self.values.get(f"{key}-data"):
            return bytes(data)
        if path := self.values.get(key):
            return read_bytes(self.folder / path, f"{key} of {self.name!r} in the kubeconfig")
        return None


@dataclass(frozen=True)
class Target:
    """Where requests go: the chosen context, with everything but the credentials.

    url: its scheme is in lower case. proxy_from: the setting that names the proxy. login: the name:password that the
    URL held; it outranks what the user has. has_scheme: whether the URL has a scheme in the kubeconfig.
    """

    label: str
    url: str
    namespace: str
    cluster: Part
    user: Part
    context: str = ""
    files: str = ""
    commands: Commands = CURRENT_CONTEXT
    proxy: str | None = field(default=None, repr=False)
    proxy_from: str = ""
    login: str = field(default="", repr=False)
    has_scheme: bool = True

    @property
    def route(self) -> str:
        """The proxy on the way, for messages; empty for none."""
        return f" by the proxy {_without_credentials(self.proxy)} ({self.proxy_from})" if self.proxy else ""

    @property
    def connection_hint(self) -> str:
        """What to check where the server is not reached."""
        if self.proxy and self.proxy_from == _PROXY_URL:
            hint = f"Check that the proxy runs, or correct or remove {_PROXY_URL}."
        elif self.proxy:
            hint = "Check that it is the proxy for this server. NO_PROXY names those that are reached without one."
        else:
            hint = "Check that the cluster is running, and that this machine can reach it."
        return f"{hint} {self.scheme_hint}".rstrip()

    @property
    def scheme_hint(self) -> str:
        """How to reach a server by https whose URL has no scheme; empty for one that has."""
        secure = plain(self.url.replace("http://", "https://", 1))
        return "" if self.has_scheme else f"If the server expects https, write server: {secure} in the kubeconfig."

    @property
    def server_hostname(self) -> str | None:
        """The name in SNI and in the certificate, if it differs from the URL's host: without a dot at its end."""
        host = urlsplit(self.url).hostname or ""
        return self.cluster.values.get("tls-server-name") or (host.rstrip(".") if host.endswith(".") else None)


def load(context: str | None = None, kubeconfig: str | None = None, namespace: str | None = None) -> Target:
    """Read the kubeconfig: ``kubeconfig``, else the files of $KUBECONFIG, else ~/.kube/config.

    In a pod, where none of them chooses a context, it is the pod's own cluster. Blocking: call it in a thread. Raises
    KubeconfigError.
    """
    contents, files = _read_files(kubeconfig)
    commands = Commands(context, kubeconfig)
    context_name = context or _current(contents)
    if not context_name and _is_in_pod():
        return _in_cluster(namespace)
    if not contents:
        raise _no_kubeconfig(files)
    if not context_name:
        raise KubeconfigError(
            f"the kubeconfig {plain(files)} names no current context",
            hint=f"Choose one with: {commands.kubectl('config', 'use-context', 'NAME')}",
        )
    return _from_files(contents, files, context_name, namespace, commands)


_Contents = list[tuple[Path, Mapping[str, Any]]]


def _read_files(kubeconfig: str | None) -> tuple[_Contents, str]:
    """The files that exist, in order, and what was requested, for messages."""
    files = kubeconfig or os.environ.get("KUBECONFIG") or _default_file()
    names = [kubeconfig] if kubeconfig else files.split(os.pathsep)
    contents = ((Path(name), _content(name)) for name in dict.fromkeys(names) if name)
    present = [(path, content) for path, content in contents if content is not None]
    if kubeconfig and not present:
        raise _no_kubeconfig(files)
    return present, files


def _current(contents: _Contents) -> str:
    return next((content["current-context"] for _, content in contents if content.get("current-context")), "")


def _default_file() -> str:
    """``~/.kube/config``; empty without HOME. kubectl would then read it from the working directory, which may be
    anybody's.
    """
    home = os.environ.get("HOME")
    return str(Path(home) / ".kube/config") if home else ""


def _no_kubeconfig(files: str) -> KubeconfigError:
    return KubeconfigError(
        f"there is no kubeconfig: {plain(files)} does not exist"
        if files
        else "there is no kubeconfig: KUBECONFIG is not set, and this user has no home directory",
        hint="Give the path of one that exists, with --kubeconfig or in KUBECONFIG.",
    )


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
    contents, files = _read_files(kubeconfig)
    current = _current(contents)
    in_pod = not current and _is_in_pod()
    if not contents and not in_pod:
        raise _no_kubeconfig(files)
    parts_by_kind = _merge(contents)
    choices = [
        Context(
            name=name,
            server=_shown_server(cluster.values),
            namespace=plain(part.values.get("namespace") or "default"),
            runs=_runs(parts_by_kind["user"].get(part.values.get("user") or "")),
            current=name == current,
        )
        for name, part in parts_by_kind["context"].items()
        if (cluster := parts_by_kind["cluster"].get(part.values.get("cluster") or "")) is not None
    ]
    if in_pod:
        target = _in_cluster(None)
        choices.append(Context("", target.label, target.namespace, current=True))
    return sorted(choices, key=lambda context: not context.current)


def _runs(user: Part | None) -> str:
    values = user.values if user else {}
    plugin = values.get("exec") or {}
    provider = values.get("auth-provider") or {}
    return plain(plugin.get("command") or provider.get("name") or "", 60)


# -- reading the files ------------------------------------------------------------------------------------------------


def _from_files(
    contents: _Contents, files: str, context_name: str, namespace: str | None, commands: Commands
) -> Target:
    parts_by_kind = _merge(contents)
    values = _part(parts_by_kind, "context", context_name, files).values
    name = values.get("cluster") or ""
    if _is_in_pod() and not (parts_by_kind["cluster"][name].values if name in parts_by_kind["cluster"] else name):
        return _in_cluster(namespace or values.get("namespace"))
    cluster = _part(parts_by_kind, "cluster", name, files)
    name = values.get("user") or ""
    user = (
        _part(parts_by_kind, "user", name, files)
        if name or "" in parts_by_kind["user"]
        else Part("", {}, cluster.folder)
    )
    for kind, part in (("cluster", cluster), ("user", user)):
        if problem := _contradiction(part.values) or _server_name_problem(part.values):
            raise KubeconfigError(f"{kind} {plain(part.name)!r} in the kubeconfig {plain(files)} {problem}")
    url, login = _address_of(cluster.values)
    if not url:
        raise KubeconfigError(
            f"cluster {plain(cluster.name)!r} in the kubeconfig {plain(files)} has no usable server URL"
        )
    proxy, proxy_from = _proxy(url, cluster.values.get("proxy-url") or "")
    return Target(
        label=f"{plain(context_name)} ({plain(url)})",
        url=url,
        namespace=plain(namespace or values.get("namespace") or _pod_namespace() or "default"),
        cluster=cluster,
        user=user,
        context=context_name,
        files=files,
        commands=commands,
        proxy=proxy,
        proxy_from=proxy_from,
        login=login,
        has_scheme=_SCHEME.match(cluster.values["server"]) is not None,
    )


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?=[^/?#])")


def _address_of(cluster: Mapping[str, Any]) -> tuple[str, str]:
    """The URL of a cluster, its scheme in lower case and no slash at its end, and the name:password that it holds.

    Empty where it is no http or https. A host without a scheme is taken for http, as by kubectl.
    """
    server: str = cluster.get("server") or ""
    if not server.isprintable():
        return "", ""
    bare = not _SCHEME.match(server)
    server = f"http://{server}" if bare else server
    try:
        parts = urlsplit(server.partition("?")[0])
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        login, _, host = parts.netloc.rpartition("@")
        host = _in_ascii(host)
    except ValueError:
        return "", ""
    is_odd = " " in parts.netloc or not login.isascii() or ("%" in host and not host.startswith("["))
    if not usable or is_odd or _BROKEN_ESCAPE.search(parts.path) or (bare and parts.path not in ("", "/")):
        return "", ""
    path = parts.path + (f"#{parts.fragment}" if parts.fragment and len(parts.path) > 1 else "")  # as in client-go
    path = quote(posixpath.normpath(f"/{unquote(path).lstrip('/')}"), safe="/$&+,:;=@").rstrip("/")
    login = f"{login}:" if login and ":" not in login else login  # a name and an empty password
    return f"{parts.scheme}://{host.rstrip(':')}{path}", unquote(login)


_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def _in_ascii(host: str) -> str:
    """A host, with its port or not, as it is asked of DNS. Raises ValueError where it cannot be."""
    return host if host.isascii() else host.encode("idna").decode()


def _shown_server(cluster: Mapping[str, Any]) -> str:
    """The URL of a cluster without name, password and query. Empty where no URL, but may hold one of these."""
    url, _ = _address_of(cluster)
    server: str = cluster.get("server") or ""
    return plain(url or ("" if {"@", "?"} & set(server) else server))


def _content(path: str) -> Mapping[str, Any] | None:
    """One file, accepted or refused as by client-go; None if it does not exist."""
    file = plain(path)
    try:
        content: Mapping[str, Any] = typed_yaml.read(Path(path).read_bytes(), SHAPE)
    except typed_yaml.WrongType as error:
        place = plain(error.place) or "the document"
        raise KubeconfigError(
            f"the kubeconfig {file}, line {error.line}: {place} is {error.actual}; expected {error.expected}"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"the kubeconfig {file} is not valid YAML{where}") from None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {reason_of(error)}") from None
    version, kind = content.get("apiVersion") or "v1", content.get("kind") or "Config"
    if (version, kind) != ("v1", "Config"):
        raise KubeconfigError(f"{file} is not a kubeconfig: it is a {plain(kind, 60)} of version {plain(version, 60)}")
    return content


def _merge(contents: _Contents) -> dict[str, dict[str, Part]]:
    """Clusters, users and contexts by name, the first file that names one wins, as in client-go."""
    parts_by_kind: dict[str, dict[str, Part]] = {"cluster": {}, "user": {}, "context": {}}
    for path, content in contents:
        _require_unique_extensions(path, content)
        _require_unique_extensions(path, content.get("preferences") or {})
        for kind, parts in parts_by_kind.items():
            names = set[str]()
            for entry in content.get(f"{kind}s") or []:
                name = entry.get("name") or ""
                if name in names:
                    raise KubeconfigError(f"the kubeconfig {plain(str(path))} has two {kind}s named {plain(name)!r}")
                names.add(name)
                _require_unique_extensions(path, entry.get(kind) or {})
                parts.setdefault(name, Part(name, entry.get(kind) or {}, path.absolute().parent))
    return parts_by_kind


def _require_unique_extensions(path: Path, block: Mapping[str, Any]) -> None:
    names = [extension.get("name") or "" for extension in block.get("extensions") or []]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise KubeconfigError(f"the kubeconfig {plain(str(path))} has two extensions named {plain(name)!r}")


_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def _contradiction(values: Mapping[str, Any]) -> str:
    """Why client-go would refuse a cluster or a user with contradicting settings; empty if it would not."""
    has = {key for key, value in values.items() if value or key in ("exec", "auth-provider")}
    has_certificate = has & {"client-certificate", "client-certificate-data"}
    for key in ("certificate-authority", "client-certificate", *(["client-key"] if has_certificate else [])):
        if {key, f"{key}-data"} <= has:
            return f"has both {key} and {key}-data: keep one"
    if "insecure-skip-tls-verify" in has and has & {"certificate-authority", "certificate-authority-data"}:
        return "has a certificate-authority and insecure-skip-tls-verify: true, which would not check it: keep one"
    if has & {"username", "password"} and has & {"token", "tokenFile"}:
        return "has both a token and a username or password: keep one"
    if "password" in has and "username" not in has:
        return "has a password and no username"
    if has_certificate and not has & {"client-key", "client-key-data"}:
        return "has a client certificate and no client-key"
    if has & {"as-uid", "as-groups", "as-user-extra"} and "as" not in has:
        return "impersonates a uid, groups or extra fields and no user: add as"
    if {"exec", "auth-provider"} <= has:
        return "has both exec and auth-provider: keep one"
    return (
        _provider_problem(values["auth-provider"])
        if "auth-provider" in has
        else _exec_problem(values["exec"])
        if "exec" in has
        else ""
    )


def _server_name_problem(values: Mapping[str, Any]) -> str:
    """Why TLS cannot ask for the name of a cluster; empty if it can."""
    name: str = values.get("tls-server-name") or ""
    labels = name.removesuffix(".").split(".")
    can_ask = not name or (name.isascii() and all(0 < len(label) < 64 for label in labels))
    return "" if can_ask else f"has the tls-server-name {plain(name, 100)!r}, which is no host name"


def _provider_problem(provider: Mapping[str, Any]) -> str:
    """Why client-go would refuse an auth-provider; empty if it would not."""
    name = provider.get("name") or ""
    return (
        "" if name == "oidc" else f"has the auth-provider {plain(name, 60)!r}, which kubectl does not support any more"
    )


def _exec_problem(plugin: Mapping[str, Any]) -> str:
    """Why client-go would refuse a credentials plug-in; empty if it would not."""
    version, mode = plugin.get("apiVersion") or "", plugin.get("interactiveMode") or ""
    if not plugin.get("command"):
        return "has an exec plug-in without a command"
    if version not in _EXEC_VERSIONS:
        kind = f"with apiVersion {plain(version, 60)}" if version else "without an apiVersion"
        return f"has an exec plug-in {kind}; expected {' or '.join(_EXEC_VERSIONS)}"
    if mode not in ("Never", "IfAvailable", "Always") and (mode or version == _EXEC_VERSIONS[0]):
        kind = f"with interactiveMode {plain(mode, 60)}" if mode else "without an interactiveMode"
        return f"has an exec plug-in {kind}; expected Never, IfAvailable or Always"
    if any(not item.get("name") for item in plugin.get("env") or []):
        return "has an exec plug-in with a variable in env that has no name"
    return ""


def _part(parts_by_kind: Mapping[str, Mapping[str, Part]], kind: str, name: str, files: str) -> Part:
    if name in parts_by_kind[kind]:
        return parts_by_kind[kind][name]
    names = ", ".join(plain(names, 60) for names in parts_by_kind[kind])
    raise KubeconfigError(
        f"the kubeconfig {plain(files)} has no {kind} {plain(name)!r}", hint=f"It has: {names or 'none'}."
    )


def _is_in_pod() -> bool:
    variables = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    return all(os.environ.get(name) for name in variables) and (SERVICE_ACCOUNT / "token").is_file()


def _pod_namespace() -> str:
    """The namespace of the pod that pgwizard runs in; empty outside of a pod."""
    if not _is_in_pod():
        return ""
    if namespace := os.environ.get("POD_NAMESPACE"):
        return namespace
    with contextlib.suppress(OSError, ValueError):
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    return ""


def _in_cluster(namespace: str | None) -> Target:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    url, _ = _address_of({"server": f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"})
    if not url:
        raise KubeconfigError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not the address of a server")
    proxy, proxy_from = _proxy(url, "")
    return Target(
        label=f"in-cluster ({plain(url)})",
        url=url,
        namespace=plain(namespace or _pod_namespace() or "default"),
        cluster=Part("in-cluster", {"certificate-authority": "ca.crt"}, SERVICE_ACCOUNT),
        user=Part("in-cluster", {"tokenFile": "token"}, SERVICE_ACCOUNT),
        proxy=proxy,
        proxy_from=proxy_from,
    )


def read_bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise KubeconfigError(f"{what} cannot be read: {plain(str(path))}: {reason_of(error)}") from None


def reason_of(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def decode(content: bytes, what: str) -> str:
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise KubeconfigError(f"{what} is not plain text") from None


def _without_credentials(proxy: str) -> str:
    """A URL to show, without credentials. proxy: the URL of a usable proxy."""
    parts = urlsplit(proxy)
    return plain(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl())


# -- proxies ----------------------------------------------------------------------------------------------------------


def _proxy(url: str, proxy_url: str) -> tuple[str | None, str]:
    """The proxy for a URL, and the setting it comes from: proxy-url, else the environment's variables as Go reads them.

    Source: golang.org/x/net/http/httpproxy, v0.38.
    """
    proxy, setting = (proxy_url, _PROXY_URL) if proxy_url else _environment_proxy(url)
    if not proxy:
        return None, ""
    try:
        parts = urlsplit(proxy)
        usable = bool(parts.hostname) and parts.port != 0 and proxy.isprintable() and not proxy.startswith(" ")
    except ValueError:
        usable = False
    if not usable:
        raise KubeconfigError(f"{setting} is not the URL of a proxy", hint="Set one such as http://proxy:3128.")
    if parts.scheme not in _PROXY_SCHEMES or (proxy_url and parts.scheme == "socks5h"):
        scheme = plain(parts.scheme, 20)
        raise KubeconfigError(
            f"a proxy of the kind {scheme!r} is not supported: {setting}", hint="Use http://, https:// or socks5://."
        )
    return proxy, setting


_PROXY_URL = "proxy-url in the kubeconfig"
_SOCKS = frozenset({"socks5", "socks5h"})
_PROXY_SCHEMES = frozenset({"http", "https", *_SOCKS})
"""Those of Go; client-go knows no socks5h in a kubeconfig."""


def is_socks(proxy: str) -> bool:
    """Whether the URL of a usable proxy is one of SOCKS5."""
    return urlsplit(proxy).scheme in _SOCKS


def _environment_proxy(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    name = f"{parts.scheme}_proxy"
    setting = next((name for name in (name.upper(), name) if os.environ.get(name)), "")
    if not setting:
        return "", ""
    if parts.scheme == "http" and os.environ.get("REQUEST_METHOD"):
        raise KubeconfigError(
            f"{setting} is not used in a CGI script, where a request could set it", hint="Unset REQUEST_METHOD."
        )
    exceptions = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if _reached_directly(parts.hostname or "", str(port), exceptions):
        return "", ""
    proxy = os.environ[setting]
    return (proxy if "://" in proxy else f"http://{proxy}"), setting


def _reached_directly(host: str, port: str, exceptions: str) -> bool:
    """Whether NO_PROXY excepts a server. Loopback never goes by a proxy."""
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_excepts(entry.strip().lower(), host, port, address) for entry in exceptions.split(","))


def _excepts(entry: str, host: str, port: str, address: _Address | None) -> bool:
    """``*``; a network; an address or a domain, with or without a port. A domain covers those below it as well,
    after a dot or ``*.`` for those alone.
    """
    if entry == "*":
        return True
    if re.fullmatch(r"[^/]+/[0-9]+", entry):
        with contextlib.suppress(ValueError):
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
    with contextlib.suppress(ValueError):
        entry = _in_ascii(entry)
    name, wanted_port = entry, ""
    if match := re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*)):([^:]*)", entry):
        name, wanted_port = match[1] or match[2] or "", match[3]
    if not name or (wanted_port and wanted_port != port):
        return False
    if address is not None or _address(name) is not None:
        return address == _address(name)
    if name.startswith(("*.", ".")):
        return host.endswith(name.removeprefix("*"))
    return host == name or host.endswith(f".{name}")


def _address(text: str) -> _Address | None:
    """An address of IPv4 written as one of IPv6 is that of IPv4. None where it is no address."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(text)
        return getattr(address, "ipv4_mapped", None) or address
    return None
