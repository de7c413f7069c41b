"""The Kling-compatible loopback server: both protocols, real clips, scripted trouble, no charge.

    with serving(Emulator(pace=Pace.instant())) as running:
        os.environ.update(running.environment)

What it does as documented, what was seen live and what is assumed stands in docs/kling-emulator.md.
"""

from lab.emulator.account import Account
from lab.emulator.assumptions import Assumptions
from lab.emulator.clock import Pace
from lab.emulator.emulator import Emulator
from lab.emulator.faults import Fault, load_faults
from lab.emulator.server import Running, serve, serving, start

__all__ = [
    "Account",
    "Assumptions",
    "Emulator",
    "Fault",
    "Pace",
    "Running",
    "load_faults",
    "serve",
    "serving",
    "start",
]
