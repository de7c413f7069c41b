"""Probes: the clips that are measured, and their rows."""

import json
from concurrent.futures import Executor
from dataclasses import replace

import pytest

from lab.calibration import DEFECTS, NUISANCES
from lab.calibration.clean_clips import Source, photographs, sources
from lab.calibration.probes import Probe, measure_probe, measure_probes, probes
from lab.metrics import SPECS


@pytest.fixture
def all_sources() -> list[Source]:
    """Four photographs under one move each."""
    return sources(photographs(None)[:4], None, moves_each=1)


@pytest.mark.parametrize(("quick", "strengths"), [(True, 1), (False, 5)])
def test_every_source_has_all_probes(
    quick: bool, strengths: int, all_sources: list[Source]
) -> None:
    """One clean clip, each nuisance, each defect at each strength; held-out ones in the final
    half.
    """
    made = probes(all_sources, quick=quick)
    for source in all_sources:
        own = [probe for probe in made if probe.source == source]
        names = [defect.name for defect in DEFECTS if source.final or not defect.held_out]
        assert [probe.kind for probe in own].count("clean") == 1
        assert [p.name for p in own if p.kind == "nuisance"] == [one.name for one in NUISANCES]
        defective = [probe for probe in own if probe.kind == "defect"]
        assert {probe.name for probe in defective} == set(names)
        assert len(defective) == strengths * len(names)
    assert len({probe.key for probe in made}) == len(made)


def test_a_quick_probe_is_one_of_the_full_ones(all_sources: list[Source]) -> None:
    """A full calibration reuses the rows of a quick one."""
    full = {probe.key for probe in probes(all_sources, quick=False)}
    middle = probes(all_sources, quick=True)
    assert {probe.key for probe in middle} < full
    for probe in middle:
        expected = {defect.name: defect.middle for defect in DEFECTS}.get(probe.name, 0)
        assert probe.strength == expected


def test_a_key_depends_on_the_content_of_the_clip(all_sources: list[Source]) -> None:
    """It depends on move, ground, kind, name and strength, not on the folder or the half."""
    probe = Probe(all_sources[0], "defect", "jelly", 1)
    elsewhere = replace(all_sources[0], path=all_sources[0].path.relative_to("/"), final=True)
    assert replace(probe, source=elsewhere).key == probe.key
    others = [
        replace(probe, strength_index=2),
        replace(probe, name="ripple"),
        replace(probe, kind="nuisance", name="mirrored"),
        replace(probe, source=replace(all_sources[0], move="roll and crane")),
        replace(probe, source=all_sources[1]),
        replace(probe, source=replace(all_sources[0], ground=all_sources[1].path)),
    ]
    assert len({probe.key, *(other.key for other in others)}) == 7


def test_a_row_is_plain_data_and_identifies_its_clip(
    tiny: Executor, all_sources: list[Source]
) -> None:
    """It has the values of all metrics and is the same in every worker."""
    probe = Probe(all_sources[1], "defect", "global flicker", 4)
    row = measure_probe(probe)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    scores = row.pop("scores")
    assert list(scores) == list(SPECS)
    assert row == {
        "key": probe.key,
        "base": all_sources[1].name,
        "group": "cat",
        "move": all_sources[1].move,
        "base_kinds": ["camera move"],
        "final": True,
        "kind": "defect",
        "name": "global flicker",
        "place": 4,
        "strength": 8,
    }
    assert tiny.submit(measure_probes, [probe]).result()[0]["scores"] == scores


def test_a_defect_raises_its_metric(tiny: Executor, all_sources: list[Source]) -> None:
    """Clean and mirrored clips hardly flicker; a clip with flicker does."""
    made = [
        Probe(all_sources[0], "clean", "clean"),
        Probe(all_sources[0], "nuisance", "mirrored"),
        Probe(all_sources[0], "defect", "global flicker", 4),
    ]
    clean, mirrored, defective = (row["scores"]["flicker.global"] for row in measure_probes(made))
    assert clean < 1
    assert mirrored == pytest.approx(clean, abs=0.3)
    assert defective > clean + 2
