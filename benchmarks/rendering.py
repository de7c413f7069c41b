"""Time to render and encode a take, relative to the clip's duration."""

import statistics
import time
from pathlib import Path

from lab.backends import open_backend
from lab.prompts import Prompt
from lab.shots import Shot, ShotSettings
from lab.stills import Still
from lab.takes import Take

_STILL = Path(__file__).resolve().parents[1] / "data" / "stills" / "coffee.jpg"
_PROMPTS = ("slow push-in", "slow orbit right; steam rises", "handheld; leaves sway")
_SECONDS = 4.0


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Median wall time per take divided by the clip's duration, with and without defects."""
    still = Still.open(_STILL)
    seconds = 0.25 if smoke else _SECONDS
    backend = open_backend("offline")
    rows = []
    for flaws in (1.0, 0.0):
        ratios = []
        for prompt in (_PROMPTS[0], *_PROMPTS[: 1 if smoke else None]):  # the first warms up
            settings = ShotSettings(duration_s=seconds, options=(("flaws", flaws),))
            take = Take(Shot(still, Prompt.from_text(prompt), settings), "offline")
            start = time.perf_counter()
            backend.fetch(backend.submit(take, take.id), folder / "clip.mp4")
            ratios.append((time.perf_counter() - start) / seconds)
        ratio = statistics.median(ratios[1:])
        name = f"720p 24 fps rendering / real time, flaws {flaws:g}"
        rows.append((name, f"{ratio:.2f}", "<= 1"))
    return rows
