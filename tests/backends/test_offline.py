"""Offline clips are deterministic, labelled, and worse where models are worse."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.backends.offline import OfflineBackend
from lab.backends.offline.defects import defects_of
from lab.clips import Clip
from lab.errors import WeightsError
from lab.files import sha256_file
from lab.metrics import measure
from lab.metrics.flicker import Flicker
from lab.metrics.warp import Warp
from lab.takes import Take
from lab.units import RATIOS
from lab.vision import weight_path

TakeOf = Callable[..., Take]
backend = OfflineBackend()


def _made(take: Take, path: Path) -> Path:
    backend.fetch(backend.submit(take, "key"), path)
    return path


def test_the_same_take_is_the_same_file(take_of: TakeOf, tmp_path: Path) -> None:
    """The same take gives the same bytes, and another repeat gives others."""
    first, again, other = (
        sha256_file(_made(take_of("make it move", repeat=repeat), tmp_path / f"{n}.mp4"))
        for n, repeat in enumerate((1, 1, 2))
    )
    assert first == again
    assert first != other


def test_a_vague_prompt_with_flaws_is_worse(take_of: TakeOf, tmp_path: Path) -> None:
    """Strength 0 renders a clean clip; strength 1 flickers and warps visibly more."""
    clean, flawed = (
        measure(
            _made(_with(take_of, flaws), path),
            None,
            [Flicker(), Warp()],
        )
        for flaws, path in ((0, tmp_path / "0.mp4"), (1, tmp_path / "1.mp4"))
    )
    for name in ("flicker", "warp"):
        assert flawed.value(name) > 3 * clean.value(name)


def _with(take_of: TakeOf, flaws: float) -> Take:
    return take_of("make it move", duration_s=0.75, options=(("flaws", flaws),))


def test_flaws_follow_the_craft(take_of: TakeOf) -> None:
    """With the same seed, a vague or crowded prompt has more flaws than a calm one; 0 is clean."""
    calm, vague, crowded = (
        defects_of(take_of(prompt).shot, 1.0, 5)
        for prompt in (
            "slow push in",
            "make it move",
            "fast orbit while the camera tilts up; turns head",
        )
    )
    for worse in (vague, crowded):
        assert worse.flicker_dn > calm.flicker_dn > 0
        assert worse.drift_de > calm.drift_de > 0
        assert worse.warp_permille > calm.warp_permille > 0
    assert defects_of(take_of("make it move").shot, 0.0, 5).is_clean


def test_random_factors_are_paired_by_seed(take_of: TakeOf) -> None:
    """With a seed, two prompts get the same random factors at the same repeat."""
    takes = [take_of(prompt) for prompt in ("pan left", "pan right")]
    assert takes[0].id != takes[1].id
    assert takes[0].noise_seed == takes[1].noise_seed


def test_what_was_honoured_is_written_down(take_of: TakeOf, tmp_path: Path) -> None:
    """Rendered terms are listed as honoured, the others with a reason."""
    take = take_of("slow push in, cinematic; steam rises; turns head")
    fetched = backend.fetch(backend.submit(take, "key"), tmp_path / "clip.mp4")
    assert set(fetched.honoured) == {"push_in", "slow", "steam_rises"}
    assert dict(fetched.not_honoured).keys() == {"cinematic", "turns_head"}
    assert all(why for _, why in fetched.not_honoured)
    assert {item.value for item in backend.limits(take.shot)} == {"cinematic", "turns_head"}
    assert not any(item.blocking for item in backend.limits(take.shot))


@pytest.mark.parametrize(
    ("ratio", "resolution"),
    [*((ratio, "720p") for ratio in RATIOS), ("1:1", "1080p"), ("1:1", "4k")],
)
def test_every_size_comes_out(take_of: TakeOf, tmp_path: Path, ratio: str, resolution: str) -> None:
    """Each ratio and resolution gives frames of its size."""
    take = take_of(duration_s=0.1, aspect_ratio=ratio, resolution=resolution)
    clip = Clip.open(_made(take, tmp_path / "clip.mp4"))
    width, height = take.shot.settings.size_px
    assert (clip.facts.width_px, clip.facts.height_px) == (width, height)
    assert width / height == pytest.approx(float(RATIOS[ratio]), rel=0.005)
    assert min(width, height) == int({"4k": "2160"}.get(resolution, resolution.rstrip("p")))


def test_every_clip_says_that_it_is_simulated(take_of: TakeOf, tmp_path: Path) -> None:
    """The file's comment and the fetch result say so, with the strength of the flaws."""
    path = tmp_path / "clip.mp4"
    fetched = backend.fetch(backend.submit(_with(take_of, 0.5), "key"), path)
    clip = Clip.open(path)
    assert clip.simulated
    assert "simulated" in clip.facts.comment
    assert "flaws 0.5" in clip.facts.comment
    assert any(note.startswith("simulated") for note in fetched.notes)
    assert backend.capabilities.simulated


def test_without_weights_the_note_says_what_stood_in(
    take_of: TakeOf, tmp_path: Path, offline: Path
) -> None:
    """If the subject cannot be segmented, the clip uses the centre and a note says so."""
    with pytest.raises(WeightsError):
        weight_path("u2netp")
    fetched = backend.fetch(backend.submit(take_of(), "key"), tmp_path / "clip.mp4")
    assert any("centre prior" in note and "I2VLAB_FETCH_WEIGHTS" in note for note in fetched.notes)


def test_it_costs_nothing(take_of: TakeOf) -> None:
    """Quoted and charged at 0 USD."""
    take = take_of()
    job = backend.submit(take, "key")
    assert backend.quote(take.shot).high_usd == 0
    assert backend.poll([job])[job.id].cost_usd == 0
