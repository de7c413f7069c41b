"""What the checks of a still find in spoiled photographs, and what they find in good ones.

The whole table takes some minutes; it stands in docs/preflight.md, and the slow tier makes it anew.
In the quick one every fifth photograph stands for all, and a portrait for what needs the network.
"""

from pathlib import Path

import pytest

from tests.stills.validation import (
    REPOSITORY,
    Rate,
    composition,
    duplicates,
    photographs,
    quality,
    table,
)

SOME = photographs()[::5]
# Detection that a user may count on, and false alarms, below and above what was measured.
BOUNDS = {
    "soft": (1.0, 0.0),
    "noisy": (1.0, 0.0),
    "blocky": (0.8, 0.0),
    "enlarged": (1.0, 0.0),
    "overexposed": (0.4, 0.0),
    "underexposed": (0.2, 0.0),
    "subject_cut": (0.6, 0.0),
    "busy": (0.6, 0.0),
    "subject_small": (0.6, 0.0),
    "subject_large": (0.5, 0.0),
    "several_subjects": (0.5, 0.0),
    "headroom": (0.7, 0.0),
    "no_room": (0.6, 0.0),
    "near_duplicate": (1.0, 0.0),
}


def _holds(rate: Rate) -> None:
    detected, false = BOUNDS[rate.kind]
    assert rate.detection >= detected, rate
    assert rate.false_alarms <= false, rate


def test_spoiled_quality_is_found_and_good_photographs_pass(offline: Path, tmp_path: Path) -> None:
    """Blur, grain, compression, enlargement and clipping, without any network's weights."""
    for rate in quality(SOME, tmp_path):
        _holds(rate)


# The quick tier keeps every fifth photograph.
@pytest.mark.slow
@pytest.mark.usefixtures("subject_weights")
def test_a_portrait_has_every_fault_of_composition_once_it_is_spoiled(tmp_path: Path) -> None:
    """A subject cut, crowded, tiny, filling, doubled, without headroom or room; none before."""
    for rate in composition([REPOSITORY / "data" / "stills" / "astronaut.jpg"], tmp_path):
        assert (rate.found, rate.false) == (1, 0), rate


def test_copies_are_found_among_all_photographs(tmp_path: Path) -> None:
    """Every photograph's re-saved copy, and no two photographs."""
    _holds(duplicates(photographs(), tmp_path))


@pytest.mark.slow
@pytest.mark.usefixtures("subject_weights")
def test_the_committed_table_is_what_is_measured(tmp_path: Path) -> None:
    """docs/preflight.md holds the figures that this version gives."""
    every = photographs()
    rates = [
        *quality(every, tmp_path),
        *composition(every, tmp_path),
        duplicates(every, tmp_path),
    ]
    for rate in rates:
        _holds(rate)
    page = (REPOSITORY / "docs" / "preflight.md").read_text(encoding="utf-8")
    assert table(rates) in page
