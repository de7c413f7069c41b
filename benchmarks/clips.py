"""Render the clips that the benchmarks measure."""

from pathlib import Path

from lab.media import write_clip
from lab.prompts import Prompt
from lab.render import Defects, Motion, Scene, render
from lab.stills import Still
from lab.vision import subject_mask

STILL = Path(__file__).resolve().parents[1] / "data" / "stills" / "astronaut.jpg"


def rendered_clip(
    folder: Path, resolution: str, *, fps: float, frames: int, repeats: int = 1
) -> Path:
    """A clip of the astronaut with mild defects, rendered once per folder.

    Each rendered frame appears `repeats` times.
    """
    path = folder / f"{resolution}-{fps:g}-{frames}-{repeats}.mp4"
    if not path.is_file():
        rgb = Still.open(STILL).rgb()
        scene = Scene.from_still(rgb, subject_mask(rgb), aspect_ratio="16:9", resolution=resolution)
        motion = Motion.from_prompt(Prompt.from_text("slow push-in; handrepeats"))
        distinct = render(
            scene, motion, frames=frames // repeats, fps=fps, defects=Defects(1, 3, 0.5)
        )
        write_clip(path, (frame.rgb for frame in distinct for _ in range(repeats)), fps=fps)
    return path
