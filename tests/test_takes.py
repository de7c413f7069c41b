"""Takes and their ids."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.prompts import Prompt
from lab.shots import Shot, ShotSettings
from lab.stills import Still
from lab.takes import Take
from tests.tiers import examples

STILL = Still(Path("a.png"), "0" * 64, 600, 400)
SHOT = Shot(STILL, Prompt.of("push_in", pace="slow", name="p"), ShotSettings(seed=7))
TAKE = Take(SHOT, "offline", 1)


@given(
    prompt=st.text(min_size=1, max_size=60).filter(lambda text: text.split()).map(Prompt.from_text),
    backend=st.text(max_size=12),
    repeat=st.integers(1, 100),
    seed=st.none() | st.integers(0, 2**31),
)
def test_a_take_survives_a_trip_through_json(
    prompt: Prompt, backend: str, repeat: int, seed: int | None
) -> None:
    """A take written as JSON text and read back is equal and has the same id."""
    take = Take(Shot(STILL, prompt, ShotSettings(seed=seed)), backend, repeat)
    back = Take.from_json(json.loads(json.dumps(take.to_json())))
    assert back == take
    assert back.id == take.id
    assert back.noise_seed == take.noise_seed


def test_a_take_has_the_same_id_in_every_process(coffee: Still) -> None:
    """Another process, with another hash seed, computes the same id from the same content."""
    take = Take(
        Shot(coffee, Prompt.of("orbit_left", "steam_rises"), ShotSettings(options=(("b", 1),))),
        "offline",
        2,
    )
    program = "import json, sys; from lab.takes import Take; "
    program += "print(Take.from_json(json.load(sys.stdin)).id)"
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(take.to_json()),
            env={"PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == take.id


def test_an_id_is_twelve_hex_digits() -> None:
    """An id is short and safe in a file name."""
    assert len(TAKE.id) == 12
    assert set(TAKE.id) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "renamed",
    [
        replace(SHOT, still=STILL.at(Path("/other/name.png"))),
        replace(SHOT, prompt=replace(SHOT.prompt, name="another")),
    ],
    ids=["still", "prompt"],
)
def test_renaming_keeps_the_id(renamed: Shot) -> None:
    """Renaming a still's file or a prompt buys nothing again."""
    assert replace(TAKE, shot=renamed).id == TAKE.id


@pytest.mark.parametrize(
    "setting",
    [
        {"duration_s": 6},
        {"aspect_ratio": "9:16"},
        {"resolution": "1080p"},
        {"fps": 30},
        {"seed": 8},
        {"seed": None},
        {"options": (("mode", "pro"),)},
    ],
    ids=lambda setting: "-".join(map(str, *setting.items())),
)
def test_any_setting_changes_the_id(setting: dict[str, object]) -> None:
    """A take with another setting is another take."""
    changed = replace(SHOT, settings=replace(SHOT.settings, **setting))
    assert replace(TAKE, shot=changed).id != TAKE.id


@pytest.mark.parametrize(
    "other",
    [
        replace(TAKE, repeat=2),
        replace(TAKE, backend="kling"),
        replace(TAKE, shot=replace(SHOT, still=replace(STILL, sha256="1" * 64))),
        replace(TAKE, shot=replace(SHOT, prompt=Prompt.of("pull_out", pace="slow"))),
    ],
    ids=["repeat", "backend", "still", "prompt"],
)
def test_repeat_backend_pixels_and_words_change_the_id(other: Take) -> None:
    """A take with another repeat, backend, still or prompt is another take."""
    assert other.id != TAKE.id


def test_with_a_seed_all_prompts_share_randomness() -> None:
    """With a seed, randomness depends on seed and repeat only, so comparisons are paired."""
    other = replace(TAKE, shot=replace(SHOT, prompt=Prompt.of("pull_out")))
    assert other.noise_seed == TAKE.noise_seed
    assert replace(TAKE, repeat=2).noise_seed != TAKE.noise_seed


@settings(max_examples=examples(20))
@given(st.integers(1, 50), st.integers(1, 50))
def test_without_a_seed_each_take_has_its_own_randomness(one: int, other: int) -> None:
    """Without a seed, two takes share randomness only if they are the same take."""
    free = replace(SHOT, settings=ShotSettings())
    lucks = {Take(free, "offline", repeat).noise_seed for repeat in (one, other)}
    assert len(lucks) == len({one, other})
