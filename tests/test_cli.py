"""The command line: what it prints where, and how it exits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lab.analysis import load
from lab.calibration import describe_agreement, load_agreement
from lab.cli import main
from lab.media import probe, write_image
from lab.metrics import HEADLINES, LITERATURE, SPECS
from lab.runs import run
from lab.stills import Still
from lab.sweeps import Sweep
from tests.waiting import HANGS_S, until

Answer = tuple[int, str, str]
Lab = Callable[..., Answer]
pytestmark = pytest.mark.usefixtures("in_process")

_NO_MONEY = dict.fromkeys(("spent_usd", "expected_low_usd", "expected_high_usd", "open_usd"), 0.0)
SWEEP = """
name: tiny
question: which?
stills: {still}
prompts: [slow push in, make it move]
settings: {{duration_s: 0.3, seed: 1}}
budget_usd: 0
"""


def _process(*arguments: object) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "lab", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Lab:
    """Run a command here; returns its exit code, output and errors."""

    def command(*arguments: object) -> Answer:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err  # type: ignore[return-value]

    return command


@pytest.fixture(scope="module")
def sweep_file(tmp_path_factory: pytest.TempPathFactory, coffee: Still) -> Path:
    """Two prompts of 0.3 s."""
    path = tmp_path_factory.mktemp("cli") / "tiny.yaml"
    path.write_text(SWEEP.format(still=coffee.path.resolve()))
    return path


@pytest.fixture(scope="module")
def ran(sweep_file: Path) -> tuple[Path, Answer]:
    """That sweep, run in a process of its own; the folder and what it answered."""
    out = sweep_file.parent / "run"
    return out, _process("run", sweep_file, "--out", out, "--json")


@pytest.fixture(scope="module")
def clip(
    tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> Path:
    """A second of a pan, 252x200."""
    small = cv2.resize(photo, (300, 200), interpolation=cv2.INTER_AREA)
    path = tmp_path_factory.mktemp("cli") / "pan.mp4"
    return pan_clip(path, small, count=24, step_px=2, fps=24)


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _one_error(answer: Answer, *says: str) -> None:
    code, out, err = answer
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert all(word in line for word in says), line


def test_running_prints_json_lines_and_nothing_else(ran: tuple[Path, Answer]) -> None:
    """The plan, a line a take with its headline scores, and the outcome; exit 0."""
    folder, (code, out, err) = ran
    assert (code, err) == (0, "")
    plan, *takes, outcome = _lines(out)
    assert plan["plan"]["takes"] == 2
    assert [take["prompt"] for take in takes] == ["slow push in", "make it move"]
    assert all(take["simulated"] and set(HEADLINES) <= set(take) for take in takes)
    assert outcome == {
        "run": str(folder),
        "takes": 2,
        "scored": 2,
        **_NO_MONEY,
        "reused": 0,
        "stopped": "",
        "chosen": [],
        "remarks": [],
        "problems": [],
    }
    assert {path.name for path in folder.glob("*.parquet")} == {
        f"{name}.parquet" for name in ("takes", "scores", "frames")
    }


def test_running_again_makes_nothing_again(
    lab: Lab, ran: tuple[Path, Answer], sweep_file: Path
) -> None:
    """The same command, or resume, goes on where nothing is left: same answer, clips untouched."""
    folder, (_, before, _) = ran
    clips = {path: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()}
    for again in (("run", sweep_file, "--out", folder), ("resume", folder)):
        code, out, _ = lab(*again, "--json")
        assert code == 0
        assert _lines(out)[1:] == _lines(before)[1:]
    assert {path: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()} == clips


def test_running_another_sweep_there_is_refused(
    lab: Lab, ran: tuple[Path, Answer], coffee: Still, tmp_path: Path
) -> None:
    """A folder that holds another experiment is not mixed with this one."""
    other = tmp_path / "other.yaml"
    other.write_text(f"stills: {coffee.path.resolve()}\nprompts: tilt up\n")
    code, _, err = lab("run", other, "--out", ran[0])
    assert code == 2
    assert "holds another sweep" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_status_counts_takes(lab: Lab, ran: tuple[Path, Answer]) -> None:
    """How many takes are where, for people and for tools."""
    code, out, _ = lab("status", ran[0], "--json")
    assert code == 0
    (said,) = _lines(out)
    assert said == {
        "run": str(ran[0]),
        "takes": 2,
        "pictures": 0,
        "states": {"fetched": 2},
        "measured": 2,
        "measures": {"fresh": 2},
        "not_fresh": {},
        **_NO_MONEY,
        "stopped": "",
    }
    code, out, _ = lab("status", ran[0])
    assert code == 0
    assert "2 takes: 2 fetched; 2 measured; spent 0 USD" in out


def test_compare_prints_medians_by_level(lab: Lab, ran: tuple[Path, Answer]) -> None:
    """A line a level with the medians and their count; the remarks go elsewhere."""
    code, out, err = lab("compare", ran[0], "--json")
    assert code == 0
    said = _lines(out)
    assert {line["level"] for line in said} == {"slow push in", "make it move"}
    assert all(line["factor"] == "prompt" and line["takes"] == 1 for line in said)
    assert all({*HEADLINES, "too_still"} <= set(line) for line in said)
    assert err.splitlines()[-1].startswith("Simulated: ")
    code, out, _ = lab("compare", ran[0], "--by", "fps")
    assert code == 0
    assert "24" in out


def test_compare_says_when_nothing_could_be_matched(lab: Lab, ran: tuple[Path, Answer]) -> None:
    """Two takes are too few for a line through motion: scores as measured, and words to say so."""
    _, out, err = lab("compare", ran[0], "--json")
    assert not any(line["matched"] for line in _lines(out))
    assert "needs 6 takes that differ in motion by a tenth" in err


@pytest.fixture(scope="module")
def eight(sweep_file: Path) -> Path:
    """A run of eight takes whose flicker is their motion, 1 to 7 %; the last one is frozen."""
    path = sweep_file.parent / "eight.yaml"
    short = sweep_file.read_text().replace("duration_s: 0.3, seed: 1", "duration_s: 0.1")
    path.write_text(short + "repeats: 4\n")
    folder = sweep_file.parent / "eight"
    with ThreadPoolExecutor(2) as executor:
        assert run(Sweep.load(path), folder, quiet=True, executor=executor).problems == ()
    files = [folder / "measures" / f"{take_id}.json" for take_id in load(folder).takes["take_id"]]
    for place, file in enumerate(files, start=1):
        kept = json.loads(file.read_text())
        frozen = place == len(files)
        speed = 0.0 if frozen else float(place)
        for name, value in (("flicker", speed), ("motion", speed), ("motion.still", float(frozen))):
            kept["numbers"][name]["value"] = value
        file.write_text(json.dumps(kept))
    return folder


def test_compare_is_at_matched_motion_unless_raw(lab: Lab, eight: Path) -> None:
    """Levels that differ only in motion are equal; as measured they are not, and rows say which."""
    _, out, err = lab("compare", eight, "--by", "prompt", "--json")
    matched = _lines(out)
    assert [line["matched"] for line in matched] == [True, True]
    assert [line["flicker"] for line in matched] == pytest.approx([4.0, 4.0])
    assert "At matched motion" in err
    assert "4 % of the diagonal per s" in err
    _, out, err = lab("compare", eight, "--by", "prompt", "--raw", "--json")
    raw = _lines(out)
    assert [line["matched"] for line in raw] == [False, False]
    assert len({line["flicker"] for line in raw}) == 2
    assert [line["motion"] for line in raw] == [line["motion"] for line in matched]
    assert "As measured." in err


@pytest.mark.parametrize("how", [(), ("--raw",)])
def test_compare_names_takes_too_still_to_judge(lab: Lab, eight: Path, how: tuple[str]) -> None:
    """The row counts them and a remark has their ids, matched or not."""
    frozen = load(eight).takes["take_id"].iloc[-1]
    _, out, err = lab("compare", eight, "--by", "prompt", "--json", *how)
    assert sum(line["too_still"] for line in _lines(out)) == 1
    (named,) = [line for line in err.splitlines() if frozen in line]
    assert err.splitlines()[err.splitlines().index(named) - 1].startswith("too still to judge, ")
    _, out, _ = lab("compare", eight, "--by", "prompt", *how)
    assert "too still to judge" in out


def test_compare_by_no_factor_gets_a_hint(lab: Lab, ran: tuple[Path, Answer]) -> None:
    """A misspelt factor is answered with the nearest."""
    _one_error(lab("compare", ran[0], "--by", "promt"), "did you mean 'prompt'?")


def test_report_writes_the_file_it_names(
    lab: Lab, ran: tuple[Path, Answer], tmp_path: Path
) -> None:
    """The path printed is the page written."""
    path = tmp_path / "page.html"
    code, out, _ = lab("report", ran[0], "-o", path)
    assert (code, out.strip()) == (0, str(path))
    assert path.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("command", ["status", "compare", "report"])
def test_a_folder_without_a_run_is_wrong_input(lab: Lab, tmp_path: Path, command: str) -> None:
    """Exit 2 with one line that says how to make a run."""
    _one_error(lab(command, tmp_path), str(tmp_path), "holds no run")


def test_score_prints_exactly_the_fields_promised(lab: Lab, clip: Path, coffee: Still) -> None:
    """One object a clip, with these fields, every number, its unit, and why one is missing."""
    code, out, err = lab("score", clip, "--still", coffee.path, "--json")
    assert (code, err) == (0, "")
    (said,) = _lines(out)
    promised = [
        *("clip", "still", "width_px", "height_px", "fps", "frames", "duration_s"),
        *("scores", "units", "reasons"),
    ]
    assert list(said)[: len(promised)] == promised
    assert set(said) == {*promised, "confidence", "notes", "simulated"}
    assert (said["clip"], said["still"]) == (str(clip), str(coffee.path))
    assert (said["width_px"], said["height_px"]) == (252, 200)
    assert (said["fps"], said["frames"], said["duration_s"]) == (24.0, 24, 1.0)
    assert set(said["scores"]) == set(SPECS)
    assert said["units"] == {name: spec.unit for name, spec in SPECS.items()}
    assert set(said["reasons"]) == {n for n, value in said["scores"].items() if value is None}
    assert all(isinstance(said["scores"][name], float) for name in HEADLINES)
    assert said["simulated"] is False
    assert all(0 <= said["confidence"][name] <= 1 for name in HEADLINES)


def test_score_without_a_still_says_so(lab: Lab, clip: Path) -> None:
    """The still is null, and drift's missing part has a reason."""
    code, out, _ = lab("score", clip, "--json")
    (said,) = _lines(out)
    assert (code, said["still"]) == (0, None)
    assert said["reasons"]["drift.onset"] == "no still was given"


def test_score_for_people_has_a_unit_a_line(lab: Lab, clip: Path) -> None:
    """Four lines of name, number and unit under the clip's name."""
    code, out, _ = lab("score", clip)
    assert code == 0
    assert out.startswith(f"{clip} (252x200, 24 frames")
    for name in HEADLINES:
        (line,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert SPECS[name].unit in line


def test_one_bad_clip_of_several_is_named(lab: Lab, clip: Path, tmp_path: Path) -> None:
    """The others are scored, the bad one is told apart, and the exit code is 1."""
    text = tmp_path / "text.mp4"
    text.write_text("no clip")
    code, out, err = lab("score", clip, text, "--json")
    assert code == 1
    assert [line["clip"] for line in _lines(out)] == [str(clip)]
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert "text.mp4" in line


def test_text_named_mp4_is_wrong_input(tmp_path: Path) -> None:
    """The only clip being none is exit 2, in a process of its own too."""
    text = tmp_path / "text.mp4"
    text.write_text("no clip")
    _one_error(_process("score", text, "--json"), "text.mp4", "not a video")


def test_what_does_not_exist_is_wrong_input(lab: Lab, clip: Path, tmp_path: Path) -> None:
    """A missing clip, still or sweep is one line that names it."""
    gone = tmp_path / "gone"
    _one_error(lab("score", gone), "gone: no such file")
    _one_error(lab("score", clip, "--still", gone), "gone: no such file")
    _one_error(lab("preflight", gone), "gone: no such file")
    _one_error(lab("plan", gone), "gone: no such file")
    _one_error(lab("run", gone, "--out", tmp_path / "out"), "gone: no such file")
    assert not (tmp_path / "out").exists()


def test_plan_prices_a_sweep(lab: Lab, sweep_file: Path) -> None:
    """Takes, price and budget, for people and for tools; nothing is made."""
    code, out, err = lab("plan", sweep_file, "--json")
    assert (code, err) == (0, "")
    (said,) = _lines(out)
    assert (said["takes"], said["high_usd"], said["budget_usd"]) == (2, 0, 0)
    code, out, _ = lab("plan", sweep_file, "--budget", 5)
    assert code == 0
    assert "2 trials x 1 = 2" in out
    assert "5.00 USD" in out


def test_a_bad_sweep_is_told_a_line_a_mistake(lab: Lab, tmp_path: Path) -> None:
    """Every mistake has its line on standard error; exit 2."""
    path = tmp_path / "bad.yaml"
    path.write_text("stills: gone.jpg\nprompt: pan\nrepeats: 0\n")
    code, out, err = lab("plan", path)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 3
    assert all(line.startswith(f"error: {path}: ") for line in err.splitlines())


def test_a_hostile_sweep_is_no_bug(lab: Lab, tmp_path: Path) -> None:
    """A file made to break the reader is wrong input like any other."""
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 500)
    _one_error(lab("plan", path), "nested too deeply")


def test_nothing_in_a_name_or_prompt_steers_the_terminal(
    lab: Lab, coffee: Still, tmp_path: Path
) -> None:
    """Escape sequences, overrides and line feeds are shown as JSON has them; data stay the same."""
    steering = "a\u202egnp\x1b]0;x\x07\x9b2J\r\nb\u2066"
    odd = tmp_path / f"{steering}.jpg"
    odd.write_bytes(coffee.path.read_bytes())
    sweep = tmp_path / "odd.yaml"
    prompts = json.dumps([f"slow push in {steering}"])
    sweep.write_text(f"stills: {json.dumps(odd.name)}\nprompts: {prompts}\n")
    for arguments in (
        ("plan", sweep),
        ("plan", sweep, "--json"),
        ("preflight", odd),
        ("preflight", odd, "--json"),
        ("preflight", tmp_path / f"gone{steering}.png"),
        ("score", odd),
        ("lint", f"push in {steering}"),
        ("status", tmp_path / steering),
        ("plan", tmp_path / f"gone{steering}.yaml"),
        ("compare", tmp_path, f"--{steering}"),
    ):
        _, out, err = lab(*arguments)
        assert not set(out + err) & set(steering) - set("agnpb]0;x2J\n"), arguments
        assert not err or len(err.splitlines()) == 1, arguments
    (told,) = _lines(lab("preflight", odd, "--json")[1])
    assert told["path"] == str(odd)


def test_an_unknown_backend_is_wrong_input(lab: Lab, sweep_file: Path) -> None:
    """A misspelt backend is answered with the nearest."""
    _one_error(lab("plan", sweep_file, "--backend", "ofline"), "did you mean 'offline'?")


def test_a_shot_the_backend_cannot_make_is_wrong_input(
    lab: Lab, coffee: Still, tmp_path: Path
) -> None:
    """The plan is shown and then refused, with what would be accepted."""
    path = tmp_path / "long.yaml"
    path.write_text(
        f"stills: {coffee.path.resolve()}\nprompts: pan left\nsettings: {{duration_s: 50}}\n"
    )
    code, out, err = lab("plan", path)
    assert code == 2
    assert "cannot" in out
    assert "duration_s '50'" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["score", "a.mp4", "--stil", "b.jpg"], "--stil"),
        (["scroe", "a.mp4"], "scroe"),
        (["score"], "CLIP"),
        (["run", "a.yaml"], "--out"),
        (["plan", "a.yaml", "--budget", "-1"], "--budget"),
        (["plan", "a.yaml", "--budget", "lots"], "--budget"),
        (["preflight", "a.jpg", "--ratio", "2:1"], "2:1"),
        (["preflight", "a.jpg", "--resolution", "480p"], "480p"),
    ],
)
def test_wrong_words_are_wrong_input(lab: Lab, arguments: list[str], says: str) -> None:
    """An unknown command, option or value is one line and exit 2."""
    _one_error(lab(*arguments), says)


def test_preflight_lists_findings(lab: Lab, coffee: Still, stills_dir: Path) -> None:
    """A line a still with its findings as data; a good one has none."""
    code, out, err = lab("preflight", coffee.path, stills_dir / "cat_soft.jpg", "--json")
    assert (code, err) == (0, "")
    good, soft = _lines(out)
    assert (good["width_px"], good["height_px"], good["findings"]) == (600, 400, [])
    assert "soft" in {finding["kind"] for finding in soft["findings"]}
    code, out, _ = lab("preflight", coffee.path)
    first, second = out.splitlines()
    assert (code, first) == (0, f"{coffee.path}: 600x400 px, no findings")
    # What was not asked about is not passed over as fine.
    assert "not asked for: the ratio (--ratio), pixels for a tier" in second


@pytest.mark.usefixtures("subject_weights")
def test_preflight_asks_for_room_and_draws_what_it_saw(
    lab: Lab, coffee: Still, tmp_path: Path
) -> None:
    """With a prompt the room for its motion is checked; pictures go where they are asked to."""
    code, out, err = lab(
        *("preflight", coffee.path, "--prompt", "fast whip pan right", "--pictures", tmp_path)
    )
    assert code == 0
    assert "free left of the subject" in out
    assert "limit" in out
    (picture,) = tmp_path.glob("coffee-*-preflight.png")
    assert f"picture: {picture}" in err


def test_preflight_names_copies_within_a_set(lab: Lab, coffee: Still, tmp_path: Path) -> None:
    """The same picture under another name is told, to people and to programs."""
    copy = tmp_path / "copy.png"
    write_image(copy, coffee.rgb())
    assert "show the same picture" in lab("preflight", coffee.path, copy)[1]
    *_, pair = _lines(lab("preflight", coffee.path, copy, "--json")[1])
    assert pair["kind"] == "near_duplicate"
    assert pair["stills"] == [str(coffee.path), str(copy)]


@pytest.mark.usefixtures("offline")
def test_preflight_says_what_was_not_checked(lab: Lab, coffee: Still) -> None:
    """Without weights the checks of the subject are listed with the reason, and it is no error."""
    code, out, _ = lab("preflight", coffee.path)
    assert code == 0
    assert "not checked: subject" in out
    assert "because" in out


def test_fit_makes_a_still_and_tells_its_history(
    lab: Lab, coffee: Still, tmp_path: Path, offline: Path
) -> None:
    """The path is printed, the history beside it; a second call gives the same file."""
    target = tmp_path / "square.png"
    code, out, err = lab("fit", coffee.path, "--ratio", "1:1", "-o", target)
    assert (code, out) == (0, f"{target}\n")
    assert "cropped to 400x400" in err
    assert Still.open(target).width_px == 400
    assert lab("fit", coffee.path, "--ratio", "1:1", "-o", target)[0] == 0
    _one_error(lab("fit", coffee.path, "--ratio", "1:2", "-o", target), "1:2")
    _one_error(lab("fit", coffee.path, "--ratio", "1:1", "--mode", "squash"), "crop, extend")
    _one_error(lab("fit", tmp_path / "gone.jpg", "--ratio", "1:1"), "gone.jpg")


def test_suggest_prints_evidence_and_writes_a_sweep(
    lab: Lab, ran: tuple[Path, Answer], tmp_path: Path
) -> None:
    """What to change and why; the file it writes can be planned; an existing one is spared."""
    folder, _ = ran
    target = tmp_path / "next.yaml"
    code, out, err = lab("suggest", folder, "-o", target)
    assert code == 0
    assert "make it move" in out
    assert "because" in out
    assert f"next sweep: {target}" in err
    assert lab("plan", target)[0] == 0
    _one_error(lab("suggest", folder, "-o", target), "exists already")
    kinds = {line["kind"] for line in _lines(lab("suggest", folder, "--json")[1])}
    assert "other_wording" in kinds


def test_compare_shows_what_the_camera_did(lab: Lab, ran: tuple[Path, Answer]) -> None:
    """Medians by term beside the scores, and every take with --camera."""
    folder, _ = ran
    assert "Camera moves, requested and recognised" in lab("compare", folder)[1]
    (row,) = _lines(lab("compare", folder, "--camera", "--json")[1])
    assert (row["term"], row["outcome"]) == ("push_in", "did")
    assert 0 <= row["compliance"] <= 1
    assert "push_in" in lab("compare", folder, "--camera")[1]


def test_score_judges_the_camera_when_told_what_was_asked(
    lab: Lab, clip: Path, coffee: Still
) -> None:
    """A pan to the right complies with itself and not with its opposite."""
    right = lab("score", clip, "--still", coffee.path, "--prompt", "pan right", "--json")
    (record,) = _lines(right[1])
    (done,) = record["compliance"]
    assert (done["term"], done["outcome"]) == ("pan_right", "did")
    other = lab("score", clip, "--still", coffee.path, "--prompt", "pan left")[1]
    assert "asked for pan_left: did not, compliance 0.00" in other
    assert done["score"] > 0.5
    _one_error(lab("score", clip, "--prompt", "she smiles"), "names no camera move")


def test_moves_are_not_measured_on_footage(lab: Lab, tmp_path: Path) -> None:
    """Camera moves are drawn, so footage makes no sense there."""
    _one_error(lab("calibrate", "--moves", "--footage", tmp_path), "--footage")


def test_one_bad_still_of_several_is_named(lab: Lab, coffee: Still, tmp_path: Path) -> None:
    """The others are checked, and the exit code is 1."""
    code, out, err = lab("preflight", tmp_path / "gone.jpg", coffee.path, "--json")
    assert code == 1
    assert len(_lines(out)) == 1
    assert "gone.jpg: no such file" in err


def test_lint_says_what_was_understood(lab: Lab) -> None:
    """The marked text, its terms by kind, what was not understood, the remarks and a rewrite."""
    code, out, _ = lab("lint", "slow orbit, no zoom, misty vibe; the fox digs; make it cool")
    assert code == 0
    assert out.splitlines() == [
        "slow [pace slow] orbit [camera orbit_right], no zoom [not: camera zoom_in], misty vibe; "
        "the fox digs; make it cool",
        "  camera:         orbit_right",
        "  pace:           slow",
        "  other motion:   digs",
        "  not:            zoom_in",
        "  not understood: misty vibe; make it cool",
    ]
    code, out, _ = lab("lint", "slow fast push-in; steam rises", "--max-chars", "20")
    assert code == 0
    assert "  warning: has 30 characters (30, limit 20); keep what moves and drop the rest" in out
    assert "slow push-in; steam rises" in out
    assert "try: " in lab("lint", "make it move")[1].splitlines()[-1]
    _one_error(lab("lint", "  "), "prompt is empty")


def test_lint_prints_one_object(lab: Lab) -> None:
    """With --json: terms, what is not asked for, findings with their rewrite, the best rewrite."""
    code, out, _ = lab("lint", "make it move, no zoom", "--json")
    assert code == 0
    (said,) = _lines(out)
    assert said["negated"] == ["zoom_in"]
    assert "no_camera_move" in {finding["kind"] for finding in said["findings"]}
    assert all(finding["rewrite"] for finding in said["findings"])
    assert said["rewrite"]


def test_lint_looks_at_the_still(lab: Lab, coffee: Still, tmp_path: Path) -> None:
    """A still that cannot be opened is one line; one that can is checked for room."""
    _one_error(lab("lint", "slow push in", "--still", tmp_path / "gone.png"), "gone.png")
    _one_error(lab("lint", "slow push in", "--ratio", "5:7"), "5:7")
    code, _, _ = lab("lint", "slow push in; steam rises", "--still", coffee.path, "--ratio", "9:16")
    assert code == 0


def test_vary_prints_lines_for_a_sweep_file(lab: Lab, tmp_path: Path, coffee: Still) -> None:
    """The lines stand under `prompts:` as they are, and a sweep of them varies one factor."""
    code, out, _ = lab("vary", "slow pan left; steam rises", "--by", "camera")
    assert code == 0
    file = tmp_path / "sweep.yaml"
    head = SWEEP.format(still=coffee.path).replace("[slow push in, make it move]", "")
    file.write_text(head.replace("prompts: ", "prompts:\n" + out), encoding="utf-8")
    prompts = Sweep.load(file).levels["prompt"]
    assert [prompt.label for prompt in prompts] == [  # type: ignore[union-attr]
        *("camera: lock_off", "camera: pan_left", "camera: pan_right"),
    ]


def test_vary_takes_levels_and_refuses_others(lab: Lab) -> None:
    """Levels are named one by one; an unknown one is a line that says what there is."""
    given = ("--by", "pace", "--level", "brisk", "--level", "slow")
    code, out, _ = lab("vary", "slow pan left", *given, "--json")
    assert code == 0
    assert [row["name"] for row in _lines(out)] == ["pace: brisk", "pace: slow"]
    _one_error(lab("vary", "slow pan left", "--by", "speed"), "varied by 'speed'")
    _one_error(lab("vary", "slow pan left", "--by", "pace", "--level", "slw"), "mean 'slow'")


def test_help_costs_nothing_and_names_every_command() -> None:
    """`lab --help` prints the commands and exits 0 without loading pixels."""
    code, out, err = _process("--help")
    assert (code, err) == (0, "")
    for command in ("demo", "preflight", "lint", "plan", "run", "status", "score", "report"):
        assert f" {command} " in out


def test_a_full_pipe_is_no_error(clip: Path) -> None:
    """A reader that leaves early, like head, is not answered with a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "lint", "slow push in", "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        _, err = process.communicate()
    assert err == ""


def test_score_adds_the_published_numbers_when_asked(
    lab: Lab, clip: Path, coffee: Still, monkeypatch: pytest.MonkeyPatch, fresh_settings: None
) -> None:
    """They join the record with units and reasons; it stays one object on one line."""
    monkeypatch.delenv("I2VLAB_DINO", raising=False)
    code, out, err = lab("score", clip, "--still", coffee.path, "--literature", "--json")
    assert (code, err) == (0, "")
    (said,) = _lines(out)
    assert list(said["scores"]) == list(said["units"]) == [*SPECS, *LITERATURE]
    assert set(said["reasons"]) == {n for n, value in said["scores"].items() if value is None}
    assert 0.8 < said["scores"]["vbench.temporal_flickering"] < 1
    assert "I2VLAB_DINO" in said["reasons"]["vbench.i2v_subject"]


def test_the_published_numbers_have_a_block_of_their_own(
    lab: Lab, clip: Path, monkeypatch: pytest.MonkeyPatch, fresh_settings: None
) -> None:
    """For people they stand below ours, under a line that says what they are."""
    monkeypatch.delenv("I2VLAB_DINO", raising=False)
    code, out, _ = lab("score", clip, "--literature")
    assert code == 0
    lines = out.splitlines()
    start = lines.index("  as published, at native size:")
    block = [line.split()[0] for line in lines[start + 1 : start + 1 + len(LITERATURE)]]
    assert block == list(LITERATURE)
    assert max(lines.index(line) for line in lines if line.split()[:1] == ["motion"]) < start
    assert "as published" not in lab("score", clip)[1]


def test_many_clips_get_the_published_numbers_too(lab: Lab, clip: Path, tmp_path: Path) -> None:
    """Workers are asked for them as well; each clip keeps its own line."""
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    code, out, _ = lab("score", clip, other, "--literature", "--json")
    assert code == 0
    first, second = _lines(out)
    assert first["scores"]["lai.warping_error"] == second["scores"]["lai.warping_error"] is not None


TINY_CALIBRATION = """
import sys

from lab.calibration import DEFECTS, NUISANCES, card, clean_clips, probes, statistics
from lab.cli import main

clean_clips.FRAMES, clean_clips.SIZE_PX = 8, (160, 96)
statistics._RESAMPLES = 40
for module in (card, probes):
    module.NUISANCES = NUISANCES[-1:]
    module.DEFECTS = tuple(one for one in DEFECTS if one.name in ("global flicker", "pulse"))

if __name__ == "__main__":
    main(sys.argv[1:])
"""


@pytest.fixture
def tiny_calibration(tmp_path: Path, offline: Path) -> list[str]:
    """The command line, of which `calibrate` makes small clips of eight frames and few defects.

    No process looks for the subject: here only what is printed, kept and stopped matters.
    """
    script = tmp_path / "tiny.py"
    script.write_text(TINY_CALIBRATION)
    return [sys.executable, str(script), "calibrate", "--out", str(tmp_path / "out")]


@pytest.mark.slow
def test_calibrate_prints_a_card(tiny_calibration: list[str], tmp_path: Path) -> None:
    """One JSON object and nothing else for tools; tables for people, from what was kept."""
    done = subprocess.run(
        [*tiny_calibration, "--quick", "--json"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    (said,) = _lines(done.stdout)
    assert set(said) == {
        "facts",
        "detection",
        "ordering",
        "nuisances",
        "crosstalk",
        "kinds",
        "missing",
        "tried",
    }
    # Of four photographs a clean and a covered clip, and a spoiled one, or two at the end.
    assert said["facts"]["clips"] == 14
    rows = (tmp_path / "out" / "probes.jsonl").read_text()
    assert len(rows.splitlines()) == 14

    done = subprocess.run(
        [*tiny_calibration, "--quick"], capture_output=True, text=True, check=True
    )
    assert "AUROC of each metric" in done.stdout
    goals, ratings = "Too few clips were measured to judge the goals.", load_agreement()
    assert done.stdout.endswith(f"{goals}\n\n{describe_agreement(ratings)}\n")
    assert done.stderr.splitlines()[-1] == f"validity card: {tmp_path / 'out' / 'card.json'}"
    assert (tmp_path / "out" / "probes.jsonl").read_text() == rows


@pytest.mark.slow
def test_an_interrupted_calibration_can_go_on(tiny_calibration: list[str], tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and one line that counts what is kept; no worker is left."""
    process = subprocess.Popen(
        tiny_calibration, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    rows = tmp_path / "out" / "probes.jsonl"
    until(lambda: rows.is_file() and rows.stat().st_size, process)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=HANGS_S)  # returns once nobody holds the other end
    assert process.returncode == 130
    kept = len(rows.read_text().splitlines())
    assert f"{kept} of " in told
    assert "run the same command again to continue" in told
    assert "Traceback" not in told


def test_calibrate_refuses_folders_without_pictures(lab: Lab, tmp_path: Path) -> None:
    """Exit 2 and one line: too few photographs, no such folder, no footage in it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    out = ("--out", tmp_path / "out", "--json")
    _one_error(lab("calibrate", "--stills", empty, *out), "at least four photographs")
    _one_error(lab("calibrate", "--stills", tmp_path / "gone", *out), "gone: no such folder")
    _one_error(lab("calibrate", "--footage", empty, *out), "empty: holds no clip", ".mp4")
    _one_error(lab("calibrate", "--footage", tmp_path / "gone", *out), "gone: no such folder")
    photograph = tmp_path / "photo.jpg"
    photograph.touch()
    _one_error(lab("calibrate", "--stills", photograph, *out), "photo.jpg: no such folder")


def test_score_says_why_and_draws_where(
    lab: Lab, clip: Path, coffee: Still, tmp_path: Path
) -> None:
    """--why adds every part and the worst moments, --heatmaps a film a headline."""
    maps = tmp_path / "maps"
    code, out, _ = lab("score", clip, "--still", coffee.path, "--why", "--heatmaps", maps)
    assert code == 0
    for part in ("texture", "identity", "zoom"):
        assert f"    {part}" in out
    assert "at its worst" in out
    films = sorted(maps.glob("*.mp4"))
    assert {film.suffixes[-2] for film in films} <= {f".{name}" for name in HEADLINES}
    code, out, _ = lab("score", clip, "--still", coffee.path, "--why", "--heatmaps", maps, "--json")
    (said,) = _lines(out)
    assert [Path(film).name for film in said["heatmaps"]] == [film.name for film in films]
    assert films
    for film in films:
        assert probe(film).frames == said["frames"]
    worst = said["worst"]["motion"][0]
    assert 0 <= worst["frame"] < said["frames"]
    assert all(0 <= side <= 1 for side in worst["box"])
