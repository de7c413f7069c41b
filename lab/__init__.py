"""i2v-lab: image-to-video experiments. Sweep, score, compare, report.

The house, top floor first. A room may import the floors below it, never beside or above.

    9  cli                          thin hands: every command is one public call
       notebook                     how a notebook begins
       widgets                      panels for notebooks, thin as the command line
    8  report                       one self-contained HTML file from a run
    7  player                       clips in step: one ES module and the JSON it reads
       calibration > analysis       what the metrics are worth; tidy tables, figures
    6  runs                         the ledger, the runner, executors
    5  sweeps                       factors -> trials -> takes; the plan with its price
    4  measures > metrics           the record of what was measured on a clip; what scores it
       backends                     who makes clips
       emulator                     a paid service on loopback
    3  render                       the deterministic artist
    2  clips > takes > shots > prompts, elements > stills > findings     the nouns
    1  vision > media               pixels: the only room that opens image or video bytes is media
    0  settings, files, samples, units, errors

The public names below load their room when they are first used, so `import lab` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lab.analysis import Results as Results
    from lab.analysis import load as load
    from lab.analysis import suggest_next as suggest_next
    from lab.backends import open_backend as open_backend
    from lab.calibration import load_card as load_card
    from lab.media import contact_sheet as contact_sheet
    from lab.metrics import explain as explain
    from lab.notebook import start_notebook as start_notebook
    from lab.prompts import Prompt as Prompt
    from lab.prompts import lint as lint
    from lab.prompts import vary as vary
    from lab.report import export_notebook as export_notebook
    from lab.report import write_report as write_report
    from lab.runs import create as create
    from lab.runs import delete_element as delete_element
    from lab.runs import list_elements as list_elements
    from lab.runs import measure as measure
    from lab.runs import plan as plan
    from lab.runs import reconcile as reconcile
    from lab.runs import recover as recover
    from lab.runs import register_element as register_element
    from lab.runs import run as run
    from lab.runs import score as score
    from lab.runs import shoot as shoot
    from lab.shots import Shot as Shot
    from lab.shots import ShotSettings as ShotSettings
    from lab.stills import Still as Still
    from lab.stills import fit as fit
    from lab.stills import near_duplicates as near_duplicates
    from lab.stills import preflight as preflight
    from lab.sweeps import Sweep as Sweep
    from lab.widgets import Player as Player
    from lab.widgets import PromptPanel as PromptPanel
    from lab.widgets import ResultsPanel as ResultsPanel
    from lab.widgets import StillPanel as StillPanel
    from lab.widgets import SweepPanel as SweepPanel

_ROOM_OF = {
    "Player": "lab.widgets",
    "Prompt": "lab.prompts",
    "PromptPanel": "lab.widgets",
    "Results": "lab.analysis",
    "ResultsPanel": "lab.widgets",
    "Shot": "lab.shots",
    "ShotSettings": "lab.shots",
    "Still": "lab.stills",
    "StillPanel": "lab.widgets",
    "Sweep": "lab.sweeps",
    "SweepPanel": "lab.widgets",
    "contact_sheet": "lab.media",
    "create": "lab.runs",
    "delete_element": "lab.runs",
    "explain": "lab.metrics",
    "export_notebook": "lab.report",
    "fit": "lab.stills",
    "lint": "lab.prompts",
    "list_elements": "lab.runs",
    "load": "lab.analysis",
    "load_card": "lab.calibration",
    "measure": "lab.runs",
    "near_duplicates": "lab.stills",
    "open_backend": "lab.backends",
    "plan": "lab.runs",
    "preflight": "lab.stills",
    "reconcile": "lab.runs",
    "recover": "lab.runs",
    "register_element": "lab.runs",
    "run": "lab.runs",
    "score": "lab.runs",
    "shoot": "lab.runs",
    "start_notebook": "lab.notebook",
    "suggest_next": "lab.analysis",
    "vary": "lab.prompts",
    "write_report": "lab.report",
}
__all__ = sorted(_ROOM_OF)


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
