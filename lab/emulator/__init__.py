"""Emulate the Kling API on loopback: both protocols, real clips, scripted faults, no charge.

    with serving(Emulator(timing=TaskTiming.instant())) as running:
        os.environ.update(running.environment)

docs/kling-emulator.md lists every behaviour and whether it is documented, seen live or assumed.
"""

from lab.emulator.account import Account
from lab.emulator.assumptions import Assumptions
from lab.emulator.emulator import Emulator
from lab.emulator.faults import Fault, load_faults
from lab.emulator.server import RunningServer, serve, serving, start
from lab.emulator.timing import TaskTiming

__all__ = [
    "Account",
    "Assumptions",
    "Emulator",
    "Fault",
    "RunningServer",
    "TaskTiming",
    "load_faults",
    "serve",
    "serving",
    "start",
]
