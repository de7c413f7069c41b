"""Stills that a sweep makes from text are bought, capped and resumed like clips."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.errors import (
    BackendError,
    MoneyError,
    Refusal,
    RunFolderError,
    SubmitUncertain,
)
from lab.runs import Ledger, RunFolder, create, plan, recover, run
from lab.stills import Still
from lab.sweeps import Sweep
from lab.takes import Take
from tests.runs.conftest import COFFEE, Remote

pytestmark = pytest.mark.usefixtures("offline")

Go = Callable[..., object]


def sweep_of(*stills: object, best_of: int = 3, **fields: object) -> Sweep:
    """A sweep of two prompts on a still made from text, and on other stills."""
    created = {"create": "a cup of coffee on a table", "name": "cup", "best_of": best_of}
    fields = {"backend": "scripted", "budget_usd": 100.0, **fields}
    settings = {"duration_s": 0.25, "seed": 1}
    return Sweep.of(
        stills=[created, *stills], prompts=["push in", "pan left"], settings=settings, **fields
    )


def blurred_but(sharp: int) -> Callable[[Take], np.ndarray]:
    """Makes pictures that are out of focus, except one."""

    def picture(take: Take) -> np.ndarray:
        rgb = np.roll(COFFEE.rgb(), take.repeat, 1)
        return rgb if take.repeat == sharp else cv2.GaussianBlur(rgb, None, 8)

    return picture


@pytest.fixture
def go(tmp_path: Path, threads: Executor) -> Go:
    """Runs a sweep in the folder "run"."""

    def start(sweep: Sweep, **how: object) -> object:
        return run(sweep, tmp_path / "run", executor=threads, quiet=True, **how)

    return start


def clips(folder: Path) -> list[Take]:
    """The takes of clips in a run's ledger."""
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        ledger.verify()
        return [row.take for row in ledger.takes() if row.take.shot.makes == "clip"]


def test_the_best_picture_is_animated(go: Go, remote: Remote, tmp_path: Path) -> None:
    """Three pictures are made, preflight takes the sharp one, and every clip starts from it."""
    remote.picture = blurred_but(2)
    outcome = go(sweep_of())
    assert outcome.complete
    assert (outcome.takes, outcome.scored, len(remote.bought)) == (2, 2, 3 + 2)
    (line,) = outcome.chosen
    assert line.startswith("still cup: picture 2 of 3 is chosen")
    chosen = Still.open(tmp_path / "run" / "created" / "cup.png")
    assert {take.shot.still.sha256 for take in clips(tmp_path / "run")} == {chosen.sha256}
    assert np.array_equal(chosen.rgb(), remote.picture(Take(COFFEE, "scripted", 2)))


def test_the_plan_prices_pictures_and_clips(remote: Remote, tmp_path: Path) -> None:
    """The plan has the price of the pictures and of the clips before anything is made."""
    priced = plan(sweep_of(COFFEE.path), tmp_path / "run")
    assert (priced.takes, priced.stills, priced.high_usd) == (4, 3, (3 + 4) * 0.5)
    assert "3 to be made from text first: cup (best of 3)" in str(priced)
    assert not (tmp_path / "run").exists()


def test_running_again_buys_nothing(go: Go, remote: Remote, tmp_path: Path) -> None:
    """No picture and no clip is bought again, even if preflight now prefers another picture."""
    go(sweep_of())
    bought = list(remote.bought)
    before = clips(tmp_path / "run")
    (tmp_path / "run" / "created" / "cup.png").unlink()
    remote.picture = blurred_but(3)
    assert plan(sweep_of(), tmp_path / "run").high_usd == 0
    assert go(sweep_of()).complete
    assert remote.bought == bought
    assert clips(tmp_path / "run") == before


def test_an_interrupted_run_goes_on_from_its_pictures(
    go: Go, remote: Remote, tmp_path: Path
) -> None:
    """Pictures that were bought before Ctrl-C are not bought again."""

    def interrupt(take_id: str) -> None:
        if len(remote.bought) == 3:  # the first clip
            raise KeyboardInterrupt

    remote.on_submit = interrupt
    with pytest.raises(KeyboardInterrupt):
        go(sweep_of())
    remote.on_submit, remote.lookup = (lambda take_id: None), (lambda take_id: "absent")
    assert go(sweep_of()).complete
    assert len(remote.bought) == len(set(remote.bought)) == 3 + 2


def test_a_refused_picture_leaves_the_others(go: Go, remote: Remote) -> None:
    """The refused picture is named, the best other one is animated, and the run is incomplete."""

    def refuse(take_id: str) -> None:
        if remote.takes[take_id].shot.makes == "still" and remote.takes[take_id].repeat == 1:
            raise Refusal("not this picture")

    remote.on_submit = refuse
    outcome = go(sweep_of())
    assert not outcome.complete
    assert outcome.scored == 2
    (problem,) = outcome.problems
    assert "not this picture" in problem


def test_without_any_picture_the_other_stills_go_on(go: Go, remote: Remote) -> None:
    """Clips of a still that could not be made are not submitted; the other clips are."""

    def refuse(take_id: str) -> None:
        if remote.takes[take_id].shot.makes == "still":
            raise Refusal("no pictures today")

    remote.on_submit = refuse
    outcome = go(sweep_of(COFFEE.path, best_of=2))
    assert (outcome.takes, outcome.scored) == (4, 2)
    assert not outcome.complete
    assert "still cup: no picture could be made; change its text" in outcome.problems


def test_no_choice_before_all_pictures_are_here(go: Go, remote: Remote) -> None:
    """No picture is chosen while one is uncertain, since that one may be the best."""

    def unsure(take_id: str) -> None:
        if remote.takes[take_id].repeat == 2:
            raise SubmitUncertain("the line went dead")

    remote.on_submit, remote.lookup = unsure, lambda take_id: "unknown"
    outcome = go(sweep_of())
    assert outcome.scored == 0
    assert any("1 of its 3 pictures are missing" in line for line in outcome.problems)
    assert len(remote.bought) == 2
    remote.lookup = lambda take_id: "found"
    assert go(sweep_of()).complete
    assert len(remote.bought) == 2 + 2


def test_the_cap_counts_pictures_too(go: Go, remote: Remote) -> None:
    """Three pictures and one block of clips cost 2.50; a cap below buys nothing at all."""
    with pytest.raises(MoneyError, match=r"not one block fits in the cap of 2\.40 USD"):
        go(sweep_of(budget_usd=None, cap_usd=2.4))
    assert remote.bought == []
    assert go(sweep_of(budget_usd=None, cap_usd=2.5)).complete


def test_pictures_that_were_created_before_are_reused(
    go: Go, remote: Remote, tmp_path: Path
) -> None:
    """`lab create` of the same text bought the first picture already."""
    create("a cup of coffee on a table", out=tmp_path / "own", backend="scripted", confirmed=True)
    assert len(remote.bought) == 1
    outcome = go(sweep_of())
    assert outcome.reused == 1
    assert len(remote.bought) == 1 + 2 + 2


def test_a_folder_refuses_another_text(go: Go, remote: Remote) -> None:
    """A run folder refuses a sweep whose created still has another text."""
    go(sweep_of())
    other = Sweep.of(
        stills=[{"create": "a glass of water", "name": "cup"}],
        prompts=["push in", "pan left"],
        settings={"duration_s": 0.25, "seed": 1},
        backend="scripted",
        budget_usd=100.0,
    )
    with pytest.raises(RunFolderError, match="holds another sweep"):
        go(other)


def test_a_recovered_run_keeps_its_choice(go: Go, remote: Remote, tmp_path: Path) -> None:
    """Pictures and clips are recovered from a ledger that lost its takes."""
    remote.picture = blurred_but(2)
    go(sweep_of())
    bought, before = list(remote.bought), clips(tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    content = folder.ledger.read_bytes()
    folder.ledger.write_bytes(content[: len(content) // 2])
    recover(folder.path)
    outcome = go(sweep_of())
    assert remote.bought == bought
    assert [take.id for take in clips(tmp_path / "run")] == [take.id for take in before]
    assert outcome.scored == 2


def test_a_backend_that_makes_no_pictures_is_refused_before_anything(tmp_path: Path) -> None:
    """The message names the still and what the backend can make."""
    with pytest.raises(BackendError, match="still cup: makes"):
        run(sweep_of(backend="offline", budget_usd=None), tmp_path / "run")
