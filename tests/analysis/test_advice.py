"""Advice for the next sweep."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lab.analysis import Results, load, suggest_next
from lab.errors import InputError, RunFolderError
from lab.media import write_image
from lab.metrics import JUDGED, SPECS
from lab.prompts import Prompt, lint
from lab.runs import plan, run
from lab.stills import Still
from lab.sweeps import Sweep

RunSweep = Callable[..., Results]


@pytest.fixture
def run_sweep(tmp_path: Path) -> RunSweep:
    """Runs a sweep of short clips and loads its results."""

    def make(sweep: Sweep, name: str = "run") -> Results:
        with ThreadPoolExecutor(2) as executor:
            outcome = run(sweep, tmp_path / name, quiet=True, executor=executor)
        assert outcome.problems == ()
        return load(tmp_path / name)

    return make


@pytest.mark.slow
@pytest.mark.usefixtures("subject_weights")
def test_following_the_advice_improves_the_median_score_within_two_rounds(
    run_sweep: RunSweep, stills_dir: Path, tmp_path: Path
) -> None:
    """Two rounds of advice halve the visible flaws of a weak still and three weak prompts."""
    sweep = Sweep.of(
        stills=[stills_dir / "coffee.jpg", stills_dir / "cat_soft.jpg"],
        prompts=[
            {"text": "make it move", "name": "vague"},
            {"text": "fast orbit while the camera tilts up; subject turns head", "name": "crowd"},
            {"text": "energetic push-in; steam rises", "name": "hasty"},
        ],
        settings={"duration_s": 0.7, "seed": 7},
        name="weak",
    )
    medians, kinds = [], []
    for number in range(3):
        results = run_sweep(sweep, f"round {number}")
        assert results.too_still == ()
        medians.append(_median_visibility(results))
        advice = suggest_next(results)
        kinds.append({suggestion.kind for suggestion in advice.suggestions})
        sweep = Sweep.load(advice.save(tmp_path / f"next {number}.yaml"))
    assert medians[1] < 0.8 * medians[0]
    assert medians[2] < medians[1]
    assert {"one_dominant_move", "other_wording", "cleaner_still"} <= kinds[0]
    assert "less_motion" in kinds[1]
    assert sweep.name == "weak, round 4"


def _median_visibility(results: Results) -> float:
    """The median over takes of the mean visibility of the judged metrics."""
    wide = results.headlines()[list(JUDGED)]
    multiples = wide.apply(lambda scores: scores.map(SPECS[str(scores.name)].visibility))
    return float(multiples.mean(axis=1).median())


def test_the_next_sweep_keeps_the_best_and_its_settings(results: Results, tmp_path: Path) -> None:
    """The new file has its stills beside it, the evidence as comments, and the best prompt
    unchanged.
    """
    advice = suggest_next(results)
    path = advice.save(tmp_path / "next.yaml")
    sweep = Sweep.load(path)
    assert sweep.name == "small, round 2"
    assert sweep.question == "which?"
    assert sweep.repeats == 1
    assert sweep.levels["duration_s"] == (0.3,)
    assert sweep.levels["seed"] == (7,)
    (still,) = sweep.levels["still"]
    assert isinstance(still, Still)
    assert still.name == "coffee"
    assert still.path.parent == tmp_path / "next_stills"
    texts = [prompt.text for prompt in sweep.levels["prompt"] if isinstance(prompt, Prompt)]
    assert "make it move" not in texts
    assert set(texts) & set(results.takes["prompt_text"])
    head = path.read_text(encoding="utf-8")
    assert head.startswith("# ")
    for suggestion in advice.suggestions:
        assert suggestion.kind in head


def test_every_suggestion_comes_with_numbers(results: Results) -> None:
    """A suggestion names its prompt or still, the change, and the measured reasons."""
    advice = suggest_next(results)
    assert advice.suggestions
    for suggestion in advice.suggestions:
        assert suggestion.about.startswith(("prompt ", "still "))
        assert any(sign.isdigit() for sign in suggestion.evidence)
        assert suggestion.change
    vague = next(one for one in advice.suggestions if "make it move" in one.about)
    assert vague.kind == "other_wording"
    assert not {"no_camera_move", "no_subject_action", "no_pace"} & {
        finding.kind for finding in lint(Prompt.from_text(vague.after))
    }
    assert advice.to_json()[0]["kind"] == advice.suggestions[0].kind
    assert "because" in str(advice)


def test_existing_takes_are_not_bought_again(results: Results, tmp_path: Path) -> None:
    """The takes of the best prompt keep their ids, so the plan reuses them."""
    path = suggest_next(results).save(tmp_path / "next.yaml")
    ids = {take.id for _, take in Sweep.load(path).takes()}
    assert ids & set(results.takes["take_id"])
    assert plan(Sweep.load(path)).takes == len(ids)


def test_a_hostile_prompt_stays_text(run_sweep: RunSweep, coffee: Still, tmp_path: Path) -> None:
    """Quotes, tags and YAML syntax in a prompt reach the next file unchanged and are escaped in
    HTML.
    """
    hostile = "make <b>it</b> move: \"now\" # {not: yaml} 'really' - [*]"
    sweep = Sweep.of(
        stills=[coffee.path], prompts=[hostile], settings={"duration_s": 0.3, "seed": 1}
    )
    advice = suggest_next(run_sweep(sweep))
    assert "<b>" not in advice._repr_html_()
    texts = [
        prompt.text
        for prompt in Sweep.load(advice.save(tmp_path / "next.yaml")).levels["prompt"]
        if isinstance(prompt, Prompt)
    ]
    assert hostile in texts


def test_a_prompt_whose_rewrite_scored_better_is_left_out(
    run_sweep: RunSweep, coffee: Still, tmp_path: Path
) -> None:
    """A flawed prompt is dropped without a replacement if its rewrite is in the same run."""
    crowded = "slow orbit around and tilt up; steam rises"
    better = lint(Prompt.from_text(crowded))[0].rewrite
    sweep = Sweep.of(
        stills=[coffee.path],
        prompts=[crowded, better],
        settings={"duration_s": 0.5, "seed": 1},
    )
    advice = suggest_next(run_sweep(sweep))
    (dropped,) = [one for one in advice.suggestions if crowded[:20] in one.about]
    assert "leave it out" in dropped.change
    again = Sweep.load(advice.save(tmp_path / "next.yaml"))
    texts = [prompt.text for prompt in again.levels["prompt"] if isinstance(prompt, Prompt)]
    assert crowded not in texts


def test_a_still_that_the_ratio_cuts_is_extended(
    run_sweep: RunSweep, tmp_path: Path, photo: np.ndarray, offline: Path
) -> None:
    """If a portrait frame cuts off most of a still, the next sweep uses an extended copy."""
    write_image(tmp_path / "wide.png", photo[100:250])
    sweep = Sweep.of(
        stills=[tmp_path / "wide.png"],
        prompts=["make it move"],
        settings={"duration_s": 0.4, "seed": 1, "aspect_ratio": "9:16", "flaws": 2},
    )
    advice = suggest_next(run_sweep(sweep))
    framing = [one for one in advice.suggestions if one.kind == "other_framing"]
    unchanged, still = Sweep.load(advice.save(tmp_path / "next.yaml")).levels["still"]
    assert isinstance(still, Still)
    assert isinstance(unchanged, Still)
    assert (len(framing), unchanged.name) == (1, "wide")
    assert still.width_px / still.height_px == pytest.approx(9 / 16, abs=0.01)
    assert "made up" in still.history[0]


def test_zipped_factors_stay_zipped(run_sweep: RunSweep, stills_dir: Path, tmp_path: Path) -> None:
    """Prompts that are zipped with stills are changed in place; none is added or removed."""
    sweep = Sweep.of(
        stills=[stills_dir / "coffee.jpg", stills_dir / "cat_soft.jpg"],
        prompts=["make it move", "fast pan left"],
        settings={"duration_s": 0.3, "seed": 1},
        zip=[["still", "prompt"]],
    )
    again = Sweep.load(suggest_next(run_sweep(sweep)).save(tmp_path / "next.yaml"))
    assert again.zips == (("still", "prompt"),)
    assert len(again.levels["still"]) == len(again.levels["prompt"]) == 2


def test_without_a_reason_for_a_change_there_is_one_more_repeat(
    run_sweep: RunSweep, coffee: Still, tmp_path: Path
) -> None:
    """A good run gets one more repeat, because the same takes again would show nothing."""
    sweep = Sweep.of(
        stills=[coffee.path],
        prompts=["slow push-in; steam rises"],
        settings={"duration_s": 0.7, "seed": 1, "flaws": 0},
    )
    advice = suggest_next(run_sweep(sweep))
    assert advice.suggestions == ()
    assert "one more repeat" in str(advice)
    assert Sweep.load(advice.save(tmp_path / "next.yaml")).repeats == 2


def test_an_existing_file_is_not_overwritten(results: Results, tmp_path: Path) -> None:
    """The user's file is unchanged."""
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        suggest_next(results).save(path)
    assert path.read_text() == "mine"


def test_without_scores_there_is_no_advice(without: RunSweep, tmp_path: Path) -> None:
    """An unscored run and a folder without a run are refused in one line."""
    with pytest.raises(InputError, match="no scores to base advice on: not measured yet"):
        suggest_next(without(0, 1, 2))
    with pytest.raises(RunFolderError):
        suggest_next(tmp_path / "nothing")


def test_a_prompt_whose_takes_are_too_still_gets_more_motion(results: Results) -> None:
    """If all takes of a camera move are too still, the next prompt asks for a stronger move."""
    scores = results.scores.copy()
    panned = set(results.takes[results.takes["prompt"] == "fast pan left"]["take_id"])
    still = scores["take_id"].isin(panned) & (scores["metric"] == "motion.still")
    scores.loc[still, "value"] = 1.0
    frozen = Results(**{**vars(results), "scores": scores})
    by_kind = {one.kind: one for one in suggest_next(frozen).suggestions}
    assert "strong" in by_kind["more_motion"].after


def test_a_copied_run_gives_the_same_advice(
    run_folder: Path, results: Results, tmp_path: Path
) -> None:
    """Advice depends only on the content of the folder."""
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    assert suggest_next(copy).to_json() == suggest_next(results).to_json()
