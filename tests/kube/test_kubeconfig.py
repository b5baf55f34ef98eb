"""The kubeconfig as kubectl reads it, and credentials that are never missing, stale or seen."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pgwizard.errors import Invalid, KubeconfigError, OutputError, Unauthorized, Unreachable
from pgwizard.kube import credentials, kubeconfig
from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.kube.client import KubeCluster, connect
from pgwizard.kube.credentials import Credentials, Login
from pgwizard.kube.http import Http
from pgwizard.kube.kubeconfig import contexts, load
from support.apiscript import TOKEN, Api, Clock, Step, everything_in, refuses, resets, run, says, served, text
from support.waiting import DEADLINE_SECONDS, wait_until

T = TypeVar("T")
REF = Ref(Resource("v1", "ConfigMap"), "a", "ns")
EXEC = "client.authentication.k8s.io/v1"
RUNS = {"apiVersion": EXEC, "interactiveMode": "IfAvailable"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own configuration is read."""
    for name in list(os.environ):
        if name.startswith("KUBE") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def config(
    user: Object | None = None, cluster: Object | None = None, *, name: str = "one", current: str | None = "one"
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        **({"current-context": current} if current is not None else {}),
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.test:6443/base/", **(cluster or {})}}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
    }


def saved(path: Path, content: Object | str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def login(tmp_path: Path, user: Object, **cluster: Any) -> Login:
    return Login(load(kubeconfig=saved(tmp_path / "config", config(user, cluster))))


def now(work: Callable[[], Awaitable[T]]) -> T:
    async def within() -> T:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await work()

    return asyncio.run(within())


def read(login_: Login) -> Credentials:
    return now(login_.current)


def authorization(login_: Login) -> str:
    return dict(read(login_).headers).get("Authorization", "")


# -- files ------------------------------------------------------------------------------------------------------------


def test_one_file(tmp_path: Path) -> None:
    target = load(kubeconfig=saved(tmp_path / "config", config()))
    assert (target.url, target.namespace) == ("https://one.test:6443/base", "ns-one")
    assert target.label == "one (https://one.test:6443/base)"
    assert load(kubeconfig=target.files, namespace="other").namespace == "other"


def test_home(tmp_path: Path) -> None:
    saved(tmp_path / "home/.kube/config", config())
    assert load().namespace == "ns-one"


def test_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = saved(tmp_path / "a/config", config(current=None))
    second = saved(tmp_path / "b/config", config({"tokenFile": "token"}, name="two", current="two"))
    third = saved(tmp_path / "c/config", config({"token": "late"}, name="two", current="one"))
    saved(tmp_path / "b/token", f"{TOKEN}\n")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([first, str(tmp_path / "absent"), "", second, third]))
    target = load()
    # The first file that names something wins, for the current context too; paths start at the file that has them.
    assert target.namespace == "ns-two"
    assert authorization(Login(target)) == f"Bearer {TOKEN}"
    assert load("one").namespace == "ns-one"


def test_a_context_without_user_and_namespace(tmp_path: Path) -> None:
    content = config()
    content["contexts"][0]["context"] = {"cluster": "one"}
    target = load(kubeconfig=saved(tmp_path / "config", content))
    assert target.namespace == "default"
    with pytest.raises(KubeconfigError, match=r"user '' in the kubeconfig .* has no credentials"):
        read(Login(target))


def test_credentials_in_the_url_are_not_shown(tmp_path: Path) -> None:
    content = config(cluster={"server": f"https://u:{TOKEN}@one.test?x={TOKEN}"})
    assert TOKEN not in load(kubeconfig=saved(tmp_path / "config", content)).label


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        ("a: [", r"not valid YAML, line \d"),
        ("\tx: y", "not valid YAML"),
        ("", "no current context"),
        ("- a", "line 1: the document is a list; expected a mapping"),
        ("just text", "line 1: the document is text; expected a mapping"),
        ("contexts: 7", "line 1: contexts is a number; expected a list"),
        ("current-context: a\ncontexts: [x]", r"line 2: contexts\[0\] is text; expected a mapping"),
        ("users: [{}]", "no current context"),
        ({**config(), "kind": "ConfigMap"}, "not a kubeconfig: it is a ConfigMap of version v1"),
        ({**config(), "apiVersion": "v2"}, "not a kubeconfig: it is a Config of version v2"),
        ({**config(), "users": [{"name": "one"}, {"name": "one"}]}, "two users named 'one'"),
        ("{}", "no current context"),
        (config(current="absent"), "no context 'absent'"),
        (config(cluster={"server": ""}), "no usable server URL"),
        (config(cluster={"server": "one.test:6443/base"}), "no usable server URL"),
        (config(cluster={"server": "https://one.test\n"}), "no usable server URL"),
        (config(cluster={"server": "https://["}), "no usable server URL"),
        (config(cluster={"server": "https://one.test:port"}), "no usable server URL"),
        (config(cluster={"proxy-url": f"socks4://u:{TOKEN}@p"}), "proxy of the kind 'socks4'"),
    ],
)
def test_unusable_files(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "config"
    if content is not None:
        saved(path, content)
    with pytest.raises(KubeconfigError, match=words) as caught:
        load(kubeconfig=str(path))
    assert TOKEN not in everything_in(caught.value)
    assert caught.value.exit_code == 4


def test_an_unknown_context_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError) as caught:
        load("absent", saved(tmp_path / "config", config()))
    assert caught.value.hint == "It has: one."


@pytest.mark.parametrize(
    "server",
    [
        "https://%6cocalhost",
        "https://host/%zz",
        "https://m\u00e9:p@host",
        "https://ho st",
        "https://" + "\u00fc" * 70 + ".test",
    ],
)
def test_a_server_that_is_no_url_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(KubeconfigError, match="has no usable server URL"):
        load(kubeconfig=saved(tmp_path / "config", config({"token": TOKEN}, {"server": server})))


@pytest.mark.parametrize(
    ("server", "url", "login_name", "server_name"),
    [
        ("https://b\u00fccher.test:6443", "https://xn--bcher-kva.test:6443", "", None),
        ("https://host/a b", "https://host/a%20b", "", None),
        ("https://me@host", "https://host", "me:", None),
        ("https://me:x@host", "https://host", "me:x", None),
        ("https://host.:6443", "https://host.:6443", "", "host"),
    ],
)
def test_a_server_is_read_as_kubectl_reads_it(
    tmp_path: Path, server: str, url: str, login_name: str, server_name: str | None
) -> None:
    target = load(kubeconfig=saved(tmp_path / "config", config({"token": TOKEN}, {"server": server})))
    assert (target.url, target.login, target.server_hostname) == (url, login_name, server_name)


@pytest.mark.parametrize("name", ["b\u00fccher.test", "api..test", f"{'x' * 64}.test", "."])
def test_a_server_name_that_tls_cannot_ask_for_is_refused(tmp_path: Path, name: str) -> None:
    content = config({"token": TOKEN}, {"tls-server-name": name})
    with pytest.raises(KubeconfigError, match=r"has the tls-server-name '.*', which is no host name"):
        load(kubeconfig=saved(tmp_path / "config", content))


def test_two_extensions_of_one_name_are_refused(tmp_path: Path) -> None:
    content = config({"token": TOKEN}, {"extensions": [{"name": "x", "extension": 1}, {"name": "x", "extension": 2}]})
    with pytest.raises(KubeconfigError, match="has two extensions named 'x'"):
        load(kubeconfig=saved(tmp_path / "config", content))


def test_nothing_at_all() -> None:
    with pytest.raises(KubeconfigError, match="no kubeconfig") as caught:
        load()
    assert "KUBECONFIG" in caught.value.hint


def test_in_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    saved(tmp_path / "namespace", "here\n")
    saved(tmp_path / "token", f"{TOKEN}\n")
    target = load()
    assert (target.url, target.namespace) == ("https://[fd00::1]:443", "here")
    with pytest.raises(KubeconfigError, match=r"ca\.crt"):
        read(Login(target))
    (tmp_path / "ca.crt").write_bytes(certificate("x")[0])
    assert authorization(Login(target)) == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("server", "variables", "expected"),
    [
        ("https://a.test", {}, None),
        ("https://a.test", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.test", {"https_proxy": "p:1"}, "http://p:1"),
        ("http://a.test", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://a.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.test,.test"}, None),
        ("https://a.lab.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.lab.test"}, None),
        ("https://lab.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.lab.test"}, "http://p:1"),
        ("https://lab.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".lab.test"}, "http://p:1"),
        ("https://a.lab.test:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.lab.test:6443"}, None),
        ("https://a.lab.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "lab.test:443"}, None),
        ("https://a.lab.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "lab.test:6443"}, "http://p:1"),
        ("https://alab.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*lab.test"}, "http://p:1"),
        ("https://A.LAB.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.Lab.Test"}, None),
        ("https://a.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "", "no_proxy": "a.test"}, None),
        ("https://a.test", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://p:1"),
        ("https://[fd00::1]", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[fd00::1]:443"}, None),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.1.2.3:6443"}, "http://p:1"),
        ("https://atest", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "test"}, "http://p:1"),
        ("https://a.test:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, a.test:6443"}, None),
        ("https://a.test", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://11.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "http://p:1"),
        ("https://127.0.0.1", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://localhost", {"HTTPS_PROXY": "http://p:1"}, None),
    ],
)
def test_proxies_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, variables: dict[str, str], expected: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    content = config(cluster={"server": server})
    assert load(kubeconfig=saved(tmp_path / "config", content)).proxy == expected
    content = config(cluster={"server": server, "proxy-url": "http://own:2"})
    assert load(kubeconfig=saved(tmp_path / "config", content)).proxy == "http://own:2"


# -- credentials ------------------------------------------------------------------------------------------------------


def test_tokens_and_passwords(tmp_path: Path) -> None:
    assert authorization(login(tmp_path, {"token": TOKEN})) == f"Bearer {TOKEN}"
    basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
    assert authorization(login(tmp_path, {"username": "me", "password": TOKEN})) == f"Basic {basic}"


@pytest.mark.parametrize("user", [{"token": f"{TOKEN}\nX-Evil: 1"}, {"token": TOKEN, "as": "jane\r\nX-Evil: 1"}])
def test_a_value_that_could_be_taken_for_another_header_is_not_sent(tmp_path: Path, user: Object) -> None:
    with pytest.raises(KubeconfigError, match="cannot be sent") as caught:
        read(login(tmp_path, user))
    assert TOKEN not in everything_in(caught.value)


def test_token_files_are_read_again(tmp_path: Path) -> None:
    wall = [1000.0]
    saved(tmp_path / "token", "first")
    target = load(kubeconfig=saved(tmp_path / "config", config({"tokenFile": "token"})))

    async def scenario() -> None:
        login_ = Login(target, now=lambda: wall[0])
        assert ("Authorization", "Bearer first") in (await login_.current()).headers
        saved(tmp_path / "token", "second")
        assert ("Authorization", "Bearer first") in (await login_.current()).headers
        wall[0] += 61
        assert ("Authorization", "Bearer second") in (await login_.current()).headers
        (tmp_path / "token").unlink()
        assert login_.reject(await login_.current())
        with pytest.raises(KubeconfigError, match="token file of 'one' cannot be read"):
            await login_.current()

    run(scenario())


def test_impersonation(tmp_path: Path) -> None:
    user = {"token": TOKEN, "as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"x/y": ["1", "2"]}}
    assert read(login(tmp_path, user)).headers == (
        ("Authorization", f"Bearer {TOKEN}"),
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-x%2Fy", "1"),
        ("Impersonate-Extra-x%2Fy", "2"),
    )


def test_extra_fields_whose_names_differ_by_case_are_both_sent(tmp_path: Path) -> None:
    user = {"token": TOKEN, "as": "jane", "as-user-extra": {"K": ["1"], "k": ["2"], "!#(%": ["3"]}}
    assert read(login(tmp_path, user)).headers[2:] == (
        ("Impersonate-Extra-k", "1"),
        ("Impersonate-Extra-k", "2"),
        ("Impersonate-Extra-!#%28%25", "3"),
    )


def test_a_removed_auth_provider_is_refused(tmp_path: Path) -> None:
    user = {"auth-provider": {"name": "azure", "config": {"access-token": TOKEN}}}
    with pytest.raises(KubeconfigError, match="auth-provider 'azure', which kubectl does not support") as caught:
        login(tmp_path, user)
    assert TOKEN not in everything_in(caught.value)


def test_an_oidc_token(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 3600}).encode()).decode().rstrip("=")
    token = f"e30.{claims}.sig"
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    assert authorization(login(tmp_path, user)) == f"Bearer {token}"


def test_credentials_are_not_shown(tmp_path: Path) -> None:
    target = load(kubeconfig=saved(tmp_path / "config", config({"token": TOKEN})))
    assert TOKEN not in repr(target)
    assert TOKEN not in repr(read(Login(target)))


# -- plug-ins ---------------------------------------------------------------------------------------------------------


def plugin(tmp_path: Path, script: str, **options: Any) -> Object:
    path = tmp_path / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"exec": {"apiVersion": EXEC, "command": "./plugin", "interactiveMode": "IfAvailable", **options}}


def credential(**status: str) -> str:
    return json.dumps({"apiVersion": EXEC, "kind": "ExecCredential", "status": status})


def printing(**status: str) -> str:
    return f"echo run >> runs; cat <<'END'\n{credential(**status)}\nEND"


def test_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = f'printf %s "$KUBERNETES_EXEC_INFO" > info; echo "$1 $MY" > arguments; {printing(token=TOKEN)}'
    options = {"args": ["get"], "env": [{"name": "MY", "value": "own"}], "provideClusterInfo": True}
    login_ = login(tmp_path, plugin(tmp_path, script, **options), **{"tls-server-name": "other"})
    assert authorization(login_) == f"Bearer {TOKEN}"
    info = json.loads((tmp_path / "info").read_text())
    assert info["spec"]["interactive"] is False
    assert info["spec"]["cluster"] == {
        "server": "https://one.test:6443/base/",
        "tls-server-name": "other",
        "config": None,
    }
    assert (tmp_path / "arguments").read_text() == "get own\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'login \x1b[31mexpired' >&2; exit 1", r"/plugin failed with exit code 1: login \[31mexpired"),
        ("exit 3", "exit code 3: it wrote nothing"),
        ("kill -KILL $$", "was ended by SIGKILL: it wrote nothing"),
        (f"echo 'not json {TOKEN}'", "did not print an ExecCredential"),
        (f"echo '[\"{TOKEN}\"]'", "did not print an ExecCredential"),
        ("cat <<'END'\n" + credential(token="").replace(EXEC, "other/v1") + "\nEND", "another version"),
        (printing(), "neither a token nor a certificate"),
        (printing(clientCertificateData="x"), "a certificate without its key"),
        (printing(clientCertificateData="x", token=TOKEN), "a certificate without its key"),
        (printing(token=5), r"did not print an ExecCredential: status\.token is a number; expected text"),  # type: ignore[arg-type]
        (printing(clientCertificateData="x", clientKeyData=TOKEN), "holds no certificate"),
        (printing(token="x", expirationTimestamp="soon"), "not a time"),
        ("read answer || exit 9", "exit code 9"),
        ("read answer < /dev/tty || exit 8; exit 7", "exit code [128]"),
    ],
)
def test_plugins_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KubeconfigError, match=words) as caught:
        read(login(tmp_path, plugin(tmp_path, script)))
    assert TOKEN not in everything_in(caught.value)


def test_a_plugin_that_is_missing(tmp_path: Path) -> None:
    user = {"exec": {**RUNS, "command": "no-such-plugin", "installHint": "install it from there"}}
    with pytest.raises(
        KubeconfigError, match=r"no-such-plugin cannot be started: it is in no folder of PATH"
    ) as caught:
        read(login(tmp_path, user))
    assert caught.value.hint == "install it from there"


@pytest.mark.parametrize("folder", ["", ".", "bin"], ids=["nothing", "a dot", "a name"])
def test_a_plugin_is_never_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    program = tmp_path / "elsewhere" / folder / "their-plugin"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n{printing(token=TOKEN)}")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path / "elsewhere")
    user = plugin(tmp_path, "")
    user["exec"]["command"] = "their-plugin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(KubeconfigError, match=r"their-plugin cannot be started: PATH leads to .*working directory"):
        read(login(tmp_path, user))
    assert not (tmp_path / "was-run").exists()


def test_the_path_that_a_plugin_gets_is_not_the_one_it_is_looked_up_by(tmp_path: Path) -> None:
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": TOKEN}}
    user = plugin(tmp_path, "", args=["-c", f"echo '{json.dumps(answer)}'"], env=[{"name": "PATH", "value": "/absent"}])
    user["exec"]["command"] = "sh"
    assert authorization(login(tmp_path, user)) == f"Bearer {TOKEN}"


@pytest.mark.parametrize("key", ["exec", "auth-provider"])
def test_an_empty_block_is_refused_beside_a_token_and_a_null_is_not(tmp_path: Path, key: str) -> None:
    assert authorization(login(tmp_path, {"token": TOKEN, key: None})) == f"Bearer {TOKEN}"
    with pytest.raises(KubeconfigError, match=r"exec plug-in without a command|has the auth-provider ''"):
        login(tmp_path, {"token": TOKEN, key: {}})


def test_a_plugin_that_insists_on_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="terminal of its own"):
        read(login(tmp_path, plugin(tmp_path, "exit 0", interactiveMode="Always")))


def test_a_plugin_that_hangs_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(credentials, "PLUGIN_SECONDS", 1.0)
    script = "sleep 60 & echo $! > child; printf 'enter the code \033[1mAB-12 at https://log.in' >&2; wait"
    words = "was stopped after 1 s; it was waiting for: enter the code \\[1mAB-12 at https://log.in"
    with pytest.raises(KubeconfigError, match=words):
        read(login(tmp_path, plugin(tmp_path, script)))
    child = int((tmp_path / "child").read_text())

    def has_ended() -> bool:
        with contextlib.suppress(OSError):  # it is gone
            return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
        return True

    wait_until("the plug-in's child has ended", has_ended)


def test_a_plugin_runs_once_until_it_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wall = [datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC).timestamp()]
    script = printing(token=TOKEN, expirationTimestamp="2030-01-01T00:01:00Z")
    target = load(kubeconfig=saved(tmp_path / "config", config(plugin(tmp_path, script))))

    async def scenario() -> None:
        login_ = Login(target, now=lambda: wall[0])
        await asyncio.gather(*(login_.current() for _ in range(5)))
        wall[0] += 45
        await login_.current()
        assert runs(tmp_path) == 1
        wall[0] += 10
        await login_.current()
        assert runs(tmp_path) == 2
        # What it prints has expired by now: yet it is not run for every request.
        wall[0] += 3600
        await login_.current()
        await login_.current()
        assert runs(tmp_path) == 3

    run(scenario())


def runs(folder: Path) -> int:
    return (folder / "runs").read_text().count("run")


def only(token: str) -> Step:
    async def step(request: web.BaseRequest) -> web.StreamResponse:
        accepted = request.headers.get("Authorization") == f"Bearer {token}"
        return await (says({"kind": "ConfigMap"}) if accepted else refuses(401, "Unauthorized", "Unauthorized"))(
            request
        )

    return step


@pytest.mark.parametrize("accepted", [True, False])
def test_credentials_are_renewed_once_on_401(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, accepted: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    script = f"echo run >> runs; echo '{credential(token='N')}' | sed s/N/t$(wc -l < runs | tr -d ' ')/"
    user = plugin(tmp_path, script)

    async def scenario() -> None:
        api = Api([only("t2" if accepted else "never")])
        async with served_by_tls(api, tmp_path) as reached:
            target = load(kubeconfig=saved(tmp_path / "config", config(user, reached)))
            async with KubeCluster(Http(target, Login(target), Clock().patience())) as cluster:
                if accepted:
                    await cluster.get(REF)
                    await cluster.get(REF)
                else:
                    with pytest.raises(Unauthorized) as caught:
                        await cluster.get(REF)
                    assert "Log in again" in caught.value.hint
        assert runs(tmp_path) == 2
        assert len(api.seen) == (3 if accepted else 2)

    run(scenario())


def test_a_static_token_is_not_tried_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        api = Api([refuses(401, "Unauthorized")])
        async with served(api) as url:
            path = saved(tmp_path / "config", config({"token": TOKEN}, {"server": url}))
            async with await connect(kubeconfig_file=path) as cluster:
                with pytest.raises(Unauthorized):
                    await cluster.get(REF)
        assert len(api.seen) == 1

    run(scenario())


def test_connecting_fails_when_the_plugin_does_and_sends_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        api = Api([says({})])
        async with served_by_tls(api, tmp_path) as reached:
            path = saved(tmp_path / "config", config(plugin(tmp_path, "exit 1"), reached))
            with pytest.raises(KubeconfigError, match="plugin"):
                await connect(kubeconfig_file=path)
        assert api.seen == []

    run(scenario())


def test_impersonation_reaches_the_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        api = Api([says({"gitVersion": "v1.34.4"})])
        async with served(api) as url:
            user = {"token": TOKEN, "as": "jane", "as-groups": ["a", "b"]}
            path = saved(tmp_path / "config", config(user, {"server": f"{url}/k8s/one/"}))
            async with await connect(kubeconfig_file=path) as cluster:
                assert await cluster.version() == "v1.34.4"
        assert api.seen[0].path == "/k8s/one/version"
        assert api.seen[0].headers["Impersonate-User"] == ["jane"]
        assert api.seen[0].headers["Impersonate-Group"] == ["a", "b"]

    run(scenario())


def test_requests_by_a_proxy(tmp_path: Path) -> None:
    async def scenario() -> None:
        api = Api([says({"gitVersion": "v1.34.4"})])
        async with served(api) as url:
            proxy = url.replace("://", f"://me:{TOKEN}@")
            content = config(cluster={"server": "http://one.test", "proxy-url": proxy})
            async with await connect(kubeconfig_file=saved(tmp_path / "config", content)) as cluster:
                assert await cluster.version() == "v1.34.4"
                assert TOKEN not in cluster.server
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        assert api.seen[0].headers["Proxy-Authorization"] == [f"Basic {basic}"]
        assert api.seen[0].headers["Host"] == ["one.test"]

    run(scenario())


# -- TLS --------------------------------------------------------------------------------------------------------------


def certificate(
    name: str, ends: datetime.datetime | None = None, begins: datetime.datetime | None = None
) -> tuple[bytes, bytes]:
    """A self-signed one, as PEM, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    day = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins or day - datetime.timedelta(days=9))
        .not_valid_after(ends or day + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return signed.public_bytes(serialization.Encoding.PEM), plain_key


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@contextlib.asynccontextmanager
async def served_by_tls(api: Api, tmp_path: Path, authority: bytes = b"") -> AsyncIterator[Object]:
    """The fields of a cluster that reach it. authority: of the client certificates that it requires."""
    server, key = certificate("api.test")
    (tmp_path / "server").write_bytes(server + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server")
    if authority:
        context.load_verify_locations(cadata=authority.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    async with served(api, ssl_context=context) as url:
        yield {"server": url, "certificate-authority-data": coded(server), "tls-server-name": "api.test"}


@pytest.mark.parametrize("how", ["trusted", "insecure", "unknown", "wrong name"])
def test_tls(tmp_path: Path, how: str) -> None:
    server, server_key = certificate("api.test")
    client, client_key = certificate("me")
    before = set(Path("/tmp").iterdir()) if Path("/tmp").exists() else set()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for name, content in (("server", server + server_key), ("client", client)):
        (tmp_path / name).write_bytes(content)
    context.load_cert_chain(tmp_path / "server")
    context.load_verify_locations(tmp_path / "client")
    context.verify_mode = ssl.CERT_REQUIRED
    ways: dict[str, Object] = {
        "trusted": {"certificate-authority": "server", "tls-server-name": "api.test"},
        "insecure": {"insecure-skip-tls-verify": True},
        "unknown": {"tls-server-name": "api.test"},
        "wrong name": {"certificate-authority-data": coded(server)},
    }
    trust = ways[how]
    user = {"client-certificate-data": coded(client), "client-key-data": coded(client_key)}

    async def scenario() -> None:
        api = Api([says({"gitVersion": "v1.34.4"})])
        async with served(api, ssl_context=context) as url:
            path = saved(tmp_path / "config", config(user, {"server": url, **trust}))
            async with await connect(kubeconfig_file=path) as cluster:
                if how in {"trusted", "insecure"}:
                    assert await cluster.version() == "v1.34.4"
                else:
                    with pytest.raises(Unreachable, match="no trusted TLS connection") as caught:
                        await cluster.version()
                    assert "certificate-authority" in caught.value.hint
                    assert api.seen == []

    run(scenario())
    keys = [path for path in set(Path("/tmp").iterdir()) - before if path.is_file() and client_key in path.read_bytes()]
    assert keys == []


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({}, {"certificate-authority-data": coded(b"x")}, "holds no certificate"),
        ({}, {"certificate-authority": "absent"}, "certificate-authority of 'one'.*absent: No such file"),
        (
            {"client-certificate-data": coded(b"x"), "client-key-data": coded(TOKEN.encode())},
            {},
            "holds no certificate",
        ),
        ({"client-certificate": "absent", "client-key": "absent"}, {}, "client-certificate of 'one'"),
    ],
)
def test_unusable_certificates(tmp_path: Path, user: Object, cluster: Object, words: str) -> None:
    with pytest.raises(KubeconfigError, match=words) as caught:
        read(login(tmp_path, user, **cluster))
    assert TOKEN not in everything_in(caught.value)


def test_an_encrypted_key_does_not_ask_for_its_password(tmp_path: Path) -> None:
    content, key = certificate("me")
    locked = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"p")
    )
    with pytest.raises(KubeconfigError, match="used together"):
        read(login(tmp_path, {"client-certificate-data": coded(content), "client-key-data": coded(locked)}))


# ---- the contexts there are ----------------------------------------------------------------------------------------


def test_contexts_are_listed_the_current_one_first_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        config(name="one", current="two"),
        config(name="two", user={"exec": {"command": "/bin/aws\x1b[31m"}}),
    )
    first["contexts"].append({"name": "dangling", "context": {"cluster": "nowhere"}})
    files = os.pathsep.join([saved(tmp_path / "a", first), saved(tmp_path / "b", second)])
    monkeypatch.setenv("KUBECONFIG", files)
    assert kubeconfig.contexts() == [
        kubeconfig.Context("two", "https://two.test:6443/base", "ns-two", "/bin/aws [31m", current=True),
        kubeconfig.Context("one", "https://one.test:6443/base", "ns-one"),
    ]


def test_a_context_is_shown_in_plain_text_and_its_name_still_connects(tmp_path: Path) -> None:
    name = "odd\x1b]52;c;aGk=\x07\u202e"
    content = config(name=name)
    content["clusters"][0]["cluster"]["server"] = "https://odd.test"
    content["contexts"][0]["context"]["namespace"] = "a\x1bb"
    path = saved(tmp_path / "config", content)
    (result,) = kubeconfig.contexts(path)
    assert (result.name, result.server, result.namespace) == (name, "https://odd.test", "a b")
    target = kubeconfig.load(result.name, path)
    assert target.label.isprintable()
    assert target.namespace == "a b"


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        (f"admin:{TOKEN}@10.0.0.1:6443", "http://10.0.0.1:6443"),
        (f"https://admin:{TOKEN}@one.test:6443/base/?x={TOKEN}", "https://one.test:6443/base"),
        (f"HTTPS://admin:{TOKEN}@one.test", "https://one.test"),
        (f"https://admin:{TOKEN}@[one.test", ""),
        (f"https://admin:{TOKEN}@one.test:port", ""),
        (f"https://admin:a?{TOKEN}@one.test", ""),
        (f"https://one.test:port?x={TOKEN}", ""),
        ("https://one.test:port", "https://one.test:port"),
    ],
)
def test_the_server_of_a_context_is_shown_without_name_and_password(tmp_path: Path, server: str, shown: str) -> None:
    (result,) = kubeconfig.contexts(saved(tmp_path / "config", config(cluster={"server": server})))
    assert result.server == shown


ODD = "x\x1b[2J\u202eevil"
PRINTED = json.dumps({"apiVersion": "another", "kind": "ExecCredential", "status": {"token": ODD}})


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({}, {"certificate-authority": f"/{ODD}"}, r"cannot be read: /x \[2J evil: No such file"),
        ({"tokenFile": f"/{ODD}"}, {}, r"the token file of 'one' cannot be read: /x \[2J evil: No such file"),
        ({"tokenFile": "a\0b"}, {}, "a b: embedded null byte"),
        ({"exec": {**RUNS, "command": f"/{ODD}"}}, {}, r"/x \[2J evil cannot be started: No such file"),
        ({"exec": {**RUNS, "command": "a\0b"}}, {}, "a b cannot be started: it is in no folder of PATH"),
        ({"exec": {**RUNS, "command": "echo", "args": [PRINTED]}}, {}, f"echo answers in another version than {EXEC}"),
        ({"exec": {**RUNS, "apiVersion": ODD, "command": "echo"}}, {}, r"with apiVersion x \[2J evil; expected"),
        ({"auth-provider": {"name": ODD}}, {}, r"the auth-provider 'x \[2J evil', which"),
    ],
)
def test_an_error_quotes_a_kubeconfig_in_plain_text(tmp_path: Path, user: Object, cluster: Object, words: str) -> None:
    with pytest.raises(KubeconfigError, match=words) as caught:
        read(login(tmp_path, user, **cluster))
    assert f"{caught.value.message}{caught.value.hint}".isprintable()


@pytest.mark.parametrize(
    "content",
    [
        config(current=ODD),
        {**config(), "contexts": [{"name": "one", "context": {"cluster": ODD, "user": "one"}}]},
        {**config(), "contexts": [{"name": "one", "context": {"cluster": "one", "user": ODD}}]},
        config(cluster={"server": f"ftp://{ODD}"}, name=ODD, current=ODD),
        config(cluster={"proxy-url": f"{ODD}://proxy"}),
    ],
)
def test_a_broken_reference_is_quoted_in_printable_text(tmp_path: Path, content: Object) -> None:
    with pytest.raises(KubeconfigError) as caught:
        load(kubeconfig=saved(tmp_path / "config", content))
    assert f"{caught.value.message}{caught.value.hint}".isprintable()


def test_contexts_of_no_kubeconfig_say_so(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="there is no kubeconfig"):
        kubeconfig.contexts(str(tmp_path / "absent"))
    with pytest.raises(KubeconfigError, match="is not valid YAML, line 2"):
        kubeconfig.contexts(saved(tmp_path / "broken", "a: [\n"))


# ---- types ---------------------------------------------------------------------------------------------------------


def test_a_flag_that_is_text_never_switches_verification_off(tmp_path: Path) -> None:
    text = json.dumps(config({"token": TOKEN}, {"insecure-skip-tls-verify": "false"}), indent=1)
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if "insecure" in line)
    for look in (lambda path: load(kubeconfig=path), contexts):
        with pytest.raises(KubeconfigError) as caught:
            look(saved(tmp_path / "config", text))
        assert caught.value.message == (
            f"the kubeconfig {tmp_path / 'config'}, line {line}: clusters[one].cluster.insecure-skip-tls-verify is "
            "text; expected true or false, without quotes"
        )


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"exec": "aws"}, r"users\[one\]\.user\.exec is text; expected a mapping"),
        ({"exec": ["aws"]}, r"users\[one\]\.user\.exec is a list; expected a mapping"),
        ({"exec": {**RUNS, "command": "a", "args": "b"}}, r"exec\.args is text; expected a list"),
        ({"exec": {**RUNS, "command": "a", "args": [1]}}, r"exec\.args\[0\] is a number; expected text: put it in quo"),
        ({"exec": {**RUNS, "command": "a", "env": [{"name": "A", "value": True}]}}, r"env\[A\]\.value is a boolean"),
        ({"token": 12345}, r"users\[one\]\.user\.token is a number; expected text: put it in quotes"),
        ({"as-groups": "admins"}, r"as-groups is text; expected a list"),
        ({"as-user-extra": {"a": "b"}}, r"as-user-extra\.a is text; expected a list"),
        ({"client-key-data": "a b"}, r"client-key-data is not base64; expected base64"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place_and_never_shown(
    tmp_path: Path, user: Object, words: str
) -> None:
    with pytest.raises(KubeconfigError, match=words) as caught:
        load(kubeconfig=saved(tmp_path / "config", config({**user, "password": TOKEN})))
    assert TOKEN not in everything_in(caught.value)
    assert "12345" not in everything_in(caught.value)


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        (
            {},
            {"certificate-authority": "a", "certificate-authority-data": "YQ=="},
            "cluster 'one'.* both certif",
        ),
        ({}, {"certificate-authority": "a", "insecure-skip-tls-verify": True}, "which would not check it"),
        ({"token": "a", "username": "b", "password": "c"}, {}, "user 'one'.*both a token and a username"),
        ({"tokenFile": "a", "username": "b"}, {}, "both a token and a username"),
        ({"password": "c"}, {}, "a password and no username"),
        ({"client-certificate-data": "YQ=="}, {}, "a client certificate and no client-key"),
        (
            {"client-certificate": "a", "client-key-data": "YQ==", "client-key": "a"},
            {},
            "both client-key and client-key-data",
        ),
        ({"token": "a", "as-groups": ["b"]}, {}, "impersonates .* and no user"),
        ({"exec": {**RUNS, "command": "a"}, "auth-provider": {"name": "oidc"}}, {}, "both exec and auth-provider"),
        ({"exec": RUNS}, {}, "an exec plug-in without a command"),
        ({"exec": {"command": "a"}}, {}, "an exec plug-in without an apiVersion"),
        ({"exec": {"command": "a", "apiVersion": EXEC}}, {}, "an exec plug-in without an interactiveMode"),
        ({"exec": {**RUNS, "command": "a", "env": [{"value": "b"}]}}, {}, "a variable in env that has no name"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_as_kubectl_does(
    tmp_path: Path, user: Object, cluster: Object, words: str
) -> None:
    with pytest.raises(KubeconfigError, match=words):
        load(kubeconfig=saved(tmp_path / "config", config(user, cluster)))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("style", ["|", '"'])
def test_base64_in_lines_is_read(tmp_path: Path, style: str, end: str) -> None:
    pem = certificate("api.test")[0]
    lines = base64.encodebytes(pem).decode().splitlines()
    block = "|" + end + end.join(f"      {line}" for line in lines)
    value = block if style == "|" else json.dumps(end.join(lines))
    text = end.join(
        [
            "current-context: one",
            "clusters:",
            "- name: one",
            "  cluster:",
            "    server: https://one.test",
            f"    certificate-authority-data: {value}",
            "contexts: [{name: one, context: {cluster: one}}]",
        ]
    )
    (tmp_path / "config").write_bytes(text.encode())
    assert load(kubeconfig=str(tmp_path / "config")).cluster.bytes_of("certificate-authority") == pem


def test_a_missing_value_and_null_are_the_same(tmp_path: Path) -> None:
    empty = dict.fromkeys(("token", "tokenFile", "username", "exec", "auth-provider", "as-groups", "client-key-data"))
    target = load(kubeconfig=saved(tmp_path / "config", config(empty, {"insecure-skip-tls-verify": None})))
    with pytest.raises(KubeconfigError, match=r"user 'one' in the kubeconfig .* has no credentials"):
        read(Login(target))


def test_a_scheme_in_capitals_keeps_the_authority_of_the_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        api = Api([says({"gitVersion": "v1.34.4"})])
        async with served_by_tls(api, tmp_path) as reached:
            capitals = {**reached, "server": reached["server"].replace("https://", "HTTPS://")}
            path = saved(tmp_path / "config", config({"token": TOKEN}, capitals))
            async with await connect(kubeconfig_file=path) as cluster:
                assert await cluster.version() == "v1.34.4"

    run(scenario())


# ---- what stops a connection is named ------------------------------------------------------------------------------


def test_a_proxy_on_the_way_is_named_with_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{TOKEN}@127.0.0.1:1")
    target = load(kubeconfig=saved(tmp_path / "config", config({"token": "x"})))

    async def scenario() -> None:
        async with KubeCluster(Http(target, Login(target), Clock().patience(tries=1))) as cluster:
            with pytest.raises(Unreachable) as caught:
                await cluster.version()
        assert "one (https://one.test:6443/base) by the proxy http://127.0.0.1:1 (HTTPS_PROXY): " in str(caught.value)
        assert "NO_PROXY" in caught.value.hint
        assert TOKEN not in everything_in(caught.value)

    run(scenario())


def test_no_exception_is_named_for_a_proxy_of_the_kubeconfig(tmp_path: Path) -> None:
    content = config({"token": "x"}, {"proxy-url": "http://127.0.0.1:1"})
    target = load(kubeconfig=saved(tmp_path / "config", content))

    async def scenario() -> None:
        async with KubeCluster(Http(target, Login(target), Clock().patience(tries=1))) as cluster:
            with pytest.raises(Unreachable) as caught:
                await cluster.version()
        assert " by the proxy http://127.0.0.1:1 (proxy-url in the kubeconfig): " in str(caught.value)
        assert caught.value.hint == "Check that the proxy runs, or correct or remove proxy-url in the kubeconfig."

    run(scenario())


@pytest.mark.parametrize(("scheme", "is_named"), [("", True), ("http://", False)])
def test_a_refusal_of_plain_http_names_the_server_without_a_scheme(
    tmp_path: Path, scheme: str, *, is_named: bool
) -> None:
    async def scenario() -> None:
        api = Api([text("Client sent an HTTP request to an HTTPS server.", 400)])
        async with served(api) as url:
            host = url.removeprefix("http://")
            content = config({"token": TOKEN}, {"server": f"{scheme}{host}"})
            async with await connect(kubeconfig_file=saved(tmp_path / "config", content)) as cluster:
                with pytest.raises(Invalid) as caught:
                    await cluster.version()
        why = f": one (http://{host}) was asked by plain http, as its server in the kubeconfig has no scheme"
        assert (why in str(caught.value)) == is_named
        assert "HTTP 400, and not in the words of a Kubernetes API server" in str(caught.value)
        hint = f"If the server expects https, write server: https://{host} in the kubeconfig."
        assert caught.value.hint == (hint if is_named else "")

    run(scenario())


def test_a_lost_connection_by_plain_http_names_the_server_without_a_scheme(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(Api([resets])) as url:
            host = url.removeprefix("http://")
            path = saved(tmp_path / "config", config({"token": TOKEN}, {"server": host}))
            target = load(kubeconfig=path)
            async with KubeCluster(Http(target, Login(target), Clock().patience(tries=1))) as cluster:
                with pytest.raises(Unreachable) as caught:
                    await cluster.version()
        hint = f"If the server expects https, write server: https://{host} in the kubeconfig."
        assert caught.value.hint.endswith(hint)

    run(scenario())


@pytest.mark.parametrize("proxy", ["http://[", "http://", "http://proxy:port", "://"])
def test_a_proxy_that_is_no_url_is_named_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    path = saved(tmp_path / "config", config())
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(KubeconfigError, match="HTTPS_PROXY is not the URL of a proxy"):
        load(kubeconfig=path)
    own = config(cluster={"proxy-url": proxy})
    with pytest.raises(KubeconfigError, match="proxy-url in the kubeconfig is not the URL of a proxy"):
        load(kubeconfig=saved(tmp_path / "own", own))


@pytest.mark.parametrize(
    ("pem", "key", "words"),
    [
        ("", "key", "the client certificate of 'one' holds no certificate"),
        ("\ufeff{pem}", "key", "the client certificate of 'one' holds no certificate"),
        ("{pem}", "", "the client key of 'one' holds no private key"),
    ],
)
def test_a_client_certificate_that_is_named_is_never_left_out(tmp_path: Path, pem: str, key: str, words: str) -> None:
    """A request without it would be sent as nobody."""
    day = datetime.datetime.now(datetime.UTC)
    own, secret = certificate("me", day + datetime.timedelta(9), day - datetime.timedelta(9))
    (tmp_path / "me.crt").write_text(pem.replace("{pem}", own.decode()))
    (tmp_path / "me.key").write_bytes(secret if key else b"")
    named = {"client-certificate": "me.crt", "client-key": "me.key"}
    target = load(kubeconfig=saved(tmp_path / "config", config(named)))
    with pytest.raises(KubeconfigError, match=words):
        now(Login(target).current)


@pytest.mark.parametrize(
    ("begins", "ends", "words", "hint"),
    [
        (-9, -2, "expired on 2030-05-30 12:00 UTC, 2 d ago", "Get a new client certificate"),
        (
            2,
            9,
            "is valid from 2030-06-03 12:00 UTC on, and this machine's clock shows 2030-06-01 12:00 UTC",
            "If this machine's clock is behind, set it",
        ),
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_client_certificate_that_is_not_valid_now_is_named_before_anything_is_sent(
    tmp_path: Path, begins: int, ends: int, words: str, hint: str, *, in_file: bool
) -> None:
    day = datetime.datetime(2030, 6, 1, 12, tzinfo=datetime.UTC)
    pem, key = certificate("me", day + datetime.timedelta(ends), day + datetime.timedelta(begins))
    (tmp_path / "me.crt").write_bytes(pem)
    named = {"client-certificate": "me.crt"} if in_file else {"client-certificate-data": coded(pem)}
    target = load(kubeconfig=saved(tmp_path / "config", config({**named, "client-key-data": coded(key)})))
    with pytest.raises(KubeconfigError) as caught:
        now(Login(target, now=day.timestamp).current)
    place = tmp_path / "me.crt" if in_file else f"client-certificate-data in the kubeconfig {tmp_path / 'config'}"
    assert caught.value.message == f"the client certificate of user 'one' ({place}) {words}"
    assert hint in caught.value.hint


@pytest.mark.parametrize("trusts_the_server", [True, False])
@pytest.mark.parametrize(
    ("begins", "ends", "problem", "hint"),
    [
        (-9, -2, "expired on {ends:%Y-%m-%d %H:%M} UTC, 2 d ago", "If this machine's clock is ahead (it shows "),
        (2, 9, "is valid from {begins:%Y-%m-%d %H:%M} UTC on", "If this machine's clock is behind, set it"),
    ],
)
def test_a_server_or_an_authority_out_of_its_dates_is_named_with_the_clock(
    tmp_path: Path, begins: int, ends: int, problem: str, hint: str, *, trusts_the_server: bool
) -> None:
    now_ = datetime.datetime.now(datetime.UTC)
    begin, end = (now_ + datetime.timedelta(days) for days in (begins, ends))
    server, key = certificate("api.test", end, begin)
    other, _ = certificate("another")
    (tmp_path / "server").write_bytes(server + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server")

    async def scenario() -> None:
        api = Api([])
        async with served(api, ssl_context=context) as url:
            authority = server if trusts_the_server else server + other
            trust = {"certificate-authority-data": coded(authority), "tls-server-name": "api.test"}
            path = saved(tmp_path / "config", config({"token": TOKEN}, {"server": url, **trust}))
            async with await connect(kubeconfig_file=path) as cluster:
                with pytest.raises(Unreachable) as caught:
                    await cluster.version()
        whose = "certificate-authority of 'one' in the kubeconfig" if trusts_the_server else "the API server's"
        expected = problem.format(begins=begin, ends=end) if trusts_the_server else "certificate "
        assert f"no trusted TLS connection: {whose} {expected}" in caught.value.message
        assert hint in caught.value.hint

    run(scenario())


def test_a_token_is_sent_beside_a_client_certificate_that_has_expired(tmp_path: Path) -> None:
    day = datetime.datetime.now(datetime.UTC)
    pem, key = certificate("me", day - datetime.timedelta(2))
    user = {"client-certificate-data": coded(pem), "client-key-data": coded(key), "token": TOKEN}
    assert authorization(login(tmp_path, user)) == f"Bearer {TOKEN}"


def test_a_client_certificate_that_ends_while_it_is_used_is_named(tmp_path: Path) -> None:
    day = datetime.datetime(2030, 6, 1, tzinfo=datetime.UTC)
    pem, key = certificate("me", day, day - datetime.timedelta(9))
    wall = [day.timestamp() - 1]
    user = {"client-certificate-data": coded(pem), "client-key-data": coded(key)}
    target = load(kubeconfig=saved(tmp_path / "config", config(user)))

    async def scenario() -> None:
        login_ = Login(target, now=lambda: wall[0])
        await login_.current()
        wall[0] += 2
        with pytest.raises(KubeconfigError, match="expired on 2030-06-01 00:00 UTC"):
            await login_.current()

    run(scenario())


def test_a_key_of_another_certificate_is_named_as_the_reason(tmp_path: Path) -> None:
    user = {"client-certificate-data": coded(certificate("me")[0]), "client-key-data": coded(certificate("you")[1])}
    with pytest.raises(KubeconfigError, match="of 'one' cannot be used together: the key belongs to another cert"):
        read(login(tmp_path, user))


@pytest.mark.parametrize("where", ["token", "tokenFile", "exec"])
def test_a_token_that_has_expired_is_named_before_anything_is_sent(tmp_path: Path, where: str) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1_900_000_000, "sub": TOKEN}).encode()).decode().rstrip("=")
    token = f"e30.{claims}.sig"
    saved(tmp_path / "file", token)
    user = {
        "token": {"token": token},
        "tokenFile": {"tokenFile": "file"},
        "exec": plugin(tmp_path, f"echo '{credential(token=token)}'"),
    }[where]
    target = load(kubeconfig=saved(tmp_path / "config", config(user)))
    assert now(Login(target, now=lambda: 1_900_000_000.0).current).headers == (("Authorization", f"Bearer {token}"),)
    with pytest.raises(KubeconfigError) as caught:
        now(Login(target, now=lambda: 1_900_000_100.0).current)
    whose = {
        "token": "the token of user 'one'",
        "tokenFile": f"the token of user 'one' in {tmp_path / 'file'}",
        "exec": f"the token of the credentials plug-in {tmp_path / 'plugin'}",
    }[where]
    assert caught.value.message == f"{whose} expired on 2030-03-17 17:46 UTC, 1 min ago"
    assert claims not in everything_in(caught.value)


@pytest.mark.parametrize("exp", ["soon", True, None, [], -1e400, 1e400, 10**400])
def test_a_token_with_an_unreadable_expiry_is_sent(tmp_path: Path, exp: Any) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    if exp != -1e400:
        assert authorization(login(tmp_path, {"token": f"e30.{claims}.sig"})) == f"Bearer e30.{claims}.sig"


def test_no_credential_is_sent_over_http(tmp_path: Path) -> None:
    user = {"token": TOKEN, "username": "", "as": "jane"}
    credentials_ = read(login(tmp_path, user, server="http://one.test"))
    assert credentials_.headers == (("Impersonate-User", "jane"),)


def test_what_a_plugin_writes_to_stderr_is_shown_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "printf 'open https://log.in\\nand enter \\033[31mAB-12: ' >&2; until [ -e typed ]; do sleep 0.05; done"
    target = load(kubeconfig=saved(tmp_path / "config", config(plugin(tmp_path, f"{code}; {printing(token=TOKEN)}"))))
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        if "AB-12" in line:  # the plug-in waits for this
            (tmp_path / "typed").touch()

    assert dict(now(Login(target, show=show).current).headers)["Authorization"] == f"Bearer {TOKEN}"
    assert lines == ["open https://log.in", "and enter  [31mAB-12:"]


def test_a_plugin_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="printed more than 1 MiB"):
        read(login(tmp_path, plugin(tmp_path, "exec yes")))


@pytest.mark.parametrize("closed", ["", "> /dev/null", "2> /dev/null"])
def test_a_program_that_a_plugin_leaves_running_does_not_delay_the_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    """It may keep the plug-in's pipes open for as long as it runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(credentials, "REST_SECONDS", 0.5)
    script = f"sleep 3000 {closed} & echo $! > child; {printing(token=TOKEN)}"
    try:
        assert authorization(login(tmp_path, plugin(tmp_path, script))) == f"Bearer {TOKEN}"
        with pytest.raises(KubeconfigError, match="failed with exit code 7: no luck"):
            read(login(tmp_path, plugin(tmp_path, f"{script}\necho no luck >&2; exit 7")))
    finally:
        os.kill(int((tmp_path / "child").read_text()), 9)


def test_a_plugin_that_closes_its_output_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = f"{printing(token=TOKEN)}\nexec > /dev/null 2>&1; sleep 0.5; exit 6"
    with pytest.raises(KubeconfigError, match="failed with exit code 6"):
        read(login(tmp_path, plugin(tmp_path, script)))


def test_a_plugin_that_writes_nothing_is_named_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(credentials, "SILENCE_SECONDS", 0.1)
    script = f"until [ -e typed ]; do sleep 0.05; done; {printing(token=TOKEN)}"
    target = load(kubeconfig=saved(tmp_path / "config", config(plugin(tmp_path, script))))
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        (tmp_path / "typed").touch()

    now(Login(target, show=show).current)
    assert lines == [f"waiting for the credentials plug-in {tmp_path}/plugin"]


def test_a_line_of_a_plugin_that_cannot_be_shown_ends_it_with_that_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would read the pipe any longer: a plug-in that writes on would hang until its time is over."""
    monkeypatch.chdir(tmp_path)
    script = f"echo first >&2; head --bytes=200000 /dev/zero | tr '\\0' '\\n' >&2; {printing(token=TOKEN)}"
    target = load(kubeconfig=saved(tmp_path / "config", config(plugin(tmp_path, script))))

    def show(_: str) -> None:
        raise OutputError("the disk is full")

    with pytest.raises(OutputError, match="the disk is full"):
        now(Login(target, show=show).current)


def test_a_credential_on_stderr_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl"
    words = [
        credential(token=TOKEN, clientKeyData=f"key {TOKEN}"),
        f"Authorization: Bearer {TOKEN}",
        f"got {jwt} from the server",
        "A" * 64,
        "open https://log.in/device?user_code=AB-12 and compare BCDF-GHJK",
    ]
    script = "cat >&2 <<'END'\n" + "\n".join(words) + "\nEND\nexit 1"
    target = load(kubeconfig=saved(tmp_path / "config", config(plugin(tmp_path, script))))
    lines: list[str] = []
    with pytest.raises(KubeconfigError) as caught:
        now(Login(target, show=lines.append).current)
    assert lines == [
        (
            '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
            '"status": {"token": "***", "clientKeyData": "***"}}'
        ),
        "Authorization: Bearer ***",
        "got *** from the server",
        "***",
        "open https://log.in/device?user_code=AB-12 and compare BCDF-GHJK",
    ]
    assert TOKEN not in everything_in(caught.value)
    assert jwt not in everything_in(caught.value)


def test_without_a_home_directory_a_pod_uses_its_own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / ".kube/config", config())  # kubectl would read this one, whoever left it there
    monkeypatch.delenv("HOME")
    with pytest.raises(KubeconfigError, match="KUBECONFIG is not set, and this user has no home directory"):
        load()
    saved(tmp_path / "token", TOKEN)
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert load().label == "in-cluster (https://10.0.0.1:443)"
    assert [context.server for context in contexts()] == ["in-cluster (https://10.0.0.1:443)"]


def test_a_token_is_not_renewed_with_an_issuer_whose_certificate_nobody_checks(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() - 1}).encode()).decode().rstrip("=")
    settings = {"id-token": f"e30.{claims}.sig", "refresh-token": TOKEN, "idp-issuer-url": "https://127.0.0.1:1"}
    with pytest.raises(KubeconfigError, match="cannot be renewed safely") as caught:
        read(login(tmp_path, {"auth-provider": {"name": "oidc", "config": settings}}))
    assert caught.value.hint.endswith(f"renew it with: kubectl --kubeconfig {tmp_path / 'config'} get namespaces")
    assert TOKEN not in everything_in(caught.value)
