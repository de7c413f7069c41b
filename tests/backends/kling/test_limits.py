"""Everything that a model or protocol cannot do is rejected before paying, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.backends import unsupported
from lab.backends.kling import Account, KlingBackend, load_catalogue
from lab.backends.kling.limits import unsupported_settings
from lab.media import write_image
from lab.prompts import Prompt
from lab.prompts.prompt import Segment
from lab.shots import Shot
from lab.stills import Still
from lab.takes import Take

TakeWith = Callable[..., Take]
TURBO, OMNI, OLD, OLDER = "kling-3.0-turbo", "kling-3.0-omni", "kling-2.6", "kling-2.5-turbo"


def _blocking(shot: Shot, protocol: Any = "new") -> list[str]:
    return [
        item.setting
        for item in unsupported_settings(shot, load_catalogue(), protocol)
        if item.blocking
    ]


@pytest.fixture
def still_of(tmp_path: Path) -> Callable[[int, int], Still]:
    """A grey still of any size."""

    def write(width: int, height: int) -> Still:
        path = tmp_path / f"{width}x{height}.png"
        write_image(path, np.full((height, width, 3), 128, np.uint8))
        return Still.open(path)

    return write


@pytest.mark.parametrize(
    ("model", "changed", "settings"),
    [
        *((model, {}, []) for model in ("kling-3.0", OMNI, OLD, OLDER)),
        ("kling-3.0", {"duration_s": 3, "resolution": "4k", "sound": True}, []),
        ("kling-3.0", {"duration_s": 15}, []),
        (TURBO, {}, ["sound"]),
        (TURBO, {"sound": True}, []),
        (TURBO, {"sound": True, "resolution": "4k"}, ["resolution"]),
        (TURBO, {"sound": True, "end": True}, ["end_still"]),
        (TURBO, {"sound": True, "elements": (("a", "1"),), "prompt": "@a"}, ["elements"]),
        (OLD, {"duration_s": 7}, ["duration_s"]),
        (OLD, {"duration_s": 10}, []),
        (OLD, {"resolution": "4k"}, ["resolution"]),
        (OLD, {"sound": True}, ["sound"]),
        (OLD, {"sound": True, "resolution": "1080p"}, []),
        (OLD, {"end": True}, ["end_still"]),
        (OLD, {"end": True, "resolution": "1080p"}, []),
        (OLD, {"end": True, "resolution": "1080p", "sound": True}, ["end_still"]),
        (OLDER, {"sound": True, "resolution": "1080p"}, ["sound"]),
        (OLDER, {"end": True}, ["end_still"]),
        (OLDER, {"end": True, "resolution": "1080p"}, []),
        (OMNI, {"end": True, "sound": True}, []),
        ("kling-3.0", {"end": True, "still": None}, ["end_still"]),
        ("kling-3.0", {"still": None, "aspect_ratio": "4:3"}, ["aspect_ratio"]),
        ("kling-3.0", {"still": None, "aspect_ratio": "1:1"}, []),
        ("kling-3.0", {"still": None, "elements": (("a", "1"),), "prompt": "@a"}, ["elements"]),
        (OMNI, {"still": None, "elements": (("a", "1"),), "prompt": "@a"}, []),
    ],
)
def test_each_model(
    take_with: TakeWith, coffee: Still, model: str, changed: dict[str, Any], settings: list[str]
) -> None:
    """The rows of the capability map of 2026-05-19."""
    prompt = changed.pop("prompt", "slow push in")
    if changed.pop("end", False):
        changed["end_still"] = coffee
    assert _blocking(take_with(prompt, model=model, **changed).shot) == settings


class TestProtocols:
    """What only one of the protocols can do."""

    def test_turbo_is_new(self, take_with: TakeWith) -> None:
        """The legacy protocol does not have it, and the reason says what to set."""
        shot = take_with(model=TURBO, sound=True).shot
        (item,) = [
            each for each in unsupported_settings(shot, load_catalogue(), "legacy") if each.blocking
        ]
        assert (item.setting, "KLING_PROTOCOL=new" in item.reason) == ("model", True)

    @pytest.mark.parametrize(("length", "protocol"), [(2501, "legacy"), (2900, "legacy")])
    def test_long_prompts(self, take_with: TakeWith, length: int, protocol: str) -> None:
        """2500 characters in the legacy protocol, 3072 in the new one."""
        shot = take_with("word " * (length // 5) + "x" * (length % 5 or 5)).shot
        assert _blocking(shot) == []
        assert _blocking(shot, protocol) == ["prompt"]

    def test_cuts_and_pictures(self, take_with: TakeWith, coffee: Still) -> None:
        """The legacy protocol's documents contradict each other here."""
        prompt = Prompt.cut([Segment("push in", 2), Segment("pan right", 3)])
        remarks = [
            each.setting
            for each in unsupported_settings(take_with(prompt).shot, load_catalogue(), "legacy")
        ]
        assert "multi_shot" in remarks
        assert _blocking(take_with(prompt).shot, "legacy") == []
        assert _blocking(take_with(prompt, end_still=coffee).shot, "legacy") == ["end_still"]
        assert _blocking(take_with(prompt, end_still=coffee).shot) == []
        assert _blocking(take_with(prompt, model=OMNI).shot, "legacy") == ["multi_shot"]
        assert _blocking(take_with(prompt, model=OMNI).shot) == []
        assert _blocking(take_with(prompt, model=OMNI, still=None).shot, "legacy") == []


class TestCuts:
    """Clips with cuts."""

    @pytest.mark.parametrize(
        ("parts", "blocks"),
        [
            ([("a", 2), ("b", 3)], 0),
            ([("a", 1)] * 4 + [("b", 1)], 0),
            ([("a", 1)] * 7, 1),
            ([("a", 2.5), ("b", 2.5)], 2),
            ([("a", 0.5), ("b", 4.5)], 2),
            ([("a" * 513, 2), ("b", 3)], 1),
        ],
    )
    def test_their_bounds(
        self, take_with: TakeWith, parts: list[tuple[str, float]], blocks: int
    ) -> None:
        """At most six shots, of whole seconds and at most 512 characters each."""
        prompt = Prompt.cut([Segment(*part) for part in parts])
        assert _blocking(take_with(prompt).shot) == ["multi_shot"] * blocks

    def test_models_without(self, take_with: TakeWith) -> None:
        """Only 3.0 and omni make cuts."""
        prompt = Prompt.cut([Segment("a", 2), Segment("b", 3)])
        assert _blocking(take_with(prompt, model=OMNI).shot) == []
        assert _blocking(take_with(prompt, model=OLD).shot) == ["multi_shot"]

    def test_a_semicolon_is_mentioned(self, take_with: TakeWith) -> None:
        """It is sent as a comma, and the user is told."""
        prompt = Prompt.cut([Segment("a; b", 2), Segment("b", 3)])
        reasons = [
            each.reason
            for each in unsupported_settings(take_with(prompt).shot, load_catalogue(), "new")
        ]
        assert any("commas" in each for each in reasons)


class TestElements:
    """Elements mentioned by name."""

    @pytest.mark.parametrize(
        ("prompt", "names", "blocks"),
        [
            ("@hero waves", ["hero"], []),
            ("@hero and @cup and @dog", ["hero", "cup", "dog"], []),
            ("@a @b @c @d", ["a", "b", "c", "d"], ["elements"]),
            ("@hero and @heroine", ["hero", "heroine"], ["elements"]),
            ("@hero and @villain", ["hero"], ["prompt"]),
            ("@hero waves", [], ["prompt"]),
            ("write to me@example.com", [], []),
            ("@my-hero", ["my-hero"], ["elements", "prompt"]),
        ],
    )
    def test_names(
        self, take_with: TakeWith, prompt: str, names: list[str], blocks: list[str]
    ) -> None:
        """At most three; no name is part of another; every mentioned name is declared."""
        elements = tuple((name, f"id-{name}") for name in names)
        assert _blocking(take_with(prompt, elements=elements).shot)[: len(blocks)] == blocks
        assert bool(_blocking(take_with(prompt, elements=elements).shot)) == bool(blocks)

    def test_an_element_without_mention(self, take_with: TakeWith) -> None:
        """An element that the prompt does not mention is reported but does not block."""
        items = unsupported_settings(
            take_with(elements=(("hero", "1"),)).shot, load_catalogue(), "new"
        )
        assert [item.value for item in items if item.setting == "elements"] == ["hero"]
        assert not [item for item in items if item.blocking]

    @pytest.mark.parametrize("protocol", ["new", "legacy"])
    @pytest.mark.parametrize(
        ("count", "still", "end", "blocks"),
        [
            (3, True, False, []),
            (4, True, False, ["elements"]),
            (3, True, True, []),
            (4, True, True, ["elements"]),
            (7, False, False, []),
            (8, False, False, ["elements"]),
        ],
    )
    def test_omni_takes_fewer_with_a_first_frame(
        self,
        take_with: TakeWith,
        coffee: Still,
        protocol: str,
        count: int,
        still: bool,
        end: bool,
        blocks: list[str],
    ) -> None:
        """Three with a first frame, with or without a last frame; seven from text alone."""
        names = "abcdefgh"[:count]
        changed = {} if still else {"still": None}
        take = take_with(
            " ".join(f"@{name}" for name in names),
            model=OMNI,
            elements=tuple((name, name) for name in names),
            end_still=coffee if end else None,
            **changed,
        )
        assert _blocking(take.shot, protocol) == blocks

    def test_why_there_are_too_many(self, take_with: TakeWith) -> None:
        """The reason gives the number and says that the first frame limits it."""
        elements = tuple((name, name) for name in "abcd")
        take = take_with("@a @b @c @d", model=OMNI, elements=elements)
        (item,) = [
            each
            for each in unsupported_settings(take.shot, load_catalogue(), "new")
            if each.blocking
        ]
        assert "with a first frame this model supports at most 3" in item.reason


class TestRejectedSettings:
    """Settings that other tools have and no model here has."""

    @pytest.mark.parametrize(
        ("setting", "value", "advice"),
        [
            ("negative_prompt", "blur", "in the prompt"),
            ("cfg_scale", 0.5, "not for 2.5 and 2.6"),
            ("camera_control", "simple", "camera move in the prompt"),
            ("static_mask", "mask.png", "masks"),
            ("mode", "pro", "set resolution"),
            ("voice_id", "1", "voices"),
        ],
    )
    @pytest.mark.parametrize("model", list(load_catalogue().models))
    def test_each_is_refused_with_its_source(
        self, take_with: TakeWith, model: str, setting: str, value: Any, advice: str
    ) -> None:
        """One item says what to do instead, and its source."""
        shot = take_with(sound=model == TURBO).shot
        options = tuple(sorted({"model": model, setting: value}.items()))
        shot = replace(shot, settings=replace(shot.settings, options=options))
        (item,) = [
            item for item in unsupported(KlingBackend(account=Account()), shot) if item.blocking
        ]
        assert item.setting == setting
        assert advice in item.reason
        assert "https://kling.ai/document-api/" in item.reason
        assert "2026-" in item.reason

    def test_what_nobody_knows_is_refused_in_general(self, take_with: TakeWith) -> None:
        """For an unknown name the existing settings are listed."""
        shot = take_with().shot
        shot = replace(shot, settings=replace(shot.settings, options=(("sed", 1),)))
        (item,) = [
            item for item in unsupported(KlingBackend(account=Account()), shot) if item.blocking
        ]
        assert item.reason == "this backend has no such setting; it has model"


class TestPictures:
    """Limits of a still, checked without opening it."""

    @pytest.mark.parametrize(
        ("size", "ratio", "blocks"),
        [
            ((600, 400), "16:9", 0),
            ((600, 400), "9:16", 1),
            ((533, 300), "16:9", 0),
            ((500, 281), "16:9", 1),
            ((300, 300), "1:1", 0),
            ((299, 299), "1:1", 1),
        ],
    )
    def test_their_size_after_the_cut(
        self,
        take_with: TakeWith,
        still_of: Callable[..., Still],
        size: tuple[int, int],
        ratio: str,
        blocks: int,
    ) -> None:
        """Under 300 px a side, a job would fail after it was submitted."""
        shot = take_with(still=still_of(*size), aspect_ratio=ratio).shot
        assert _blocking(shot) == ["still"] * blocks

    def test_cropping_is_reported(
        self, take_with: TakeWith, still_of: Callable[..., Still]
    ) -> None:
        """Cropping is reported; a ratio within one per cent is not cropped."""
        cut = unsupported_settings(
            take_with(still=still_of(600, 400)).shot, load_catalogue(), "new"
        )
        assert [(item.setting, item.blocking) for item in cut] == [("still", False)]
        assert "592x333 px" in cut[0].reason
        assert (
            unsupported_settings(take_with(still=still_of(1280, 724)).shot, load_catalogue(), "new")
            == ()
        )

    def test_a_last_frame_is_held_to_the_same(
        self, take_with: TakeWith, still_of: Callable[..., Still]
    ) -> None:
        """The same limits hold for end_still."""
        shot = take_with(still=still_of(640, 360), end_still=still_of(320, 180)).shot
        assert _blocking(shot) == ["end_still"]


class TestStills:
    """Stills made from text."""

    @pytest.mark.parametrize(
        ("changed", "blocks"),
        [
            ({}, []),
            ({"resolution": "1080p", "aspect_ratio": "4:3"}, []),
            ({"resolution": "4k"}, ["resolution"]),
            ({"elements": (("a", "1"),)}, ["elements"]),
        ],
    )
    def test_their_bounds(
        self, take_with: TakeWith, changed: dict[str, Any], blocks: list[str]
    ) -> None:
        """Two resolutions, every ratio, no elements."""
        assert _blocking(take_with(still=None, makes="still", **changed).shot) == blocks

    def test_they_are_made_from_text(self, take_with: TakeWith) -> None:
        """A given still is rejected, because it would be ignored."""
        assert _blocking(take_with(makes="still").shot) == ["still"]


@pytest.mark.parametrize("model", list(load_catalogue().models))
def test_the_general_check_agrees(take_with: TakeWith, model: str) -> None:
    """A plain shot of any model passes, and a length that no model makes is named once."""
    backend = KlingBackend(account=Account())
    take = take_with(model=model, sound=model == TURBO)
    assert not [item for item in unsupported(backend, take.shot) if item.blocking]
    take = take_with(model=model, sound=model == TURBO, duration_s=30)
    (item,) = [item for item in unsupported(backend, take.shot) if item.blocking]
    assert item.setting == "duration_s"
    take = take_with(model="kling-9", duration_s=5)
    (item,) = [item for item in unsupported(backend, take.shot) if item.blocking]
    assert item.setting == "model"
