"""The scores of a clip as people read them, and as other tools do."""

import json

from lab.measures import ClipRecord, headline_text, is_too_still, score_card, score_json
from lab.metrics import HEADLINES, SPECS


def _record(**scores: float | None) -> ClipRecord:
    """A clip whose every number is 1, but for these; what is None has the reason "too short"."""
    values: dict[str, float | None] = {**dict.fromkeys(SPECS, 1.0), "motion.still": 0.0}
    values |= {name.replace("_", "."): value for name, value in scores.items()}
    record: ClipRecord = {
        "clip": "a\nb.mp4",
        "clip_sha256": "0" * 64,
        "still": None,
        "simulated": True,
        "width_px": 320,
        "height_px": 180,
        "fps": 24.0,
        "frames": 2,
        "duration_s": 2 / 24,
        "scores": values,
        "reasons": {name: "too short" for name, value in values.items() if value is None},
        "units": {name: spec.unit for name, spec in SPECS.items()},
        "versions": {name: spec.version for name, spec in SPECS.items()},
        "confidence": {"drift": 0.9, "warp": 0.3},
        "notes": ["half of it is missing"],
        "series": {"flicker": {"0": 0.5, "1": 3.0}},
        "times_s": [0.0, 1 / 24],
        "boxes": {},
    }
    return record


def test_a_card_has_a_line_a_headline_and_the_notes() -> None:
    """Value, unit and whether anybody would notice; a name of the file stays in its line."""
    card = score_card(_record(flicker=50.0, drift=None))
    head, *lines = card.splitlines()
    assert head == "a\\nb.mp4 (320x180, 2 frames, 0.08 s)"
    assert [line.split()[0] for line in lines[: len(HEADLINES)]] == list(HEADLINES)
    assert "  flicker  50 8-bit code values" in lines
    assert "  drift    none: too short" in lines
    assert lines[-2:] == [
        "  note: half of it is missing",
        "  note: simulated, rendered locally without a model",
    ]


def test_a_value_that_nobody_notices_says_so() -> None:
    """The limit is the one that the metric's definition has."""
    limit = SPECS["flicker"].unnoticed
    assert headline_text(_record(flicker=limit), "flicker").endswith("(hardly noticeable)")
    assert "noticeable" not in headline_text(_record(flicker=2 * limit), "flicker")


def test_a_low_confidence_is_shown() -> None:
    """A value that can hardly be believed says how far; others do not."""
    assert headline_text(_record(warp=5.0), "warp").endswith(" (confidence 0.30)")
    assert "confidence" not in headline_text(_record(drift=50.0), "drift")


def test_a_clip_that_holds_still_is_named() -> None:
    """It scores well on everything else, which means nothing."""
    assert is_too_still(_record(motion_still=0.9))
    assert "too still to judge" in score_card(_record(motion_still=0.9))
    assert not is_too_still(_record(motion_still=None))


def test_the_worst_moments_are_shown_when_asked() -> None:
    """Every part of a headline, and when it was at its worst; as data too."""
    card = score_card(_record(), why=True)
    assert "    at its worst 3 8-bit code values at 0.04 s (frame 1)" in card.splitlines()
    assert any(line.strip().startswith("global ") for line in card.splitlines())
    plain = json.loads(json.dumps(score_json(_record(), why=True)))
    assert plain["worst"]["flicker"][0]["frame"] == 1
    assert "series" not in plain
