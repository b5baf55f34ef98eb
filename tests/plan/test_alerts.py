"""The PrometheusRule of a release, and where there is none."""

from __future__ import annotations

import pytest

from pgwizard.plan import manifests
from pgwizard.plan.plan import Facts, resolve
from support.headless import answers_of, rendered, trusted

ON = {"advanced": {"prometheusRule": True}}


def test_the_alerts_name_the_schedules_of_the_release() -> None:
    rule = rendered(answers_of(release={"name": "shop", "namespace": "db"}, **ON))["prometheus-rule"]
    [group] = rule["spec"]["groups"]
    names = {each["alert"]: (each["expr"], each["for"]) for each in group["rules"]}

    def newest(metric: str, names: str = "shop-pgbackrest-full|shop-pgbackrest-incr") -> str:
        selector = f'{{namespace="db",cronjob=~"{names}"}}'
        return f"max by (namespace, cronjob) (kube_cronjob_{metric}{selector})"

    def failed(*names: str) -> str:
        begun, ended = newest("status_last_schedule_time", *names), newest("status_last_successful_time", *names)
        return f"({begun} > {ended} or {begun} unless {ended}) and {newest('status_active', *names)} == 0"

    assert names == {
        "PostgreSQLBackupFailed": (failed(), "15m"),
        "PostgreSQLBackupCheckFailed": (failed("shop-backup-verify|shop-backup-drill"), "15m"),
        "PostgreSQLBackupMissed": (f"time() - {newest('next_schedule_time')} > 7200", "5m"),
        "PostgreSQLBackupSuspended": (f"{newest('spec_suspend')} == 1", "1h"),
        "PostgreSQLBackupScheduleAbsent": (
            'absent(kube_cronjob_info{namespace="db",cronjob="shop-pgbackrest-full"})',
            "15m",
        ),
    }


@pytest.mark.parametrize(
    ("sections", "facts"),
    [
        ({}, Facts(ca=trusted())),
        ({**ON, "repository": {"enabled": False}}, Facts(ca=trusted())),
        (ON, Facts(ca=trusted(), has_prometheus_rules=False)),
    ],
    ids=["not wanted", "no backups", "no such kind"],
)
def test_there_is_no_rule_where_it_is_not_wanted_or_unknown(sections: dict[str, object], facts: Facts) -> None:
    roles = {item.role for item in manifests.render(resolve(answers_of(**sections), facts))}
    assert "prometheus-rule" not in roles


def test_without_a_schedule_there_is_no_verification() -> None:
    assert rendered()["verify-cronjob"]["spec"]["schedule"] == "0 5 1 * *"
    assert "verify-cronjob" not in rendered(answers_of(schedule={"verify": None}))
