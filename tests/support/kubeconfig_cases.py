"""Kubeconfigs and environments on which kubectl and pgwizard are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from pgwizard.kube.kubeconfig import SHAPE
from support.agreement_kubeconfigs import EXEC, Case, Lab, coded

TOKEN = "canary-token-5f2c"


def config(
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    name: str = "one",
    current: str | None = "one",
    **more: Any,
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        **({} if current is None else {"current-context": current}),
        "clusters": [{"name": name, "cluster": cluster or {}}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **(context or {})}}],
        **more,
    }


def one(name: str, content: Any, **more: Any) -> Case:
    """A case whose kubeconfig is the default file."""
    files = {"home/.kube/config": content, **more.pop("files", {})}
    return Case(name, files, **more)


def cases(lab: Lab) -> Iterator[Case]:
    """All of them, each with a name of its own."""
    yield from _files(lab)
    yield from _documents(lab)
    yield from _servers(lab)
    yield from _trust(lab)
    yield from _identities(lab)
    yield from _plugins(lab)
    yield from _proxies(lab)
    yield from _pods(lab)
    yield from _scalars(lab)
    yield from _key_files(lab)
    yield from _odd_servers(lab)
    yield from _odd_documents(lab)
    yield from _types(lab)


def _secure(lab: Lab, **more: Any) -> dict[str, Any]:
    return {"server": lab.tls, "certificate-authority-data": coded(lab.ca), **more}


def _files(lab: Lab) -> Iterator[Case]:
    secure, user = _secure(lab), {"token": TOKEN}
    plain = config(secure, user, {"namespace": "mine"})
    two = config({"server": lab.http}, {"token": "two"}, {"namespace": "second"}, name="two", current="two")
    both = {"a/config": config(secure, user, current=None), "b/config": two}
    listed = {"KUBECONFIG": "{here}/a/config:{here}/b/config"}
    yield one("home", plain)
    yield Case("option", {"x": plain}, kubeconfig="{here}/x")
    yield Case("option that is absent", {"home/.kube/config": plain}, kubeconfig="{here}/absent")
    yield Case("option with a colon", {"a:b/x": plain}, kubeconfig="{here}/a:b/x")
    yield Case("option as a relative path", {"x": plain}, kubeconfig="x")
    yield Case("option with an empty file", {"x": ""}, kubeconfig="{here}/x")
    yield Case("option before KUBECONFIG", {**both, "x": plain}, listed, kubeconfig="{here}/x")
    yield Case("first file without a current context", both, listed)
    yield Case("context by option", both, listed, context="one")
    yield Case("unknown context by option", both, listed, context="three")
    yield Case("first current context wins", {**both, "a/config": config(secure, user)}, listed)
    again = config({"server": lab.http}, {"token": "late"}, {"namespace": "late"}, current=None)
    yield Case("first entry of a name wins", {"a/config": plain, "b/config": again}, listed)
    yield Case("first entry of a name wins, turned round", {"b/config": plain, "a/config": again}, listed)
    half = config({"server": lab.tls}, {}, current=None)
    yield Case("entries of one name are not mixed", {"a/config": half, "b/config": plain}, listed)
    yield Case(
        "entries of three files",
        {
            "a": {"contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}], "current-context": "c"},
            "b": {"clusters": [{"name": "k", "cluster": secure}]},
            "c": {"users": [{"name": "u", "user": user}]},
        },
        {"KUBECONFIG": "{here}/c:{here}/b:{here}/a"},
    )
    yield Case("empty elements", {"a": plain}, {"KUBECONFIG": "::{here}/a:"})
    yield Case("only empty elements", {"home/.kube/config": plain}, {"KUBECONFIG": ":"})
    yield Case("empty KUBECONFIG", {"home/.kube/config": plain}, {"KUBECONFIG": ""})
    yield Case("one of two is absent", {"a": plain}, {"KUBECONFIG": "{here}/absent:{here}/a"})
    yield Case("all are absent", {"home/.kube/config": plain}, {"KUBECONFIG": "{here}/absent"})
    yield Case("one of two is a folder", {"a": plain, "d/x": ""}, {"KUBECONFIG": "{here}/d:{here}/a"})
    yield Case("one of two is below a file", {"a": plain}, {"KUBECONFIG": "{here}/a/x:{here}/a"})
    yield Case(
        "one of two is a loop of links",
        {"a": plain, "loop": lambda path: path.symlink_to(path)},
        {"KUBECONFIG": "{here}/loop:{here}/a"},
    )
    yield Case("one of two has too long a name", {"a": plain}, {"KUBECONFIG": f"{{here}}/{'x' * 300}:{{here}}/a"})
    yield Case("one of two is broken", {"a": plain, "b": "a: ["}, {"KUBECONFIG": "{here}/a:{here}/b"})
    yield Case("one of two is empty", {"a": plain, "b": ""}, {"KUBECONFIG": "{here}/b:{here}/a"})
    yield Case("the same file twice", {"a": plain}, {"KUBECONFIG": "{here}/a:{here}/a"})
    yield Case("a relative KUBECONFIG", {"a": plain}, {"KUBECONFIG": "a"})
    yield Case("a tilde in KUBECONFIG", {"home/.kube/config": plain}, {"KUBECONFIG": "~/.kube/config"})
    yield Case("HOME is missing", {"home/.kube/config": plain}, {"HOME": "{unset}"})
    yield Case("HOME is empty", {"home/.kube/config": plain}, {"HOME": ""})
    relative = config(
        {"server": lab.tls, "certificate-authority": "ca.crt"},
        {"client-certificate": "../pki/me.crt", "client-key": "../pki/me.key", "tokenFile": "token"},
    )
    pki = {"ca.crt": lab.ca, "token": f"{TOKEN}\n", "../pki/me.crt": lab.client[0], "../pki/me.key": lab.client[1]}
    yield Case(
        "relative paths start at the file that has them",
        {"deep/conf/config": relative, **{f"deep/conf/{name}": text for name, text in pki.items()}},
        {"KUBECONFIG": "deep/conf/config"},
    )
    yield Case(
        "relative paths of a linked file start at the link",
        {
            "real/config": relative,
            "conf/config": lambda path: path.symlink_to("../real/config"),
            **{f"conf/{name}": text for name, text in pki.items()},
        },
        {"KUBECONFIG": "{here}/conf/config"},
    )


def _documents(lab: Lab) -> Iterator[Case]:
    secure, user = _secure(lab), {"token": TOKEN}
    plain = config(secure, user)
    text = yaml.safe_dump(plain, sort_keys=False)
    yield one("an empty file", "")
    yield one("only a comment", "# nothing\n")
    yield one("null", "null\n")
    yield one("a list", "- a\n")
    yield one("no YAML", "a: [\n")
    yield one("JSON", json.dumps(plain))
    yield one("JSON with tabs", json.dumps(plain, indent="\t"))
    yield one("CRLF", text.replace("\n", "\r\n"))
    yield one("a byte order mark", b"\xef\xbb\xbf" + text.encode())
    yield one("no UTF-8", text.encode() + b"extra: \xff\xfe\n")
    yield one("two documents", f"{text}---\nkind: Other\n")
    yield one("a document after an empty one", f"---\n---\n{text}")
    yield one("unknown fields", config({**secure, "colour": "red"}, {**user, "shoe": 44}, extra={"a": [1]}))
    yield one("unknown fields beside", f"{text}more: 1\npreferences: {{colors: true, x: y}}\n")
    yield one("another version", {**plain, "apiVersion": "v2"})
    yield one("another kind", {**plain, "kind": "Secret"})
    yield one("no version and kind", {key: value for key, value in plain.items() if key not in ("apiVersion", "kind")})
    yield one("only a version", {key: value for key, value in plain.items() if key != "kind"})
    yield one("an empty version", {**plain, "apiVersion": "", "kind": ""})
    yield one("a number for a version", {**plain, "apiVersion": 1})
    yield one("keys in another case", {**plain, "Current-Context": "none", "Users": []})
    yield one("a key twice", f"{text}current-context: absent\n")
    yield one("a key twice in a user", text.replace(f"token: {TOKEN}", f"token: first\n    token: {TOKEN}"))
    yield one("JSON with a key twice", json.dumps(plain)[:-1] + ', "current-context": "absent"}')
    yield one("two users of one name", {**plain, "users": [*plain["users"], {"name": "one", "user": {}}]})
    yield one("two contexts of one name", {**plain, "contexts": plain["contexts"] * 2})
    anchored = (
        f"x: &cluster {{server: '{lab.tls}', certificate-authority-data: {coded(lab.ca)}}}\n"
        f"y: &user {{token: {TOKEN}}}\n"
        "clusters: [{name: k, cluster: *cluster}]\nusers: [{name: u, user: {<<: *user}}]\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n"
    )
    yield one("anchors and merges", anchored)
    yield one("an unknown alias", text + "more: *nothing\n")
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    yield one("aliases that explode", f"{bomb}{text}extensions: [{{name: x, extension: *a8}}]\n")
    yield one("aliases that explode in a field nobody knows", f"{bomb}{text}")
    yield one("a name that is a number", text.replace("one", "1"))
    yield one("a name that is a number in quotes", text.replace("one", "'1'"))
    yield one("a namespace that is a boolean", config(secure, user, {"namespace": True}))
    yield one("a token that is a date", text.replace(TOKEN, "2026-01-01"))
    yield one("a token that is a number", text.replace(TOKEN, "12345"))
    yield one("a token that is an octal number", text.replace(TOKEN, "0o17"))
    yield one("a token that is a time", text.replace(TOKEN, "1:30"))
    yield one("a token that is off", text.replace(TOKEN, "off"))
    yield one("clusters as a mapping", {**plain, "clusters": {"one": secure}})
    yield one("clusters as null", {**plain, "clusters": None})
    yield one("an entry that is null", {**plain, "users": [None, *plain["users"]]})
    yield one("a user that is text", {**plain, "users": [{"name": "one", "user": "me"}]})
    yield one("a user that is null", {**plain, "users": [{"name": "one", "user": None}]})
    yield one("no current context", config(secure, user, current=None))
    yield one("an empty current context", config(secure, user, current=""))
    yield one("no current context, and one by option", config(secure, user, current=None), context="one")
    yield one("a current context that is absent", config(secure, user, current="absent"))
    yield one("a cluster that is absent", config(secure, user, {"cluster": "absent"}))
    yield one("a user that is absent", config(secure, user, {"user": "absent"}))
    yield one("a context without a cluster", config(secure, user, {"cluster": ""}))
    yield one("a context without a user", config(secure, user, {"user": ""}))
    yield one(
        "a context without a user, and a user without a name",
        {
            **config(secure, user, {"user": ""}),
            "users": [{"user": user}],
        },
    )
    yield one("names with blanks", json.loads(json.dumps(plain).replace('"one"', '"my own"')))
    yield one("a namespace", config(secure, user, {"namespace": "mine"}))
    yield one("an empty namespace", config(secure, user, {"namespace": ""}))


def _servers(lab: Lab) -> Iterator[Case]:
    user = {"token": TOKEN}
    host = f"127.0.0.1:{lab.tls_port}"
    for name, server in {
        "http": lab.http,
        "a path": f"{lab.tls}/k8s/clusters/c-m-x",
        "a path with a slash": f"{lab.tls}/k8s/clusters/c-m-x/",
        "slashes": f"{lab.tls}//k8s//x//",
        "an encoded path": f"{lab.tls}/a%20b",
        "a query": f"{lab.tls}/base?x=1",
        "a fragment": f"{lab.tls}/base#x",
        "capitals": f"HTTPS://{host}",
        "localhost": f"https://localhost:{lab.tls_port}",
        "no scheme": host,
        "no scheme and a path": f"{host}/base",
        "no port": "https://127.0.0.1",
        "blanks": f" {lab.tls} ",
        "a line break": f"{lab.tls}\n",
        "credentials": f"https://me:secret@{host}",
        "another scheme": f"ftp://{host}",
        "a port that is none": "https://127.0.0.1:port",
        "an empty port": "https://127.0.0.1:",
        "no host": "https://",
        "an open bracket": "https://[::1",
        "nothing": "",
        "a closed port": f"https://127.0.0.1:{lab.closed_port}",
        "a name nobody knows": "https://api.test",
    }.items():
        yield one(f"server: {name}", config(_secure(lab, server=server), user))
    yield one("server: no scheme and no CA", config({"server": f"127.0.0.1:{lab.http_port}"}, user))
    yield one("server: a host alone", config({"server": "api.test"}, user))
    yield one("server: no scheme, insecure", config({"server": host, "insecure-skip-tls-verify": True}, user))
    yield one("server: http with a CA", config(_secure(lab, server=lab.http), user))
    yield one(
        "server: http with a CA file that is absent",
        config({"server": lab.http, "certificate-authority": "absent"}, user),
    )
    yield one("server: credentials and no token", config(_secure(lab, server=f"https://me:s%2Fx@{host}"), {}))
    yield one("server: credentials over http", config({"server": lab.http.replace("//", "//me:x@")}, {}))
    yield one("server: missing", config({"certificate-authority-data": coded(lab.ca)}, user))
    yield one("server: compression switched off", config(_secure(lab, **{"disable-compression": True}), user))
    yield one("server: compression as text", config(_secure(lab, **{"disable-compression": "yes"}), user))


def _trust(lab: Lab) -> Iterator[Case]:
    user, server = {"token": TOKEN}, lab.tls
    skip = "insecure-skip-tls-verify"
    yield one("trust: none", config({"server": server}, user))
    yield one(
        "trust: another authority", config({"server": server, "certificate-authority-data": coded(lab.other_ca)}, user)
    )
    yield one(
        "trust: both authorities",
        config({"server": server, "certificate-authority-data": coded(lab.other_ca + lab.ca)}, user),
    )
    flags: tuple[Any, ...] = (True, False, None, "true", "false", "", 1, 0, [], [True], {})
    for value in flags:
        yield one(f"trust: {skip} {value!r}", config({"server": server, skip: value}, user))
    for word in ("True", "TRUE", "yes", "Yes", "on", "y", "Y", "tRUE", "no", "off", "~", "!!bool true", "!!str true"):
        text = yaml.safe_dump(config({"server": server, skip: "WORD"}, user)).replace("WORD", word)
        yield one(f"trust: {skip} as {word}", text)
    yield one("trust: insecure and an authority", config(_secure(lab, **{skip: True}), user))
    yield one(
        "trust: insecure and an empty authority",
        config({"server": server, skip: True, "certificate-authority-data": ""}, user),
    )
    yield one(
        "trust: data and file",
        config(
            _secure(lab, **{"certificate-authority": "ca.crt"}),
            user,
        ),
        files={"home/.kube/ca.crt": lab.ca},
    )
    yield one("trust: a file that is absent", config({"server": server, "certificate-authority": "absent"}, user))
    yield one(
        "trust: a file that is empty",
        config({"server": server, "certificate-authority": "ca"}, user),
        files={"home/.kube/ca": ""},
        differs="the file holds no certificate",
    )
    yield one(
        "trust: a file of words",
        config({"server": server, "certificate-authority": "ca"}, user),
        files={"home/.kube/ca": "no certificate"},
    )
    yield one("trust: a folder", config({"server": server, "certificate-authority": "."}, user))
    broken = lab.other_ca.replace(lab.other_ca.splitlines()[2], "!!!!")
    yield one(
        "trust: a broken certificate beside a good one",
        config({"server": server, "certificate-authority-data": coded(broken + lab.ca)}, user),
    )
    yield one(
        "trust: words around the certificate",
        config({"server": server, "certificate-authority-data": coded(f"my \u00e4uthority\n{lab.ca}\nend\n")}, user),
    )
    yield one(
        "trust: a certificate with CRLF",
        config({"server": server, "certificate-authority-data": coded(lab.ca.replace("\n", "\r\n"))}, user),
    )
    wrapped = "\n".join(coded(lab.ca)[at : at + 64] for at in range(0, len(coded(lab.ca)), 64))
    yield one("trust: wrapped data", config({"server": server, "certificate-authority-data": wrapped}, user))
    yield one(
        "trust: data with CRLF",
        config({"server": server, "certificate-authority-data": wrapped.replace("\n", "\r\n")}, user),
    )
    yield one(
        "trust: data with blanks",
        config({"server": server, "certificate-authority-data": wrapped.replace("\n", " ")}, user),
    )
    yield one(
        "trust: data without padding",
        config(
            {
                "server": server,
                "certificate-authority-data": coded(lab.ca + " " * (3 - len(lab.ca) % 3) + "x").rstrip("="),
            },
            user,
        ),
    )
    yield one(
        "trust: data in base64 for URLs",
        config(
            {
                "server": server,
                "certificate-authority-data": coded(lab.ca + "???>>>").replace("/", "_").replace("+", "-"),
            },
            user,
        ),
    )
    yield one("trust: data that is PEM", config({"server": server, "certificate-authority-data": lab.ca}, user))
    yield one(
        "trust: data that is empty text in base64",
        config({"server": server, "certificate-authority-data": coded("x")}, user),
    )
    below, whole = f"https://127.0.0.1:{lab.below_port}", f"https://127.0.0.1:{lab.whole_port}"
    for what, trusted in {
        "the root": lab.ca,
        "the intermediate alone": lab.intermediate,
        "the server's own certificate": lab.below_certificate,
        "the intermediate beside another": lab.other_ca + lab.intermediate,
    }.items():
        for chain, server_below in (("", below), (", a whole chain is sent", whole)):
            authority = {"certificate-authority-data": coded(trusted)}
            yield one(f"trust: {what}{chain}", config({"server": server_below, **authority}, user))
    common = f"https://localhost:{lab.common_name_port}"
    yield one("trust: a server with a common name alone", config(_secure(lab, server=common), user))
    name = "tls-server-name"
    yield one("trust: a name of the certificate", config(_secure(lab, **{name: "api.test"}), user))
    yield one("trust: a name that is not in the certificate", config(_secure(lab, **{name: "x.test"}), user))
    yield one("trust: a name in capitals", config(_secure(lab, **{name: "API.test"}), user))
    yield one("trust: an address for a name", config(_secure(lab, **{name: "127.0.0.1"}), user))
    yield one("trust: a name and insecure", config({"server": server, name: "x.test", skip: True}, user))
    yield one("trust: a name that is a number", config(_secure(lab, **{name: 5}), user))


def _identities(lab: Lab) -> Iterator[Case]:
    secure = _secure(lab)
    certificate, key = lab.client
    data = {"client-certificate-data": coded(certificate), "client-key-data": coded(key)}
    paths = {"client-certificate": "me.crt", "client-key": "me.key"}
    pki = {
        "home/.kube/me.crt": certificate,
        "home/.kube/me.key": key,
        "home/.kube/token": f" {TOKEN}\n",
        "home/.kube/blank": " \n",
        "home/.kube/lines": f"{TOKEN}\nmore\n",
    }
    users: dict[str, dict[str, Any]] = {
        "nobody": {},
        "a token": {"token": TOKEN},
        "a token with blanks": {"token": f" {TOKEN} "},
        "a token with a line break": {"token": f"{TOKEN}\n"},
        "a token with a header in it": {"token": f"{TOKEN}\r\nX-Evil: 1"},
        "a token in Latin letters": {"token": "\u00e9"},
        "an empty token": {"token": ""},
        "a token file": {"tokenFile": "token"},
        "a token file that is absent": {"tokenFile": "absent"},
        "a token file that is blank": {"tokenFile": "blank"},
        "a token file of two lines": {"tokenFile": "lines"},
        "a token file that is a folder": {"tokenFile": "."},
        "a token and a token file": {"token": "static", "tokenFile": "token"},
        "a token and a token file that is absent": {"token": TOKEN, "tokenFile": "absent"},
        "a token and a token file that is blank": {"token": TOKEN, "tokenFile": "blank"},
        "certificate data": data,
        "certificate files": paths,
        "certificate data and files": {**data, **paths},
        "a certificate of data and a key in a file": {
            "client-certificate-data": coded(certificate),
            "client-key": "me.key",
        },
        "a certificate without a key": {"client-certificate": "me.crt"},
        "a key without a certificate": {"client-key": "me.key"},
        "a key as data and file without a certificate": {"client-key": "me.key", "client-key-data": coded(key)},
        "a key of another": {**data, "client-key-data": coded(lab.other_client[1])},
        "a key that is none": {**data, "client-key-data": coded("no key")},
        "a certificate that is none": {**data, "client-certificate-data": coded("none")},
        "a certificate file that is absent": {"client-certificate": "absent", "client-key": "me.key"},
        "a key before the certificate": {**data, "client-certificate-data": coded(key + certificate)},
        "a certificate and a token": {**data, "token": TOKEN},
        "a certificate and a password": {**data, "username": "me", "password": "x"},
        "a password": {"username": "me", "password": "x:y"},
        "a password with letters": {"username": "m\u00e9", "password": "\u00fc"},
        "a user without a password": {"username": "me"},
        "a password without a user": {"password": "x"},
        "a user with a colon": {"username": "a:b", "password": "x"},
        "a password and a token": {"username": "me", "password": "x", "token": TOKEN},
        "a password and a token file": {"username": "me", "password": "x", "tokenFile": "token"},
        "as another": {"token": TOKEN, "as": "jane"},
        "as another of groups": {"token": TOKEN, "as": "jane", "as-groups": ["a", "system:masters"], "as-uid": "7"},
        "as another with more": {"token": TOKEN, "as": "jane", "as-user-extra": {"x/y": ["1"], "Big": ["a", "b"]}},
        "as groups and nobody": {"token": TOKEN, "as-groups": ["a"]},
        "as a uid and nobody": {"token": TOKEN, "as-uid": "7"},
        "as more and nobody": {"token": TOKEN, "as-user-extra": {"a": ["b"]}},
        "as nobody in empty text": {"token": TOKEN, "as": "", "as-groups": []},
        "as another with a line break": {"token": TOKEN, "as": "jane\nX-Evil: 1"},
        "as another in letters": {"token": TOKEN, "as": "j\u00e4ne"},
        "groups that are text": {"token": TOKEN, "as": "jane", "as-groups": "a"},
        "as a number": {"token": TOKEN, "as": 5},
        "as without a token": {"as": "jane"},
        "a provider that is gone": {"auth-provider": {"name": "gcp", "config": {"access-token": TOKEN}}},
        "a provider that nobody knows": {"auth-provider": {"name": "x"}},
        "a token and a provider that is gone": {"token": TOKEN, "auth-provider": {"name": "gcp"}},
        "a provider and a plug-in": {
            "auth-provider": {"name": "oidc"},
            "exec": {"command": "x", "apiVersion": f"{EXEC}/v1", "interactiveMode": "Never"},
        },
    }
    for name, user in users.items():
        yield one(f"user: {name}", config(secure, user), files=pki)
    yield one("user: a token over http", config({"server": lab.http}, {"token": TOKEN}))
    yield one("user: a certificate over http", config({"server": lab.http}, data))
    yield one(
        "user: a broken certificate over http", config({"server": lab.http}, {**data, "client-key-data": coded("none")})
    )
    yield one(
        "user: an absent certificate over http",
        config({"server": lab.http}, {"client-certificate": "absent", "client-key": "absent"}),
    )
    yield one(
        "user: a certificate for an insecure server",
        config({"server": lab.tls, "insecure-skip-tls-verify": True}, data),
    )


_PLUGIN = """#!/bin/sh
printf '%s\\n' "$KUBERNETES_EXEC_INFO" >> "$LOG"
echo "args $* own $OWN home $HOME" >> "$LOG"
cat <<'END'
{answer}
END
"""


def _plugins(lab: Lab) -> Iterator[Case]:
    secure = _secure(lab)
    certificate, key = lab.client
    environment = {"LOG": "{here}/plugin.log"}

    def credential(version: str = "v1", kind: str = "ExecCredential", **status: Any) -> str:
        return json.dumps({"apiVersion": f"{EXEC}/{version}", "kind": kind, "status": status})

    def plugin(
        name: str,
        answer: str | None = None,
        cluster: Any = None,
        user: Any = None,
        differs: str = "",
        **options: Any,
    ) -> Case:
        script = _PLUGIN.replace("{answer}", credential(token=TOKEN) if answer is None else answer)
        run = {"command": "./plugin", "apiVersion": f"{EXEC}/v1", "interactiveMode": "Never", **options}
        run = {name: value for name, value in run.items() if value is not ...}
        content = config(cluster or secure, {"exec": run, **(user or {})})
        files = {"home/.kube/plugin": script}
        return one(f"plug-in: {name}", content, files=files, environment=environment, differs=differs)

    beta = f"{EXEC}/v1beta1"
    yield plugin("v1")
    yield plugin("v1beta1", credential("v1beta1", token=TOKEN), apiVersion=beta)
    yield plugin("v1beta1 without a mode", credential("v1beta1", token=TOKEN), apiVersion=beta, interactiveMode=...)
    yield plugin("v1 without a mode", interactiveMode=...)
    yield plugin("v1alpha1", credential("v1alpha1", token=TOKEN), apiVersion=f"{EXEC}/v1alpha1")
    yield plugin("no version", apiVersion=...)
    yield plugin("a mode that nobody knows", interactiveMode="Sometimes")
    yield plugin("v1beta1 with a mode that nobody knows", apiVersion=beta, interactiveMode="Sometimes")
    yield plugin("a mode in lower case", interactiveMode="never")
    yield plugin("interactive where it can be", interactiveMode="IfAvailable")
    yield plugin("always interactive", interactiveMode="Always", installHint="log in first")
    yield plugin("arguments", args=["get", "a b", ""])
    yield plugin("arguments as text", args="get")
    yield plugin("variables", env=[{"name": "OWN", "value": "x"}, {"name": "HOME", "value": "/elsewhere"}])
    yield plugin("a variable without a value", env=[{"name": "OWN"}])
    yield plugin("a variable without a name", env=[{"value": "x"}])
    yield plugin("a variable that is a number", env=[{"name": "OWN", "value": 5}])
    yield plugin("the information as a variable", env=[{"name": "KUBERNETES_EXEC_INFO", "value": "x"}])
    yield plugin("no command", command=...)
    yield plugin("a command that is absent", command="no-such-plugin", installHint="get it \x1b[31mthere")
    yield plugin("a command that is a folder", command="./")
    yield plugin("a command from PATH", command="sh", args=["-c", f"echo '{credential(token=TOKEN)}'"])
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x", "n": [1, 2.5, None, True]}}
    yield plugin(
        "information on the cluster",
        provideClusterInfo=True,
        cluster=_secure(
            lab,
            **{
                "tls-server-name": "api.test",
                "extensions": [extension, {"name": "other", "extension": 1}],
                "disable-compression": True,
            },
        ),
    )
    yield plugin(
        "information on an insecure cluster",
        provideClusterInfo=True,
        cluster={"server": f"{lab.tls}/base/", "insecure-skip-tls-verify": True, "proxy-url": lab.proxy},
    )
    yield plugin("information as text", provideClusterInfo="yes")
    yield plugin("no information wanted", provideClusterInfo=False)
    yield plugin("a certificate", credential(clientCertificateData=certificate, clientKeyData=key))
    yield plugin(
        "a certificate and a token", credential(clientCertificateData=certificate, clientKeyData=key, token="x")
    )
    yield plugin("a certificate without a key", credential(clientCertificateData=certificate))
    yield plugin("a key of another", credential(clientCertificateData=certificate, clientKeyData=lab.other_client[1]))
    yield plugin("a certificate that is none", credential(clientCertificateData="x", clientKeyData="y"))
    yield plugin("an empty status", credential())
    yield plugin("no status", json.dumps({"apiVersion": f"{EXEC}/v1", "kind": "ExecCredential"}))
    yield plugin(
        "a status that is null", json.dumps({"apiVersion": f"{EXEC}/v1", "kind": "ExecCredential", "status": None})
    )
    yield plugin(
        "a status that is text", json.dumps({"apiVersion": f"{EXEC}/v1", "kind": "ExecCredential", "status": "x"})
    )
    yield plugin("a token that is a number", credential(token=5))
    yield plugin("a token that is a list", credential(token=[TOKEN]))
    yield plugin("a token that is null", credential(token=None))
    yield plugin("an empty token", credential(token=""))
    yield plugin("a token of blanks", credential(token="  "), differs="it is no token")
    yield plugin("a token with blanks", credential(token=f" {TOKEN} "))
    yield plugin("a token with a line break", credential(token=f"{TOKEN}\nX-Evil: 1"))
    for end in (
        "2099-01-01T00:00:00Z",
        "2099-01-01T00:00:00.5+02:00",
        "2001-01-01T00:00:00Z",
        "2099-01-01",
        "soon",
        "",
        "2099-01-01T00:00:00",
        "2099-01-01 00:00:00Z",
        5,
        None,
        "2099-01-01T00:00:00z",
        "20990101T000000Z",
    ):
        yield plugin(f"an end at {end!r}", credential(token=TOKEN, expirationTimestamp=end))
    yield plugin("another version in the answer", credential("v1beta1", token=TOKEN))
    yield plugin("another kind in the answer", credential(kind="Secret", token=TOKEN))
    yield plugin("no kind in the answer", json.dumps({"apiVersion": f"{EXEC}/v1", "status": {"token": TOKEN}}))
    yield plugin("no version in the answer", json.dumps({"kind": "ExecCredential", "status": {"token": TOKEN}}))
    yield plugin("another group in the answer", credential(token=TOKEN).replace(EXEC, "other.test"))
    yield plugin("unknown fields in the answer", credential(token=TOKEN, colour="red"))
    yield plugin("an answer that is no JSON", "hello")
    yield plugin("an answer in YAML", yaml.safe_dump(json.loads(credential(token=TOKEN))))
    yield plugin("an empty answer", "")
    yield plugin("a list for an answer", "[]")
    yield plugin("two answers", credential(token=TOKEN) + credential(token="second"))
    yield plugin("words after the answer", credential(token=TOKEN) + "\nbye")
    yield plugin("a token twice in the answer", credential(token=TOKEN).replace('"token"', '"token": "x", "token"'))
    yield plugin("keys in another case", credential(Token=TOKEN))
    yield plugin("an exit code", credential(token=TOKEN) + "\nEND\nexit 3\ncat <<'END'")
    yield plugin("words on stderr", credential(token=TOKEN) + "\nEND\necho hello >&2\ncat <<'END'")
    yield plugin("beside a token", user={"token": "static"})
    yield plugin("beside a token file", user={"tokenFile": "plugin"})
    yield plugin("beside a password", user={"username": "me", "password": "x"})
    yield plugin(
        "beside a certificate", user={"client-certificate-data": coded(certificate), "client-key-data": coded(key)}
    )
    yield plugin("beside an impersonated user", user={"as": "jane"})
    yield plugin("over http", cluster={"server": lab.http})
    yield plugin(
        "a certificate over http",
        credential(clientCertificateData=certificate, clientKeyData=key),
        cluster={"server": lab.http},
    )


def _proxies(lab: Lab) -> Iterator[Case]:
    user = {"token": TOKEN}
    far = config(_secure(lab, server="https://api.test:6443"), user)
    named = config(_secure(lab, server="https://a.lab.test"), user)
    address = config(_secure(lab, server=f"https://0.0.0.0:{lab.tls_port}"), user)
    near = config(_secure(lab), user)
    unencrypted = config({"server": "http://api.test"}, user)
    proxy, host = lab.proxy, lab.proxy.removeprefix("http://")

    def by(name: str, content: Any, **environment: str) -> Case:
        return one(f"proxy: {name}", content, environment=environment)

    def own(name: str, url: Any, *, server: str = "https://api.test", **more: Any) -> Case:
        return one(f"proxy: {name}", config(_secure(lab, server=server, **{"proxy-url": url}), user), **more)

    odd = "kubectl tries to connect to a proxy that cannot be"
    yield own("of the file", proxy)
    yield own("of the file for this machine", proxy, server=lab.tls)
    yield own("of the file before the environment", proxy, environment={"HTTPS_PROXY": "http://127.0.0.1:9"})
    yield own("of the file, whatever NO_PROXY says", proxy, environment={"NO_PROXY": "*"})
    yield own("of the file with credentials", proxy.replace("//", "//me:s%2Fx@"))
    yield own("of the file for http", proxy, server="http://api.test")
    yield own("of the file with a path", f"{proxy}/path")
    yield own("of the file without a scheme", host)
    yield own("of the file in capitals", proxy.replace("http", "HTTP"))
    yield own("of the file that is empty", "", server=lab.tls)
    yield own("of the file that is null", None, server=lab.tls)
    yield own("of the file that is a number", 5)
    yield own("of the file of a kind that nobody knows", "ftp://127.0.0.1:9")
    yield own("of the file of no host", "http://", differs=odd)
    yield own("of the file that is closed", f"http://127.0.0.1:{lab.closed_port}")
    yield own("of the file with a line break", f"{proxy}\n")
    yield own("of the file with TLS", f"https://127.0.0.1:{lab.secure_proxy_port}")
    yield by("of the environment", far, HTTPS_PROXY=proxy)
    yield by("of the environment in lower case", far, https_proxy=proxy)
    yield by("of the environment twice", far, HTTPS_PROXY=proxy, https_proxy="http://127.0.0.1:9")
    yield by("empty in capitals", far, HTTPS_PROXY="", https_proxy=proxy)
    yield by("without a scheme", far, HTTPS_PROXY=host)
    yield by("with credentials", far, HTTPS_PROXY=proxy.replace("//", "//me:x@"))
    yield by("for all", far, ALL_PROXY=proxy, all_proxy=proxy)
    yield by("for http and not https", far, HTTP_PROXY=proxy, http_proxy=proxy)
    yield by("for http", unencrypted, HTTP_PROXY=proxy)
    yield by("for http in lower case", unencrypted, http_proxy=proxy)
    yield by("for http in a CGI script", unencrypted, HTTP_PROXY=proxy, REQUEST_METHOD="GET")
    yield by("for https in a CGI script", far, HTTPS_PROXY=proxy, REQUEST_METHOD="GET")
    yield by("for https and not http", unencrypted, HTTPS_PROXY=proxy)
    yield replace(by("that is no URL", far, HTTPS_PROXY="http://["), differs=odd)
    yield replace(by("of a kind that nobody knows", far, HTTPS_PROXY="ftp://127.0.0.1:9"), differs=odd)
    yield by("in capitals", far, HTTPS_PROXY=proxy.replace("http", "HTTP"))
    yield by("never for this machine", near, HTTPS_PROXY=proxy)
    yield by("for an address", address, HTTPS_PROXY=proxy)
    for exceptions in (
        "0.0.0.0",
        "0.0.0.0/8",
        "0.0.0.0/0",
        f"0.0.0.0:{lab.tls_port}",
        "0.0.0.0:1",
        "*",
        " * ",
        "x,*",
        "0.0.0.0 ",
        "x, 0.0.0.0/32",
        "0",
        "0.0.0",
        "[0.0.0.0]",
        "::/0",
    ):
        yield by(f"for an address, except {exceptions!r}", address, HTTPS_PROXY=proxy, NO_PROXY=exceptions)
    for exceptions in (
        "lab.test",
        ".lab.test",
        "*.lab.test",
        "a.lab.test",
        "A.LAB.TEST",
        "test",
        "b.test",
        "*lab.test",
        "*.a.lab.test",
        ".a.lab.test",
        "lab.test.",
        "lab.test:443",
        "lab.test:6443",
        "a.lab.test:",
        "https://a.lab.test",
        ".",
        "",
        ",",
        "*.*",
        "x lab.test",
        "x;lab.test",
        "a.lab.test/",
        "*.lab.test:443",
        ".lab.test:80",
    ):
        yield by(f"for a name, except {exceptions!r}", named, HTTPS_PROXY=proxy, NO_PROXY=exceptions)
    yield by("exceptions in lower case", named, HTTPS_PROXY=proxy, no_proxy="lab.test")
    yield by("exceptions twice", named, HTTPS_PROXY=proxy, NO_PROXY="x", no_proxy="lab.test")
    yield by("exceptions empty in capitals", named, HTTPS_PROXY=proxy, NO_PROXY="", no_proxy="lab.test")
    place = f"127.0.0.1:{lab.socks_port}"
    for name, server, socks in (
        ("SOCKS", lab.tls, f"socks5://{place}"),
        ("SOCKS with a name", "https://a.lab.test", f"socks5://{place}"),
        ("SOCKS with a login", "https://a.lab.test", f"socks5://user:secret@{place}"),
        ("SOCKS with a wrong login", "https://a.lab.test", f"socks5://user:wrong@{place}"),
        ("SOCKS that refuses", "https://closed.test", f"socks5://{place}"),
        ("SOCKS5H", "https://a.lab.test", f"socks5h://{place}"),
        ("SOCKS4", "https://a.lab.test", f"socks4://{place}"),
        ("SOCKS in capitals", "https://a.lab.test", f"SOCKS5://{place}"),
    ):
        yield one(f"proxy: {name}", config(_secure(lab, server=server, **{"proxy-url": socks}), user))
    for scheme in ("socks5", "socks5h"):
        yield by(f"by {scheme} of the environment", named, HTTPS_PROXY=f"{scheme}://{place}")
    closed = f"socks5://127.0.0.1:{lab.closed_port}"
    yield one("proxy: SOCKS at a closed port", config(_secure(lab, **{"proxy-url": closed}), user))


def _pods(lab: Lab) -> Iterator[Case]:
    account = {"token": TOKEN, "ca.crt": lab.ca, "namespace": "pods"}
    service = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(lab.tls_port)}
    other = config({"server": lab.http}, {"token": "file"})

    def pod(name: str, files: Any = None, **more: Any) -> Case:
        return Case(f"pod: {name}", files or {}, **{"environment": service, "pod": account, **more})

    yield Case("pod: variables and no service account", {}, service)
    yield pod("in it")
    yield pod("without a port", environment={"KUBERNETES_SERVICE_HOST": "127.0.0.1"})
    yield pod("without a host", environment={"KUBERNETES_SERVICE_PORT": str(lab.tls_port)})
    yield pod("without a token", pod={"ca.crt": lab.ca, "namespace": "pods"})
    yield pod("with an empty token", pod={**account, "token": ""})
    yield pod(
        "without an authority", pod={"token": TOKEN, "namespace": "pods"}, differs="no public one has signed a cluster"
    )
    yield pod("with another authority", pod={**account, "ca.crt": lab.other_ca})
    yield pod("without a namespace", pod={"token": TOKEN, "ca.crt": lab.ca})
    yield pod("with a blank namespace", pod={**account, "namespace": " \n"})
    yield pod("with a namespace in a variable", environment={**service, "POD_NAMESPACE": "variable"})
    yield pod("without HOME", environment={**service, "HOME": "{unset}"})
    yield pod("with a kubeconfig", {"home/.kube/config": other})
    yield pod(
        "with a kubeconfig and its namespace",
        {"home/.kube/config": config({"server": lab.http}, {"token": "file"}, {"namespace": "own"})},
    )
    yield pod(
        "with a kubeconfig of the namespace default",
        {"home/.kube/config": config({"server": lab.http}, {"token": "file"}, {"namespace": "default"})},
    )
    yield pod("with an empty kubeconfig", {"home/.kube/config": ""})
    yield pod(
        "with a kubeconfig without a current context",
        {"home/.kube/config": config({"server": lab.http}, {"token": "file"}, current=None)},
    )
    yield pod("with a broken kubeconfig", {"home/.kube/config": "a: ["})
    yield pod("with KUBECONFIG that is absent", environment={**service, "KUBECONFIG": "{here}/absent"})
    yield pod("with an option that is absent", kubeconfig="{here}/absent")
    yield pod("with an option that is empty", {"x": ""}, kubeconfig="{here}/x")
    yield pod("with a context by option", context="one")
    yield pod("with a proxy", environment={**service, "HTTPS_PROXY": lab.proxy})


def _scalars(lab: Lab) -> Iterator[Case]:
    """Every way of writing one value, and characters that YAML readers disagree about."""
    text = yaml.safe_dump(config(_secure(lab), {"token": TOKEN}), sort_keys=False)
    for written in (
        "1e3",
        "1E400",
        "0x1F",
        "0b11",
        "0777",
        "1_000",
        "_1",
        "+1",
        "-0",
        ".5",
        "5.",
        ".",
        "1.2.3",
        ".inf",
        ".NaN",
        "nan",
        "~",
        "null",
        "=",
        "<<",
        "y",
        "no",
        "tRuE",
        "2026-01-01T00:00:00Z",
        "190:20:30",
        "!!str 5",
        "!!str true",
        "!!int 5",
        "!!float 5",
        "!!bool yes",
        "!!null x",
        "!!binary Y2FuYXJ5",
        "!!timestamp 2026-01-01",
        "!own x",
        "! x",
        "!!int x",
        "!!bool 5",
        "!!float x",
        "'it''s'",
        '"\\x41\\u00e9\\t"',
        '"\\ud83d\\ude00"',
        "|\n      two\n      lines",
        ">-\n      two\n      lines",
        "|2-\n      x",
        "a: b",
        "a #b",
        "a#b",
        "'#b'",
        "@x",
        "`x",
        "%x",
        "*x",
        "? x",
        "- x",
        "[x]",
        "{x: y}",
        "'two\n\n      lines'",
        "x\ty",
        "x\u00a0y",
        "x\u2028y",
        "x\u0085y",
        "\ufeffx",
        "x\x7f",
        "x\x01",
    ):
        yield one(f"scalar: a token written {written!r}", text.replace(TOKEN, written))
        differs = "a context without a name is none" if written in ("~", "null") else ""
        yield one(f"scalar: a name written {written!r}", text.replace(": one\n", f": {written}\n"), differs=differs)
    for name, content in {
        "tabs for blanks": text.replace("  ", "\t"),
        "a tab before a comment": text.replace("kind: Config", "kind: Config\t# x"),
        "a directive": f"%YAML 1.1\n---\n{text}",
        "a tag directive": f"%TAG ! tag:x,2000:\n---\n{text}",
        "a directive that nobody knows": f"%FOO bar\n---\n{text}",
        "an end": f"{text}...\n",
        "an end and more": f"{text}...\nfoo: [\n",
        "a broken second document": f"{text}---\na: [\n",
        "UTF-16": text.encode("utf-16"),
        "UTF-16, big end first": b"\xfe\xff" + text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
        "Latin letters": text.replace("kind", "# \u00e9\nkind").encode("latin-1"),
        "carriage returns alone": text.replace("\n", "\r"),
        "a NUL": text.encode() + b"\x00",
        "a complex key": f"{text}? [a, b]\n: c\n",
        "a key that is null": f"{text}~: c\n",
        "a key that is a number": f"{text}5: c\n",
        "a quoted merge": f"{text}'<<': {{current-context: absent}}\n",
        "a merge of a list": f"x: &x {{current-context: absent}}\n{text}<<: [*x]\n",
        "a merge before": f"x: &x {{current-context: absent}}\n<<: *x\n{text}",
        "a merge of text": f"{text}<<: x\n",
        "an anchor within itself": f"{text}extensions: &a [{{name: x, extension: *a}}]\n",
        "an extension of any kind": f"{text}extensions: [{{name: x, extension: {{a: [1, {{b: null}}]}}}}]\n",
        "an extension that is text": f"{text}extensions: x\n",
        "a number as API version": text.replace("apiVersion: v1", "apiVersion: 1.0"),
        "a list of kinds": text.replace("kind: Config", "kind: [Config]"),
        "blanks after the context": text.replace("current-context: one", "current-context: 'one '"),
        "another case of the context": text.replace("current-context: one", "current-context: One"),
        "a kubeconfig in a list": f"kind: List\napiVersion: v1\nitems: [{json.dumps(config())}]\n",
        "a long line": f"{text}# {'x' * 200_000}\n",
        "names beside their entries": text.replace("- name: one\n  user:", "- name: one\n  colour: red\n  user:"),
    }.items():
        yield one(f"document: {name}", content)


_LATE = "kubectl reads a client's certificate only once it has spoken to the server"


def _key_files(lab: Lab) -> Iterator[Case]:
    """The spellings of the files that a kubeconfig names."""
    secure = _secure(lab)
    certificate, key = lab.client
    files = {
        "crlf.crt": certificate.replace("\n", "\r\n"),
        "crlf.key": key.replace("\n", "\r\n"),
        "words.crt": f"subject=CN = jane\n{certificate}",
        "words.key": f"Bag Attributes\n{key}",
        "indented.crt": certificate.replace("\n", "\n  "),
        "twice.crt": certificate * 2,
        "mark.crt": f"\ufeff{certificate}",
        "chain.crt": certificate + lab.ca,
        "turned.crt": lab.ca + certificate,
        "both.pem": certificate + key,
        "turned.pem": key + certificate,
        "me.crt": certificate,
        "me.key": key,
        "empty": "",
        "crlf.token": f"{TOKEN}\r\n",
        "mark.token": f"\ufeff{TOKEN}",
        "tab.token": f"\t{TOKEN}\n\n",
        "two words": "a b",
        "folder/token": TOKEN,
    }
    beside = {f"home/.kube/{name}": text for name, text in files.items()}
    for first, second in (
        ("crlf.crt", "crlf.key"),
        ("words.crt", "words.key"),
        ("indented.crt", "me.key"),
        ("twice.crt", "me.key"),
        ("mark.crt", "me.key"),
        ("chain.crt", "me.key"),
        ("turned.crt", "me.key"),
        ("both.pem", "both.pem"),
        ("turned.pem", "turned.pem"),
        ("empty", "me.key"),
        ("me.crt", "empty"),
        ("./me.crt", "../.kube/me.key"),
        ("$HOME/.kube/me.crt", "me.key"),
        ("~/.kube/me.crt", "me.key"),
        ("me.crt ", "me.key"),
    ):
        user = {"client-certificate": first, "client-key": second}
        yield one(f"files: {first} and {second}", config(secure, user), files=beside, differs=_LATE)
    for name in ("crlf.token", "mark.token", "tab.token", "two words", "./folder/../crlf.token", "folder", "empty"):
        differs = "a token is plain text" if name.startswith("mark") else ""
        yield one(f"files: the token of {name}", config(secure, {"tokenFile": name}), files=beside, differs=differs)
    authorities = {
        "crlf": lab.ca.replace("\n", "\r\n"),
        "two": lab.other_ca + lab.ca,
        "broken beside": lab.other_ca.replace("MII", "AAA") + lab.ca,
        "words": f"# mine\n{lab.ca}\nthe end\n",
        "marked": f"\ufeff{lab.ca}",
        "trusted": lab.ca.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        "old": lab.ca.replace("CERTIFICATE", "X509 CERTIFICATE"),
        "key beside": key + lab.ca,
        "no break at the end": lab.ca.rstrip(),
        "indented": lab.ca.replace("\n", "\n "),
        "in one line": lab.ca.replace("\n", ""),
    }
    for name, text in authorities.items():
        named = {"server": lab.tls, "certificate-authority": "ca"}
        case = config(named, {"token": TOKEN})
        yield one(f"files: an authority, {name}", case, files={"home/.kube/ca": text})
        data = {"server": lab.tls, "certificate-authority-data": coded(text)}
        yield one(f"files: an authority's data, {name}", config(data, {"token": TOKEN}))


def _odd_servers(lab: Lab) -> Iterator[Case]:
    """Spellings of servers, proxies and names that readers of URLs disagree about, and odd certificates."""
    user, host = {"token": TOKEN}, f"127.0.0.1:{lab.tls_port}"
    purpose = "OpenSSL asks for the purpose of a server, and Python cannot tell it otherwise"
    for title, differs in {"short": "", "any purpose": purpose, "signing": purpose}.items():
        server = f"https://127.0.0.1:{lab.odd_ports[title]}"
        yield one(f"trust: a server's certificate, {title}", config(_secure(lab, server=server), user), differs=differs)
    for name, server in {
        "a user without a password": f"https://me@{host}",
        "a user with an empty password": f"https://me:@{host}",
        "a user in escapes": f"https://m%40e:p%3Aw@{host}",
        "a user in letters": f"https://m\u00e9:p@{host}",
        "letters": "https://b\u00fccher.test",
        "an escaped host": f"https://%6cocalhost:{lab.tls_port}",
        "a dot at the end": f"https://localhost.:{lab.tls_port}",
        "a broken escape": f"{lab.tls}/%zz",
        "a path with a blank": f"{lab.tls}/a b",
        "a path that goes up": f"{lab.tls}/a/../b",
        "a path with an escaped slash": f"{lab.tls}/a%2Fb",
        "a path in letters": f"{lab.tls}/\u00e9",
        "a backslash": f"https:\\\\{host}",
        "no host and a path": f"https:///{host}",
        "IPv6": f"https://[::1]:{lab.tls_port}",
        "a zone": "https://[fe80::1%25lo]:1",
        "a query alone": f"{lab.tls}?x=1",
    }.items():
        yield one(f"server: {name}", config(_secure(lab, server=server), user))
        if "user" in name:
            yield one(f"server: {name} and no token", config(_secure(lab, server=server), {}))
    for name in ("api.test.", "*.test", "a_b", "", "::1"):
        yield one(f"trust: the name {name!r}", config(_secure(lab, **{"tls-server-name": name}), user))
    for name in ("api..test", f"{'x' * 64}.test"):
        odd = config(_secure(lab, **{"tls-server-name": name}), user)
        yield one(f"trust: the name {name!r}", odd, differs="it is no name that TLS can ask for")
    for server, exceptions in (
        ("https://[::1]", ""),
        ("https://a.localhost", ""),
        ("https://b\u00fccher.test", ""),
        ("https://b\u00fccher.test", "b\u00fccher.test"),
        ("https://b\u00fccher.test", "xn--bcher-kva.test"),
        ("https://A.LAB.test", "lab.test"),
        ("https://0.0.0.0", "::ffff:0.0.0.0"),
        *(
            ("https://[2001:db8::1]:6443", exception)
            for exception in (
                "2001:db8::/32",
                "2001:DB8::1",
                "[2001:db8::1]",
                "[2001:db8::1]:6443",
                "[2001:db8::1]:1",
                "2001:db8:0::1",
                "2001:db8::/129",
            )
        ),
        *(("https://0.0.0.0", exception) for exception in ("0.0.0.0/33", "0.0.0.1/0", "0.0.0.0/08", "0.0.0.0/+8")),
        *(("https://a.lab.test", exception) for exception in ("a.lab.test:https", "*.*.test", "..lab.test", "*:443")),
    ):
        environment = {"HTTPS_PROXY": lab.proxy, "NO_PROXY": exceptions}
        name = f"proxy: {server} except {exceptions!r}"
        yield one(name, config(_secure(lab, server=server), user), environment=environment)
    before = config(_secure(lab, server="https://a.lab.test", **{"proxy-url": f" {lab.proxy}"}), user)
    yield one("proxy: of the file after a blank", before)
    for kind, names in {"files": {"certs/any.crt": lab.ca}, "none": {"certs/any.crt": lab.other_ca}}.items():
        environment = {"SSL_CERT_DIR": "/absent:{here}/certs"}
        yield one(
            f"trust: SSL_CERT_DIR, {kind}", config({"server": lab.tls}, user), files=names, environment=environment
        )
    system = config({"server": lab.tls}, user)
    yield one("trust: SSL_CERT_FILE", system, files={"ca.crt": lab.ca}, environment={"SSL_CERT_FILE": "{here}/ca.crt"})


def _odd_documents(lab: Lab) -> Iterator[Case]:
    """Documents, identities and plug-ins beyond the usual."""
    secure, user = _secure(lab), {"token": TOKEN}
    plain = config(secure, user)
    text = yaml.safe_dump(plain, sort_keys=False)
    twice = [{"name": "x", "extension": {}}] * 2
    places: dict[str, Any] = {
        "at the top": config(secure, user, extensions=twice),
        "of a cluster": config(_secure(lab, extensions=twice), user),
        "of a user": config(secure, {**user, "extensions": twice}),
        "of a context": config(secure, user, {"extensions": twice}),
        "of the preferences": config(secure, user, preferences={"extensions": twice}),
    }
    for name, content in places.items():
        yield one(f"document: two extensions of one name {name}", content)
    for name, content in {
        "a tagged merge": f"x: &x {{current-context: absent}}\n{text}!!merge <<: *x\n",
        "a flow mapping": json.dumps(plain).replace('"apiVersion"', "apiVersion"),
        "JSON with a comma too many": f"{json.dumps(plain)[:-1]},}}",
        "JSON and more": f"{json.dumps(plain)}x",
        "JSON after blanks": f"\n \t{json.dumps(plain)}",
        "an alias for a key": f"x: &k current-context\n{text.replace('current-context:', '*k :')}",
        "a tag on a key": text.replace("current-context:", "!!str current-context:"),
        "an explicit key": text.replace(f"token: {TOKEN}", f"? token\n    : {TOKEN}"),
        "a merge after its key": text.replace(f"token: {TOKEN}", f"token: {TOKEN}\n    <<: {{token: other}}"),
        "YAML 1.1": f"%YAML 1.1\n---\n{text}",
        "YAML 1.2": f"%YAML 1.2\n---\n{text}",
        "YAML 1.2 after a comment": f"# x\n%YAML 1.2\n---\n{text}",
        "an escaped slash": text.replace(secure["server"], '"' + secure["server"].replace("/", "\\/") + '"'),
        "an escaped slash in JSON": json.dumps(plain).replace("/", "\\/"),
        "an escaped slash in a comment": f'{text}# "\\/"\n',
        "a byte order mark": f"\ufeff{text}",
        "two byte order marks": f"\ufeff\ufeff{text}",
        "a byte order mark at the end": f"{text}\ufeff\n",
        "a merge of two": text.replace(f"token: {TOKEN}", "<<: [{token: a}, {token: b}]"),
    }.items():
        yield one(f"document: {name}", content)
    for key in ("a b", "A", "!#$&'*+-.^_`|~", "\u00e9", "%41", "(x)", ""):
        extra = {**user, "as": "jane", "as-user-extra": {key: ["v"]}}
        yield one(f"user: as another with {key!r}", config(secure, extra))
    one_lower = {**user, "as": "jane", "as-user-extra": {"K": ["1"], "k": ["2"]}}
    yield one("user: as another with keys in two cases", config(secure, one_lower))
    certificate, key = lab.client
    spaced = {"client-certificate-data": coded(certificate), "client-key-data": coded(key.replace("\n", "\n\n"))}
    yield one("user: a key with blank lines", config(secure, spaced))
    run_on = {**spaced, "client-key-data": coded(key.replace("-----\n", "-----", 1))}
    yield one("user: a key that begins in its first line", config(secure, run_on))
    headed = certificate.replace("TE-----\n", "TE-----\nA: b\n\n", 1)
    yield one("user: a certificate with headers", config(secure, {**spaced, "client-certificate-data": coded(headed)}))
    answer = json.dumps({"apiVersion": f"{EXEC}/v1", "kind": "ExecCredential", "status": {"token": TOKEN}})
    script = _PLUGIN.replace("{answer}", answer)
    run = {"apiVersion": f"{EXEC}/v1", "interactiveMode": "Never", "command": "plugin"}
    path = "/usr/bin:/bin"
    for name, folders, env in (
        ("a folder of PATH", f"{{here}}/bin:{path}", "{here}"),
        ("the working directory by a dot", f".:{path}", ""),
        ("the working directory by nothing", f":{path}", ""),
        ("a relative folder", f"bin:{path}", ""),
        ("a PATH of its own alone", path, "{here}/bin:/usr/bin"),
        ("no PATH", "", ""),
    ):
        own = {"env": [{"name": "PATH", "value": path}]} if env else {}
        yield one(
            f"plug-in: in {name}",
            config(secure, {"exec": {**run, **own}}),
            files={"plugin": script, "bin/plugin": script},
            environment={"LOG": "{here}/plugin.log", "PATH": folders},
        )
    account = {"token": TOKEN, "ca.crt": lab.ca, "namespace": "pods"}
    service = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(lab.tls_port)}
    files: dict[str, Any] = {
        "that names a namespace alone": {
            "contexts": [{"name": "one", "context": {"namespace": "q"}}],
            "current-context": "one",
        },
        "whose cluster is empty": config({}, user),
        "whose cluster is absent": config(secure, user, {"cluster": "absent"}),
    }
    for name, content in files.items():
        differs = "the wrong name of a cluster is no reason to take another" if "absent" in name else ""
        case = Case(f"pod: with a kubeconfig {name}", {"home/.kube/config": content}, service, pod=account)
        yield replace(case, differs=differs)


_WRONG: tuple[Any, ...] = (None, "", 7, True, [], {}, ["x"], {"a": "b"}, [None], "x")


def _types(lab: Lab) -> Iterator[Case]:
    """Each field of a kubeconfig with a value of each type."""
    answer = json.dumps({"apiVersion": f"{EXEC}/v1", "kind": "ExecCredential", "status": {"token": TOKEN}})
    script = _PLUGIN.replace("{answer}", answer)
    for number, path in enumerate(_paths(SHAPE)):
        for value in (_WRONG[number % 5], _WRONG[5 + number % 5]):  # all ten would take minutes
            content = config(_secure(lab), {"token": TOKEN})
            if "exec" in path:
                run = {"command": "./plugin", "apiVersion": f"{EXEC}/v1", "interactiveMode": "Never"}
                content["users"][0]["user"] = {"exec": run}
            if "as-groups" in path or "as-user-extra" in path:
                content["users"][0]["user"]["as"] = "jane"
            _put(content, path, value)
            is_bytes = str(path[-1]).endswith("-data") and isinstance(value, list)
            yield one(
                f"type: {'.'.join(map(str, path))} {value!r}",
                content,
                files={"home/.kube/plugin": script},
                environment={"LOG": "{here}/plugin.log"},
                differs="Go reads a list of numbers as bytes" if is_bytes else "",
            )


def _paths(shape: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    parts = shape.items() if isinstance(shape, dict) else [(0, shape[0])] if isinstance(shape, list) else ()
    for key, below in parts:
        yield (*above, key)
        yield from _paths(below, (*above, key))


def _put(content: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Set the value at a path; what is missing above it is made."""
    for number, key in enumerate(path):
        is_last = number == len(path) - 1
        empty: Any = None if is_last else [] if path[number + 1] == 0 else {}
        if isinstance(content, list) and not content:
            content.append(empty)
        elif isinstance(content, dict):
            content.setdefault(key, empty)
        if is_last:
            content[key] = value
        content = content[key]
