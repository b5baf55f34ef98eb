"""Alerts on the backups of a release, as PromQL on what kube-state-metrics exports. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pgwizard.plan.names import Names


@dataclass(frozen=True, slots=True)
class Alerts:
    """One expression each.

    failure: the last run of a schedule did not end well, and none runs now; a later run that does ends the alert.
    check_failed: the same of the verification and of the drill.
    late_run: a run is two hours late. suspension: a schedule is off. absent: there is no schedule of full backups, or
    nothing that observes it.
    """

    failure: str
    check_failed: str
    late_run: str
    suspension: str
    absent: str

    @classmethod
    def of(cls, names: Names, namespace: str) -> Alerts:
        """The alerts of a release."""
        backups = _selector(namespace, f'cronjob=~"{names.full}|{names.incremental}"')
        checks = _selector(namespace, f'cronjob=~"{names.verify}|{names.drill}"')
        full = _selector(namespace, f'cronjob="{names.full}"')
        return cls(
            failure=_has_failed(backups),
            check_failed=_has_failed(checks),
            late_run=f"time() - {_newest('kube_cronjob_next_schedule_time', backups)} > 7200",
            suspension=f"{_newest('kube_cronjob_spec_suspend', backups)} == 1",
            absent=f"absent(kube_cronjob_info{full})",
        )


def _selector(namespace: str, cronjobs: str) -> str:
    """Names of objects need no quoting in PromQL, and a dot in a pattern matches itself."""
    return f'{{namespace="{namespace}",{cronjobs}}}'


def _newest(metric: str, selector: str) -> str:
    """One value for a CronJob, also where two replicas of kube-state-metrics export it."""
    return f"max by (namespace, cronjob) ({metric}{selector})"


def _has_failed(schedules: str) -> str:
    start, success = (
        _newest(f"kube_cronjob_status_last_{what}_time", schedules) for what in ("schedule", "successful")
    )
    return (
        f"({start} > {success} or {start} unless {success}) and {_newest('kube_cronjob_status_active', schedules)} == 0"
    )
