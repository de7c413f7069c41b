"""How often a clip's known camera move is recognised."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.camera_moves import Labelled, main, read_labels, shares, verdicts
from lab.analysis.compliance import clip_compliance
from lab.calibration.agreement import Estimate
from lab.calibration.known_moves import load_known_moves
from lab.errors import InputError
from lab.media import write_clip
from lab.prompts import Prompt, Signature, vocabulary

TERMS = [name for name, term in vocabulary().items() if term.signature is not None]
STILL = dict.fromkeys(Signature.model_fields, 0.0)
Verdicts = Callable[..., dict[str, list[bool]]]


@pytest.fixture
def told() -> Verdicts:
    """The verdicts on a clip with that truth and those measured components."""

    def judge(truth: str, accept: str = "", **motion: float) -> dict[str, list[bool]]:
        scores = {f"motion.{name}": value for name, value in (STILL | motion).items()}
        judged = {name: clip_compliance(scores, Prompt.of(name))[0] for name in TERMS}
        terms = tuple(truth.split("|"))
        accepted = frozenset((*terms, *filter(None, accept.split("|"))))
        return verdicts(Labelled(Path("a.mp4"), None, terms, accepted, "a"), judged)

    return judge


def test_a_move_is_right_wrong_or_opposite(told: Verdicts) -> None:
    """A look-alike counts only where it is accepted; the opposite is counted by itself."""
    panned = told("pan_left", pan=-4.0)
    assert panned["moves"] == panned["moves, look-alikes count"] == [True]
    assert not any(panned["wrong moves that pass"])
    alike = told("truck_left", "pan_left", pan=-4.0)
    assert (alike["moves"], alike["moves, look-alikes count"]) == ([False], [True])
    opposite = told("pan_right", pan=-4.0)
    assert (opposite["moves"], opposite["opposite move"]) == ([False], [True])
    assert any(opposite["wrong moves that pass"])
    nearer = told("push_in", zoom=-2.0, approach=-8.0)
    assert nearer["opposite move"] == [True]


def test_static_and_handheld_have_rows_of_their_own(told: Verdicts) -> None:
    """A standing camera is right if it is seen held, a hand if it is seen unsteady."""
    assert told("static") == {"static": [True], "cannot tell": [False]}
    assert told("static", pan=3.0)["static"] == [False]
    assert told("handheld", sway=6.0)["handheld"] == [True]


def test_a_clip_that_cannot_be_judged_is_wrong(told: Verdicts) -> None:
    """It is counted as such, and as a move that was not recognised."""
    unknown = told("pan_left", **dict.fromkeys(STILL, float("nan")))
    assert unknown["cannot tell"] == [True]
    assert unknown["moves"] == [False]


def test_intervals_resample_scenes() -> None:
    """Clips of one scene count as one: ten of one and ten of another leave a wide interval."""
    mixed = [("one", {"moves": [True]})] * 10 + [("other", {"moves": [False]})] * 10
    (share,) = shares(mixed)
    assert share.estimate == Estimate(0.5, 0.0, 1.0)
    assert (share.judgements, share.scenes) == (20, 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clip\na.mp4\n", "no column 'truth'"),
        ("clip,truth\na.mp4,spin\n", "'spin' is no camera term"),
        ("clip,truth\na.mp4,pan_left|static\n", "static or handheld alone"),
        ("clip,truth\na.mp4,\n", "needs camera terms"),
        ("clip,truth\nb.mp4,static\n", "not a file"),
        ("clip,truth\na.mp4,static\na.mp4,static\n", "earlier line"),
        ("clip,truth\n", "no clips"),
    ],
)
def test_wrong_labels_are_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    """The file and the line are named."""
    (tmp_path / "a.mp4").touch()
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=why) as caught:
        read_labels(path, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_measured(
    tmp_path: Path, texture: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clips are measured and counted; a damaged one is named, and the rest goes on."""
    frames = (texture[:120, 4 * n : 4 * n + 160].copy() for n in range(13))
    write_clip(tmp_path / "pan.mp4", frames, fps=24)
    (tmp_path / "bad.mp4").write_bytes(b"no clip")
    (tmp_path / "labels.csv").write_text(
        "clip,truth,accept\npan.mp4,pan_right,truck_right\nbad.mp4,static,\n"
    )
    saved = tmp_path / "out" / "moves.json"
    told_what = ["--save", str(saved), "--material", "one pan"]
    assert main([str(tmp_path), "--quiet", *told_what]) == 1
    told = capsys.readouterr()
    assert "bad.mp4" in told.err
    assert "moves, look-alikes count 1.00 [1.00, 1.00]" in told.out
    known = load_known_moves(saved)
    assert known.material == "one pan"
    assert known.shares[0].text == "100% [100%, 100%] of 1"
    assert main([str(tmp_path), "--save", str(saved)]) == 2
    assert main([str(tmp_path / "nowhere"), "--quiet"]) == 2
