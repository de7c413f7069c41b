"""Entries of a sweep document become levels."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.media import write_image
from lab.prompts import Prompt, Segment, vary
from tests.sweeps.building import PAN, PUSH, build_sweep, problems_of


def test_lists_of_terms_are_crossed(folder: Path) -> None:
    """Terms of different kinds are crossed; a + joins two terms of one kind."""
    sweep = build_sweep(
        folder,
        prompts=[{"camera": ["pan_left", "push_in+tilt_up"], "pace": ["slow", "fast"]}],
    )
    built = {(trial.factors["camera"], trial.factors["pace"]) for trial in sweep.trials()}
    assert built == {
        (camera, pace) for camera in ("pan_left", "push_in+tilt_up") for pace in ("slow", "fast")
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stills": ["gone.jpg"]}, "stills[0]: "),
        ({"stills": ["~nobody-of-that-name/a.jpg"]}, "stills[0]: '~nobody"),
        ({"stills": ["a\0.jpg"]}, "is not a path"),
        ({"stills": ["*.png"]}, "stills[0]: '*.png' matches no file"),
        ({"prompts": [{"camera": "pan_lift"}]}, "did you mean 'pan_left'?"),
        ({"prompts": [PAN, "  pan   left "]}, "prompts[1]: has the same text as prompts[0]"),
        (
            {"prompts": [{"text": PAN, "name": "x"}, {"text": PUSH, "name": "x"}]},
            "prompts[1]: has the same name as prompts[0]: 'x'; rename one",
        ),
        ({"prompts": ["   "]}, "prompts[0]: the prompt is empty"),
        ({"backend": "offlin"}, "did you mean 'offline'?"),
        ({"settings": {"flaw": 1}}, "settings.flaw: no such setting; did you mean 'flaws'?"),
        (
            {"backend": "kling", "settings": {"negative_prompt": "blur"}},
            "settings.negative_prompt: kling: the new protocol has no such field",
        ),
        ({"settings": {"durations": 1}}, "did you mean 'duration_s'?"),
        ({"settings": {"seed": [1, 1]}}, "settings.seed: [1, 1] lists a level twice"),
        ({"settings": {"duration_s": [2, 2.0]}}, "lists a level twice"),
        ({"zip": [["prompt", "sead"]]}, "did you mean 'seed'?"),
        ({"zip": [["prompt", "prompt"]]}, "zip[0]: 'prompt' is zipped twice"),
        (
            {"zip": [["prompt", "seed"]], "settings": {"seed": [1, 2]}},
            "the same number of levels, but prompt has 1, seed has 2",
        ),
    ],
)
def test_a_wrong_design_is_refused(folder: Path, fields: dict[str, Any], message: str) -> None:
    """A mistake is one line that names its field and what is accepted."""
    (line,) = problems_of(folder, **fields)
    assert line.startswith("sweep: ")
    assert message in line


def test_all_mistakes_of_the_design_are_reported_together(folder: Path) -> None:
    """A missing still, an unknown term and an unknown setting give three lines."""
    fields = {"prompts": [{"camera": "no_such"}], "settings": {"flaw": 1}}
    assert len(problems_of(folder, stills=["gone.jpg"], **fields)) == 3


def test_the_same_picture_twice_is_refused(folder: Path) -> None:
    """A copy of a still under another name is not a second level."""
    shutil.copy(folder / "a.jpg", folder / "copy.jpg")
    (line,) = problems_of(folder, stills=["a.jpg", "copy.jpg"])
    assert "is the same picture as" in line


def test_two_stills_of_one_name_are_refused(folder: Path, photo: Any) -> None:
    """Tables identify stills by name, so two pictures need two names."""
    write_image(folder / "a.png", photo[:, ::-1])
    (line,) = problems_of(folder, stills=["a.jpg", "a.png"])
    assert "has the same name as" in line


def test_names_that_look_alike_are_the_same_name(folder: Path) -> None:
    """A composed and a decomposed accent look the same in tables, so they are refused."""
    (folder / "a.jpg").rename(folder / "caf\u00e9.jpg")
    (folder / "b.jpg").rename(folder / "cafe\u0301.jpg")
    (line,) = problems_of(folder, stills=["*.jpg"])
    assert "has the same name as" in line


def test_cuts_and_sound_come_from_the_file(folder: Path) -> None:
    """Segments become a prompt with cuts; sound accepts on and off."""
    segments = [{"text": PUSH, "duration_s": 2}, {"text": PAN, "duration_s": 3}]
    sweep = build_sweep(
        folder,
        prompts=[{"name": "cut", "multi_shot": segments}],
        settings={"sound": ["on", "off"], "duration_s": 5},
    )
    assert [trial.shot.settings.sound for trial in sweep.trials()] == [True, False]
    assert [part.duration_s for part in sweep.trials()[0].shot.prompt.multi_shot] == [2, 3]
    (problem,) = problems_of(folder, prompts=[{"text": PAN, "multi_shot": segments}])
    assert "more than one of text, terms and multi_shot" in problem


def test_prompt_objects_are_accepted(folder: Path) -> None:
    """Variants, written prompts and prompts with cuts keep their names."""
    prompts = [
        *vary(Prompt.of("push_in", "steam_rises", pace="slow"), "camera", ["lock_off"]),
        Prompt.cut([Segment("push in", 2), Segment("pan left", 3)], "two shots"),
    ]
    sweep = build_sweep(folder, prompts=prompts)
    levels = [level for level in sweep.levels["prompt"] if isinstance(level, Prompt)]
    assert [level.label for level in levels] == [prompt.label for prompt in prompts]
    assert [level.text for level in levels] == [prompt.text for prompt in prompts]
    assert levels[-1].multi_shot == prompts[-1].multi_shot
