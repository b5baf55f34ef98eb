"""A backup of a database that loads what the image lacks: a drill and a restore name the library and the setting, and
a restore does so before it stops anything.

The library lies beside the data directory, where no backup has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live_releases import POD, Done, Site, site
from support.rigtools import LIVE, LONG
from support.waiting import KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
BESIDE = "/var/lib/postgresql/data"
EXTENSION = (
    f"cp $(pg_config --pkglibdir)/hstore.so {BESIDE}/shop_hstore.so && "
    f"sed 's#MODULE_PATHNAME#{BESIDE}/shop_hstore#;/^.echo/d' $(pg_config --sharedir)/extension/hstore--1.4.sql | "
    "psql -U postgres -d myapp -q -v ON_ERROR_STOP=1"
)


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply()
        yield scene


def pgwizard(place: Site, *words: str, expect: int = 0) -> Done:
    where = f"--namespace={place.kubectl.namespace}"
    return place.pgwizard(*place.command(None, words[0], "postgresql", where, *words[1:]), expect=expect)


def failed_drill(place: Site) -> tuple[list[str], str]:
    """The checks that fail, and why by the last message."""
    done = pgwizard(place, "drill", "--json", expect=11)
    [line] = [each for each in map(json.loads, done.out.splitlines()) if each["type"] == "drill"]
    return [check["name"] for check in line["checks"] if check["outcome"] == "failed"], done.err


def test_a_library_that_the_image_lacks_is_named_with_its_setting(place: Site) -> None:
    place.in_pod("bash", "-c", EXTENSION)
    place.sql("CREATE TABLE goods AS SELECT 'colour=>red'::hstore AS what")
    pgwizard(place, "backup", "--type=full", "--follow")
    failed, why = failed_drill(place)
    assert failed == ["rows"]
    assert f"The image has no library {BESIDE}/shop_hstore, which an extension" in why
    assert "Use an image with that extension" in why

    place.in_pod("bash", "-c", f"cp $(pg_config --pkglibdir)/auto_explain.so {BESIDE}/shop_audit.so")
    place.sql(f"ALTER SYSTEM SET shared_preload_libraries = '{BESIDE}/shop_audit'")
    place.kubectl.run("delete", "pod", POD)
    place.kubectl.run("wait", "--for=create", f"pod/{POD}", KUBECTL_DEADLINE)
    place.kubectl.run("wait", "--for=condition=Ready", f"pod/{POD}", KUBECTL_DEADLINE)
    pgwizard(place, "backup", "--type=full", "--follow")
    failed, why = failed_drill(place)
    assert failed == ["recovery"]
    assert f"The image has no library {BESIDE}/shop_audit, which shared_preload_libraries loads" in why

    place.in_pod("rm", f"{BESIDE}/shop_audit.so", f"{BESIDE}/shop_hstore.so")
    pod = place.pod_uid()
    refused = pgwizard(place, "restore", "--to", "latest", "--yes", expect=5)
    image = place.get("pod", POD)["spec"]["containers"][0]["image"]
    assert f"the image {image} has no library {BESIDE}/shop_audit, which shared_preload_libraries loads" in refused.err
    assert place.pod_uid() == pod

    place.sql("ALTER SYSTEM RESET shared_preload_libraries")
    pgwizard(place, "backup", "--type=full", "--follow")
    label = place.info()["backup"][-1]["label"]
    done = pgwizard(place, "restore", "--to", f"backup:{label}", "--yes")
    assert f"lacks libraries that functions and extensions need: {BESIDE}/shop_hstore (database myapp)" in done.output
