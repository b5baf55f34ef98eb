"""The simulated cluster behind ``--demo`` and the tests. ``SimCluster`` speaks the same protocol as a real cluster."""

from pgwizard.demo.clock import Clock, ManualClock, ScaledClock
from pgwizard.demo.faults import Fault, FaultKind, Killed, Outcome, Request
from pgwizard.demo.sim import SimCluster

__all__ = ["Clock", "Fault", "FaultKind", "Killed", "ManualClock", "Outcome", "Request", "ScaledClock", "SimCluster"]
