"""From a run to the next sweep."""

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

Made = Callable[..., Results]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Run a sweep of short clips, flaws and all, and load what came of it."""

    def make(sweep: Sweep, name: str = "run") -> Results:
        with ThreadPoolExecutor(2) as executor:
            outcome = run(sweep, tmp_path / name, quiet=True, executor=executor)
        assert outcome.problems == ()
        return load(tmp_path / name)

    return make


@pytest.mark.slow
@pytest.mark.usefixtures("subject_weights")
def test_following_the_advice_improves_the_median_score_within_two_rounds(
    made: Made, stills_dir: Path, tmp_path: Path
) -> None:
    """A weak still and three weak prompts: two rounds of advice halve what can be seen."""
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
        results = made(sweep, f"round {number}")
        assert results.too_still == ()
        medians.append(_median(results))
        advice = suggest_next(results)
        kinds.append({suggestion.kind for suggestion in advice.suggestions})
        sweep = Sweep.load(advice.save(tmp_path / f"next {number}.yaml"))
    assert medians[1] < 0.8 * medians[0]
    assert medians[2] < medians[1]
    assert {"one_dominant_move", "other_wording", "cleaner_still"} <= kinds[0]
    assert "less_motion" in kinds[1]
    assert sweep.name == "weak, round 4"


def _median(results: Results) -> float:
    """Over the takes, of the judged metrics in multiples of what nobody notices."""
    wide = results.headlines()[list(JUDGED)]
    multiples = wide.apply(lambda scores: scores.map(SPECS[str(scores.name)].visibility))
    return float(multiples.mean(axis=1).median())


def test_the_next_sweep_keeps_the_best_and_its_settings(results: Results, tmp_path: Path) -> None:
    """The file stands for itself: stills beside it, evidence above, the best prompt as it was."""
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
    """Each names its prompt or still, what to change and what was measured."""
    advice = suggest_next(results)
    assert advice.suggestions
    for suggestion in advice.suggestions:
        assert suggestion.about.startswith(("prompt ", "still "))
        assert any(sign.isdigit() for sign in suggestion.evidence)
        assert suggestion.says
    vague = next(one for one in advice.suggestions if "make it move" in one.about)
    assert vague.kind == "other_wording"
    assert not {"no_camera_move", "no_subject_action", "no_pace"} & {
        finding.kind for finding in lint(Prompt.written(vague.after))
    }
    assert advice.to_json()[0]["kind"] == advice.suggestions[0].kind
    assert "because" in str(advice)


def test_what_was_bought_is_not_asked_for_again(results: Results, tmp_path: Path) -> None:
    """The best prompt's takes are the same takes, which a plan finds and takes over."""
    path = suggest_next(results).save(tmp_path / "next.yaml")
    ids = {take.id for _, take in Sweep.load(path).takes()}
    assert ids & set(results.takes["take_id"])
    assert plan(Sweep.load(path)).takes == len(ids)


def test_a_hostile_prompt_stays_text(made: Made, coffee: Still, tmp_path: Path) -> None:
    """Prompts of quotes, tags and YAML signs survive into the next file and stay escaped."""
    hostile = "make <b>it</b> move: \"now\" # {not: yaml} 'really' - [*]"
    sweep = Sweep.of(
        stills=[coffee.path], prompts=[hostile], settings={"duration_s": 0.3, "seed": 1}
    )
    advice = suggest_next(made(sweep))
    assert "<b>" not in advice._repr_html_()
    texts = [
        prompt.text
        for prompt in Sweep.load(advice.save(tmp_path / "next.yaml")).levels["prompt"]
        if isinstance(prompt, Prompt)
    ]
    assert hostile in texts


def test_a_prompt_whose_rewrite_came_out_better_is_left_out(
    made: Made, coffee: Still, tmp_path: Path
) -> None:
    """Where its rewrite is in the run already, a flawed prompt goes and nothing comes for it."""
    crowded = "slow orbit around and tilt up; steam rises"
    better = lint(Prompt.written(crowded))[0].rewrite
    sweep = Sweep.of(
        stills=[coffee.path],
        prompts=[crowded, better],
        settings={"duration_s": 0.5, "seed": 1},
    )
    advice = suggest_next(made(sweep))
    (dropped,) = [one for one in advice.suggestions if crowded[:20] in one.about]
    assert "leave it out" in dropped.says
    again = Sweep.load(advice.save(tmp_path / "next.yaml"))
    texts = [prompt.text for prompt in again.levels["prompt"] if isinstance(prompt, Prompt)]
    assert crowded not in texts


def test_a_still_that_the_ratio_cuts_is_extended(
    made: Made, tmp_path: Path, photo: np.ndarray, offline: Path
) -> None:
    """Where a portrait frame cuts away most of a still, the next sweep has it extended."""
    write_image(tmp_path / "wide.png", photo[100:250])
    sweep = Sweep.of(
        stills=[tmp_path / "wide.png"],
        prompts=["make it move"],
        settings={"duration_s": 0.4, "seed": 1, "aspect_ratio": "9:16", "flaws": 2},
    )
    advice = suggest_next(made(sweep))
    framing = [one for one in advice.suggestions if one.kind == "other_framing"]
    kept, still = Sweep.load(advice.save(tmp_path / "next.yaml")).levels["still"]
    assert isinstance(still, Still)
    assert isinstance(kept, Still)
    assert (len(framing), kept.name) == (1, "wide")
    assert still.width_px / still.height_px == pytest.approx(9 / 16, abs=0.01)
    assert "made up" in still.history[0]


def test_zipped_factors_stay_zipped(made: Made, stills_dir: Path, tmp_path: Path) -> None:
    """Prompts that advance with stills are changed in their places, none comes or goes."""
    sweep = Sweep.of(
        stills=[stills_dir / "coffee.jpg", stills_dir / "cat_soft.jpg"],
        prompts=["make it move", "fast pan left"],
        settings={"duration_s": 0.3, "seed": 1},
        zip=[["still", "prompt"]],
    )
    again = Sweep.load(suggest_next(made(sweep)).save(tmp_path / "next.yaml"))
    assert again.zips == (("still", "prompt"),)
    assert len(again.levels["still"]) == len(again.levels["prompt"]) == 2


def test_where_nothing_asks_for_a_change_there_is_one_more_repeat(
    made: Made, coffee: Still, tmp_path: Path
) -> None:
    """A clean run of a good still is not repeated to the letter, which would show nothing."""
    sweep = Sweep.of(
        stills=[coffee.path],
        prompts=["slow push-in; steam rises"],
        settings={"duration_s": 0.7, "seed": 1, "flaws": 0},
    )
    advice = suggest_next(made(sweep))
    assert advice.suggestions == ()
    assert "one more repeat" in str(advice)
    assert Sweep.load(advice.save(tmp_path / "next.yaml")).repeats == 2


def test_an_existing_file_is_not_written_over(results: Results, tmp_path: Path) -> None:
    """The user's file stays."""
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        suggest_next(results).save(path)
    assert path.read_text() == "mine"


def test_without_scores_there_is_no_advice(without: Made, tmp_path: Path) -> None:
    """An unscored run and a folder without one are refused in one line."""
    with pytest.raises(InputError, match="no scores to base advice on: not measured yet"):
        suggest_next(without(0, 1, 2))
    with pytest.raises(RunFolderError):
        suggest_next(tmp_path / "nothing")


def test_a_take_that_cannot_be_judged_asks_for_more_motion(results: Results) -> None:
    """Of a move whose takes are all too still, more is asked."""
    scores = results.scores.copy()
    panned = set(results.takes[results.takes["prompt"] == "fast pan left"]["take_id"])
    still = scores["take_id"].isin(panned) & (scores["metric"] == "motion.still")
    scores.loc[still, "value"] = 1.0
    frozen = Results(**{**vars(results), "scores": scores})
    found = {one.kind: one for one in suggest_next(frozen).suggestions}
    assert "strong" in found["more_motion"].after


def test_a_copied_run_gives_the_same_advice(
    run_folder: Path, results: Results, tmp_path: Path
) -> None:
    """Advice depends on what is in the folder alone."""
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    assert suggest_next(copy).to_json() == suggest_next(results).to_json()
