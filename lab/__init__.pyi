# The one list of public names, by room. `lab/__init__.py` imports each when it is first used;
# type checkers and editors read them here.

from .analysis import Comparison as Comparison
from .analysis import Results as Results
from .analysis import compare as compare
from .analysis import load as load
from .analysis import suggest_next as suggest_next
from .backends import open_backend as open_backend
from .calibration import calibrate as calibrate
from .calibration import calibrate_moves as calibrate_moves
from .calibration import load_card as load_card
from .media import contact_sheet as contact_sheet
from .metrics import explain as explain
from .notebook import start_notebook as start_notebook
from .prompts import Prompt as Prompt
from .prompts import lint as lint
from .prompts import vary as vary
from .report import export_notebook as export_notebook
from .report import verify as verify
from .report import write_report as write_report
from .runs import create as create
from .runs import delete_element as delete_element
from .runs import list_elements as list_elements
from .runs import measure as measure
from .runs import plan as plan
from .runs import reconcile as reconcile
from .runs import recover as recover
from .runs import register_element as register_element
from .runs import run as run
from .runs import score as score
from .runs import shoot as shoot
from .runs import status as status
from .samples import sample_path as sample_path
from .shots import Shot as Shot
from .shots import ShotSettings as ShotSettings
from .stills import Still as Still
from .stills import fit as fit
from .stills import near_duplicates as near_duplicates
from .stills import preflight as preflight
from .sweeps import Sweep as Sweep
from .widgets import Player as Player
from .widgets import PromptPanel as PromptPanel
from .widgets import ResultsPanel as ResultsPanel
from .widgets import StillPanel as StillPanel
from .widgets import SweepPanel as SweepPanel

__version__: str
__all__: list[str]
