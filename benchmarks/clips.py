"""Clips to measure on, rendered once into a folder."""

from pathlib import Path

from lab.media import write_clip
from lab.prompts import Prompt
from lab.render import Defects, Motion, Scene, render
from lab.stills import Still
from lab.vision import subject_mask

STILL = Path(__file__).resolve().parents[1] / "data" / "stills" / "astronaut.jpg"


def rendered(folder: Path, resolution: str, *, fps: float, frames: int, held: int = 1) -> Path:
    """A clip of the astronaut with mild flaws; each drawn frame is shown `held` times."""
    path = folder / f"{resolution}-{fps:g}-{frames}-{held}.mp4"
    if not path.is_file():
        rgb = Still.open(STILL).rgb()
        scene = Scene.from_still(rgb, subject_mask(rgb), aspect_ratio="16:9", resolution=resolution)
        motion = Motion.from_prompt(Prompt.written("slow push-in; handheld"))
        drawn = render(scene, motion, frames=frames // held, fps=fps, defects=Defects(1, 3, 0.5))
        write_clip(path, (frame.rgb for frame in drawn for _ in range(held)), fps=fps)
    return path
