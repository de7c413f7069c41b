"""Probes: which clips are measured, and what a row holds."""

import json
from concurrent.futures import Executor
from dataclasses import replace

import pytest

from lab.calibration import DEFECTS, NUISANCES
from lab.calibration.clean_clips import Source, photographs, sources
from lab.calibration.measuring import chunks
from lab.calibration.probes import Probe, measure_probe, measure_probes, probes
from lab.metrics import SPECS


@pytest.fixture
def found() -> list[Source]:
    """Four photographs under a move each."""
    return sources(photographs(None)[:4], None, moves_each=1)


@pytest.mark.parametrize(("quick", "strengths"), [(True, 1), (False, 5)])
def test_every_source_is_clean_changed_and_spoiled(
    quick: bool, strengths: int, found: list[Source]
) -> None:
    """One clean clip, each nuisance, each defect at each strength; held out only at the end."""
    made = probes(found, quick=quick)
    for source in found:
        here = [probe for probe in made if probe.source == source]
        names = [defect.name for defect in DEFECTS if source.final or not defect.held_out]
        assert [probe.kind for probe in here].count("clean") == 1
        assert [p.name for p in here if p.kind == "nuisance"] == [one.name for one in NUISANCES]
        spoiled = [probe for probe in here if probe.kind == "defect"]
        assert {probe.name for probe in spoiled} == set(names)
        assert len(spoiled) == strengths * len(names)
    assert len({probe.key for probe in made}) == len(made)


def test_a_quick_probe_is_one_of_the_full_ones(found: list[Source]) -> None:
    """What was measured quickly need not be measured again."""
    full = {probe.key for probe in probes(found, quick=False)}
    middle = probes(found, quick=True)
    assert {probe.key for probe in middle} < full
    for probe in middle:
        expected = {defect.name: defect.middle for defect in DEFECTS}.get(probe.name, 0)
        assert probe.strength == expected


def test_a_key_follows_what_is_in_the_clip(found: list[Source]) -> None:
    """Not the folder it is in, nor the half; but the move, the kind, the name and the strength."""
    probe = Probe(found[0], "defect", "jelly", 1)
    elsewhere = replace(found[0], path=found[0].path.relative_to("/"), final=True)
    assert replace(probe, source=elsewhere).key == probe.key
    others = [
        replace(probe, strength_index=2),
        replace(probe, name="ripple"),
        replace(probe, kind="nuisance", name="mirrored"),
        replace(probe, source=replace(found[0], move="roll and crane")),
        replace(probe, source=found[1]),
    ]
    assert len({probe.key, *(other.key for other in others)}) == 6


def test_chunks_keep_the_order_and_never_mix_sources(found: list[Source]) -> None:
    """No longer than asked for, nothing lost; nothing gives nothing."""
    made = probes(found, quick=True)
    cut = list(chunks(made, size=5))
    assert [probe for chunk in cut for probe in chunk] == made
    assert all(len({probe.source for probe in chunk}) == 1 for chunk in cut)
    assert max(len(chunk) for chunk in cut) == 5
    assert list(chunks([])) == []


def test_a_row_is_plain_and_says_which_clip_it_is_of(tiny: Executor, found: list[Source]) -> None:
    """Every metric's value under what was made; the same again, whoever makes it."""
    probe = Probe(found[1], "defect", "global flicker", 4)
    row = measure_probe(probe)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    scores = row.pop("scores")
    assert list(scores) == list(SPECS)
    assert row == {
        "key": probe.key,
        "base": found[1].name,
        "group": "cat",
        "move": found[1].move,
        "final": True,
        "kind": "defect",
        "name": "global flicker",
        "place": 4,
        "strength": 8,
    }
    assert tiny.submit(measure_probes, [probe]).result()[0]["scores"] == scores


def test_spoiled_clips_differ_from_clean_ones_by_their_metric(
    tiny: Executor, found: list[Source]
) -> None:
    """The clean clip hardly flickers, the mirrored one neither, the spoiled one does."""
    made = [
        Probe(found[0], "clean", "clean"),
        Probe(found[0], "nuisance", "mirrored"),
        Probe(found[0], "defect", "global flicker", 4),
    ]
    clean, mirrored, spoiled = (row["scores"]["flicker.global"] for row in measure_probes(made))
    assert clean < 1
    assert mirrored == pytest.approx(clean, abs=0.3)
    assert spoiled > clean + 2
