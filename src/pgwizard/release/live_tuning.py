"""The answers about tuning that give the parameters of a running server. Pure.

pgwizard computes a line of postgresql.conf from a few answers, and cannot compute them back. So every combination of
these answers is computed, and the one that gives most of the lines is taken; what it does not give is an override.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pgwizard.plan import settings
from pgwizard.plan.tuning import DataSize, Disk, Machine, Parameter, Profile, tune

OVERRIDE_REASON = "as asked"
"""The reason of an override."""
_FIXED_NAMES = frozenset({"listen_addresses", "archive_mode", "archive_command", "archive_timeout", "wal_level"})
"""What the plan writes itself, before the tuned parameters."""
_PROFILES: tuple[Profile, ...] = ("mixed", *(each for each in get_args(Profile) if each != "mixed"))
_MOST_CORES = 64


@dataclass(frozen=True, slots=True)
class TunedServer:
    """The machine that the parameters were computed for, and the parameters that follow from something else."""

    machine: Machine
    overrides: Mapping[str, str]

    def answers(self) -> dict[str, Any]:
        """The keys of the section ``tuning`` that give it, without CPU and memory."""
        return {
            "profile": self.machine.profile,
            "connections": self.machine.connections,
            "disk": self.machine.disk,
            "dataSize": self.machine.data_size,
            "parameters": dict(self.overrides),
        }


def tuned_server(live: Iterable[Parameter], machine: Machine, cores: Iterable[int]) -> TunedServer:
    """machine: what is known of it, with defaults for the rest. cores: how many it may have been tuned for, the most
    likely first.
    """
    parameters = {parameter.name: parameter for parameter in live}
    connections = settings.count("max_connections", {name: each.value for name, each in parameters.items()}, 15)
    if connections is not None and 4 <= connections <= 10_000:
        machine = replace(machine, connections=connections)
    by_hand = {
        name: each.value
        for name, each in parameters.items()
        if each.reason == OVERRIDE_REASON and name != "max_connections"
    }
    best = _closest(parameters, machine, by_hand, list(dict.fromkeys(cores)))
    return TunedServer(best, _overrides(parameters, best, by_hand))


def _closest(live: Mapping[str, Parameter], machine: Machine, by_hand: Mapping[str, str], cores: list[int]) -> Machine:
    """The machine with the most lines in common; lines that only one side has count against it."""
    best, most = machine, -len(live) - 1
    for candidate in _machines(machine, cores, is_ours=any(each.reason for each in live.values())):
        tuning = {each.name: each for each in tune(candidate, by_hand)}
        others = (live.keys() - _FIXED_NAMES - by_hand.keys()) ^ (tuning.keys() - by_hand.keys())
        alike = sum(_is_alike(live.get(name), each, by_hand, machine.version) for name, each in tuning.items())
        if alike - len(others) > most:
            best, most = candidate, alike - len(others)
        if alike == len(tuning) and not others:
            break
    return best


def _machines(machine: Machine, cores: list[int], *, is_ours: bool) -> Iterator[Machine]:
    """The likely numbers of cores first; all others only for a file of pgwizard's, which one of them must give."""
    others = [number for number in range(1, _MOST_CORES + 1) if number not in cores and is_ours]
    for group in (cores, others):
        for number, profile, disk, size in itertools.product(group, _PROFILES, get_args(Disk), get_args(DataSize)):
            yield replace(machine, cores=number, profile=profile, disk=disk, data_size=size)


def _is_alike(live: Parameter | None, default: Parameter, by_hand: Mapping[str, str], version: int) -> bool:
    """With the same reason, where pgwizard wrote one: it names what the value was computed from."""
    if live is None:
        return False
    if default.name in by_hand:
        return True
    return _means_the_same(live, default, version) and live.reason in ("", default.reason)


def _means_the_same(live: Parameter, default: Parameter, version: int) -> bool:
    if live.value == default.value:
        return True
    setting = settings.of(default.name, version)
    try:
        return setting is not None and setting.read(live.value) == setting.read(default.value)
    except ValueError:
        return False


def _overrides(live: Mapping[str, Parameter], machine: Machine, by_hand: Mapping[str, str]) -> dict[str, str]:
    """What was set by hand, and whatever else is not computed; what follows from an override is computed from it."""
    overrides: dict[str, str] = {}
    names_left = set(by_hand)
    while True:
        defaults = {each.name: each for each in tune(machine, overrides)}
        more = {
            name
            for name, each in live.items()
            if name not in (*overrides, *_FIXED_NAMES, "max_connections")
            and (name not in defaults or not _means_the_same(each, defaults[name], machine.version))
        }
        names = names_left | more | set(overrides)
        if names == set(overrides):
            return overrides
        overrides = {name: each.value for name, each in live.items() if name in names}
