"""Panels without a browser: the sweeps of their fields, their messages, and their files."""

import json
import re
import sys
from pathlib import Path

import pytest

import lab
from lab.runs import RunFolder
from lab.sweeps import Sweep
from lab.widgets import PromptPanel, ResultsPanel, StillPanel, SweepPanel
from lab.widgets.plan_html import trials_html
from tests.waiting import until
from tests.widgets.conftest import HOSTILE

pytestmark = pytest.mark.usefixtures("in_process")


def _ids(sweep: Sweep) -> list[str]:
    return [take.id for _, take in sweep.takes()]


def _wait_for_plan(panel: SweepPanel) -> None:
    panel._plan_work.join()
    until(lambda: panel.plan_view.value)


def _execute(code: str) -> dict[str, object]:
    """The variables that the code of a panel defines when it runs elsewhere."""
    space: dict[str, object] = {}
    exec(re.sub(r"^(print\(lab\.run|lab\.load|lab\.write).*$", "", code, flags=re.M), space)
    return space


def test_fields_describe_the_sweep_that_they_show(sweep: Sweep) -> None:
    """A sweep shown in the fields, and the code of the panel, describe the same takes."""
    panel = SweepPanel(sweep, out="run")
    _wait_for_plan(panel)
    assert _ids(panel.form.sweep()) == _ids(sweep)
    assert _ids(_execute(panel.code())["sweep"]) == _ids(sweep)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["coffee", "kling"])
def test_the_sample_sweeps_survive_the_form(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts without a field (cuts, elements, terms) stay as they are in the file."""
    root = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(root)
    loaded = Sweep.load(root / "data" / "sweeps" / f"{name}.yaml")
    panel = SweepPanel(loaded, out="runs/none")
    assert _ids(panel.form.sweep()) == _ids(loaded)
    _wait_for_plan(panel)
    assert _ids(_execute(panel.code())["sweep"]) == _ids(loaded)  # type: ignore[arg-type]


def test_the_price_follows_the_fields(sweep: Sweep) -> None:
    """Another repeat doubles the takes. A mistake is described and names the field."""
    panel = SweepPanel(sweep, out="run")
    _wait_for_plan(panel)
    assert "2 trials x 1 = 2" in panel.plan_view.value
    panel.form.repeats.value = 2
    until(lambda: "2 trials x 2 = 4" in panel.plan_view.value)
    panel.form.backend.value = "kling"
    panel.form.duration_s.value = "5"
    until(lambda: "settings.flaws: no such setting" in panel.plan_view.value)
    panel.form.duration_s.value = "five"
    until(lambda: "not a number" in panel.plan_view.value)
    panel.run()
    assert "seconds: &#x27;five&#x27; is not a number" in panel.status.value
    assert not panel.running


def test_a_still_may_be_a_text(folder: Path) -> None:
    """A line can request the best of several pictures. The plan has their price."""
    panel = SweepPanel(out=folder / "film")
    panel.form.stills.value = "cup.jpg\ncreate 4: morning | a cup, morning light\ncreate: a cat"
    panel.form.prompts.value = "push in"
    panel.form.backend.value = "kling"
    _wait_for_plan(panel)
    assert "5 to be made from text first: morning (best of 4), a cat" in panel.plan_view.value
    assert "morning" in panel.trials_view.value
    shown = SweepPanel(panel.sweep, out=folder / "film")
    assert shown.form.stills.value.splitlines()[1:] == [
        "create 4: morning | a cup, morning light",
        "create: a cat | a cat",
    ]
    assert _ids(shown.form.sweep()) == _ids(panel.form.sweep())


@pytest.mark.parametrize("typed", ["2,50", "1 000", "nan", "inf", "1e999"])
def test_a_sum_of_money_is_one_number(sweep: Sweep, typed: str) -> None:
    """An ambiguous amount, or a text that is not a number, is refused."""
    panel = SweepPanel(sweep, out="run")
    panel.form.budget_usd.value = typed
    with pytest.raises(lab.errors.InputError, match="budget_usd"):
        panel.form.arguments()


def test_an_open_quote_is_refused(folder: Path) -> None:
    """A quote that is not closed in a setting is refused."""
    panel = SweepPanel(out="run")
    panel.form.more.value = 'negative: "blur'
    with pytest.raises(lab.errors.InputError, match="unbalanced quotes"):
        panel.form.arguments()


def test_long_seeds_and_plain_prices_stay_as_they_are(sweep: Sweep) -> None:
    """A seed of ten digits and a budget are the same after they were shown in the fields."""
    dear = Sweep.of(
        stills="cup.jpg",
        prompts=["push in"],
        settings={"seed": 1234567890, "duration_s": 2.5},
        budget_usd=1234567.5,
    )
    again = SweepPanel(dear, out="run").form.sweep()
    assert (_ids(again), again.budget_usd) == (_ids(dear), 1234567.5)


def test_a_still_that_is_deleted_meanwhile_leaves_no_gap(sweep: Sweep) -> None:
    """The table of takes shows the still's name without its picture."""
    assert "<img" in trials_html(sweep)
    Path("cup.jpg").unlink()
    table = trials_html(sweep)
    assert "<img" not in table
    assert ">cup<" in table


def test_money_is_not_spent_without_agreement(sweep: Sweep) -> None:
    """A plan that costs money asks for agreement. Without it, Run buys nothing."""
    panel = SweepPanel(sweep, out="run")
    panel.form.more.value = ""
    panel.form.backend.value = "kling"
    panel.form.duration_s.value = "5"
    until(lambda: panel.agree.description.startswith("Spend 0.84"))
    assert panel.agree.layout.display == ""
    panel.run()
    panel.wait(60)
    assert "set a budget or a cap" in panel.status.value
    assert "Tick “Spend 0.84" in panel.status.value
    assert not RunFolder("run").exists
    panel.agree.value = True
    assert "budget_usd=0.9" in panel.code()
    panel.form.budget_usd.value = "0.1"
    panel.run()  # the new budget applies, not the earlier agreement
    panel.wait(60)
    assert "the budget is 0.10 USD" in panel.status.value
    panel.form.budget_usd.value = ""
    until(lambda: panel.agree.layout.display == "")
    panel.agree.value = True
    panel.form.repeats.value = 2
    panel.run()  # before the new price is shown
    panel.wait(60)
    assert "the plan may cost 1.8" in panel.status.value
    assert not RunFolder("run").exists
    until(lambda: panel.agree.description.startswith("Spend 1.6"))
    assert not panel.agree.value
    panel.form.backend.value = "offline"
    until(lambda: panel.agree.layout.display == "none")


def test_elements_need_agreement(sweep: Sweep) -> None:
    """Pictures of elements stay in the form. A budget does not replace the agreement."""
    with_hero = Sweep.of(
        stills="cup.jpg",
        prompts=["push in on @hero"],
        elements={"hero": ["cup.jpg"]},
        backend="kling",
        budget_usd=5,
    )
    panel = SweepPanel(with_hero, out="run")
    assert panel.form.sweep().pictured_elements == with_hero.pictured_elements
    until(lambda: panel.agree.description.startswith("Register elements (hero, 1 picture)"))
    panel.run()
    assert panel.status.value.count("Tick “Register elements") == 1
    assert "budget or a cap" not in panel.status.value
    panel.agree.value = True
    assert "confirmed=True" in panel.code()


def test_a_sweep_runs_beside_the_kernel(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run returns at once, the table shows new takes, and a new panel shows the same run."""
    monkeypatch.setenv("I2VLAB_WORKERS", "2")
    panel = SweepPanel(sweep, out="run")
    _wait_for_plan(panel)
    panel.pause()
    panel.run()  # while paused no take is made, so this must not wait for one
    assert panel.running
    assert panel.run_button.disabled
    panel.pause()
    assert panel.pause_button.disabled
    assert not panel.resume_button.disabled
    other = SweepPanel(sweep, out="run")
    buttons = (other.run_button, other.resume_button, other.stop_button)
    assert [button.disabled for button in buttons] == [True, False, False]
    other.resume()
    panel.wait(120)
    assert "2 of 2 takes have a scored clip" in panel.status.value
    assert panel.progress.bar.value == panel.progress.bar.max == 2
    rows = panel.progress.takes.table.rows
    assert [row["choosable"] for row in rows] == [True, True]
    until(lambda: all(row["poster"] for row in panel.progress.takes.table.rows))
    assert panel.progress.takes.table.rows[0]["poster"].startswith("files/run/proxies/")
    again = SweepPanel(sweep, out="run")
    assert [row["id"] for row in again.progress.takes.table.rows] == [row["id"] for row in rows]
    _wait_for_plan(again)
    until(lambda: "already done" in again.plan_view.value)
    _check_other_folder(again)
    _check_design_notice(sweep)
    _check_results(Path("run"))


def _state(panel: SweepPanel) -> tuple[object, ...]:
    progress = panel.progress
    shown = (progress.text.value, progress.spend_text.value, progress.bar.value)
    ids = [row["id"] for row in progress.takes.table.rows]
    return ids, *shown, panel.run_button.description


def _check_other_folder(panel: SweepPanel) -> None:
    """Another folder shows nothing of the run. The run is shown again when its folder is."""
    before = _state(panel)
    for typed in ("runs/no such", "cup.jpg"):
        panel.folder_field.value = typed
        until(lambda: _state(panel) == ([], "", "", 0, "▶ Run"))
        panel.folder_field.value = "run"
        until(lambda: _state(panel) == before)


def _visible(panel: SweepPanel) -> tuple[bool, bool]:
    """Whether the buttons to load a design and to restore the fields are visible."""
    notice = panel.design_notice
    load, restore = notice.load_button.layout.display, notice.restore_button.layout.display
    return load != "none", restore != "none"


def _check_design_notice(sweep: Sweep) -> None:
    """Over other fields, the design of the run can be loaded and the fields restored."""
    Path("cup.jpg").rename("away.jpg")
    panel = SweepPanel(out="elsewhere", prompts=PromptPanel(["tilt up"]))
    panel.form.stills.value = "away.jpg"
    _wait_for_plan(panel)
    assert _visible(panel) == (False, False)
    panel.folder_field.value = "run"
    until(lambda: _visible(panel) == (True, False))
    assert "run holds a run of “two” with 2 takes." in panel.design_notice.text.value
    before = panel.form.arguments()
    panel.design_notice.load_button.click()
    until(lambda: "already done" in panel.plan_view.value)
    assert _ids(panel.form.sweep()) == _ids(sweep)
    assert _visible(panel) == (False, True)
    panel.design_notice.restore_button.click()
    assert panel.form.arguments() == before
    until(lambda: _visible(panel) == (True, False))
    shown = SweepPanel("run")
    assert (shown.folder_field.value, _ids(shown.form.sweep())) == ("run", _ids(sweep))
    assert len(shown.progress.takes.table.rows) == 2
    Path("away.jpg").rename("cup.jpg")


def _check_results(out: Path) -> None:
    """The results panel of that run: player, plots, report, refresh and another folder."""
    results = ResultsPanel(out)
    results._start_player()
    assert "Choose one to" in results.status.value
    takes = [row["id"] for row in results.takes.table.rows]
    results.takes.table.chosen = takes[:1]
    results._start_player()
    results.takes.table.chosen = takes  # arrives while the first clip is copied
    until(lambda: results.player is not None and not results.status.value)
    assert results.player is not None
    clips = results.player.session["clips"]
    assert [clip["id"] for clip in clips] == results.takes.table.chosen
    assert all(clip["video"].startswith("files/run/proxies/") for clip in clips)
    results.plot.value = "factor prompt"
    assert 'src="data:image/svg+xml' in results.figure.value
    code = results.code()
    assert "lab.analysis.by_factor(results, 'prompt')" in code
    exec(code.replace("lab.write_report(results)", ""), {})
    results.player._make_heatmaps()
    assert {"flicker", "drift"} <= set(results.player.session["clips"][0]["heatmaps"])
    state = json.dumps(results.player.get_state(["session"]))
    assert "base64" not in state
    assert len(state) < 100_000
    bundle = results._repr_mimebundle_()
    assert "<table" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    fallback = results.player._repr_mimebundle_()[0]["text/html"]
    assert fallback.count("<img") == 2
    results.plot.value = "motion warp"
    messages: list[str] = []
    for line in (results.status, results.report_status):
        line.observe(lambda change: messages.append(change["new"]), "value")
    results._start_player()
    results._start_report()  # neither call cancels the other
    until(lambda: not results.status.value and "Written: " in results.report_status.value)
    assert any("Copying" in message for message in messages)
    assert any("Writing" in message for message in messages)
    assert (out / "report.html").is_file()
    results.refresh()
    assert results.plot.value == "motion warp"
    assert "Written: " in results.report_status.value
    before = (results.summary.value, results.takes.table.rows)
    results.folder_field.value = "no such"
    until(lambda: "no such: holds no run" in results.status.value)
    shown = (results.summary.value, results.takes.table.rows, results.chosen)
    assert (*shown, results.player_box.children) == ("", [], (), ())
    assert results.figure.value == ""
    assert "holds no run" in results.static_fallback()
    results.folder_field.value = str(out)
    until(lambda: results.summary.value)
    assert (results.summary.value, results.takes.table.rows, results.status.value) == (*before, "")


def test_prompts_are_picked_typed_and_varied(folder: Path) -> None:
    """Picked terms make a text. It is linted, can be rewritten, and can get variants."""
    panel = PromptPanel(["lock off; steam rises"])
    panel.pickers["camera"].value = "push_in"
    panel.pickers["pace"].value = "slow"
    assert panel.text.value == "slow push-in"
    panel.text.value = "make it cool"
    until(lambda: "names no camera move" in panel.findings.value)
    panel.rewrite_button.click()
    assert panel.text.value != "make it cool"
    panel._add()
    assert panel.value[0].text == "lock off; steam rises"
    assert len(panel.value) == 2
    panel._add()
    assert len(panel.value) == 2
    assert "is in the list already" in panel.status.value
    panel.vary_by.value = "pace"
    panel._add_variants()
    assert len(panel.value) == 4
    panel.list.value = (0,)
    panel._remove_selected()
    assert len(panel.value) == 3
    assert tuple(_execute(panel.code())["prompts"]) == panel.value  # type: ignore[arg-type]
    panel.text.value = " "
    panel._add()
    assert "the prompt is empty" in panel.status.value


def test_a_picked_term_is_added_to_typed_text(folder: Path) -> None:
    """Terms are added as one clause and can be removed. After an edit they are plain text."""
    panel = PromptPanel()
    text, pickers = panel.text, panel.pickers
    text.value = typed = "My own words, on two lines:\n  the cup glows "
    pickers["camera"].value = "push_in"
    assert text.value == f"{typed.rstrip()}; push-in"
    pickers["pace"].value = "slow"
    assert text.value == f"{typed.rstrip()}; slow push-in"
    text.value = f"First {text.value}; steam rises"  # around the phrase
    pickers["camera"].value = "pull_out"
    assert text.value == f"First {typed.rstrip()}; slow pull-out; steam rises"
    pickers["camera"].value = pickers["pace"].value = ""
    assert text.value == f"First {typed}; steam rises"

    text.value = typed
    pickers["camera"].value = "push_in"
    text.value = edited = text.value.replace("push-in", "push right in")
    assert pickers["camera"].value == ""
    pickers["camera"].value = "orbit_right"
    assert text.value == f"{edited}; orbit right"
    panel.undo_button.click()
    assert (text.value, pickers["camera"].value) == (edited, "")

    text.value = ""
    pickers["pace"].value = "slow"
    text.value += "; steam rises."
    pickers["pace"].value = ""
    assert text.value == "steam rises."
    pickers["camera"].value = "push_in"
    assert text.value == "steam rises. push-in"


def test_undo_reverts_rewrites_and_picked_terms(folder: Path) -> None:
    """Undo reverts one step at a time and is disabled after the last one."""
    panel = PromptPanel()
    panel.text.value = "make it cool"
    until(lambda: not panel.rewrite_button.disabled)
    panel.rewrite_button.click()
    rewritten = panel.text.value
    panel.pickers["mood"].value = "dreamy"
    assert panel.text.value.startswith(rewritten)
    panel.undo_button.click()
    assert (panel.text.value, panel.pickers["mood"].value) == (rewritten, "")
    panel.undo_button.click()
    assert (panel.text.value, panel.undo_button.disabled) == ("make it cool", True)


def test_stills_are_checked_uploaded_and_fitted(folder: Path, subject_weights: Path) -> None:
    """An upload is saved as a file and not in the panel. A fitted still joins the gallery."""
    panel = StillPanel(["cup.jpg"], folder="saved", aspect_ratio="9:16")
    panel._save_uploads([{"name": "../../<b>evil</b>.png", "content": b"no picture"}])
    assert "not" in panel.status.value
    assert not (folder.parent / "evil").exists()
    assert list(Path("saved").glob("*")) == []
    content = memoryview((folder / "cup.jpg").read_bytes() + b"\0")
    panel._save_uploads([{"name": "../ä new one.jpg", "content": content}])
    (saved,) = Path("saved").glob("*")
    assert saved.name == "ä_new_one.jpg"
    assert panel.upload.value == ()
    other = (folder / "cup.jpg").read_bytes() + b"\0\0"
    panel._save_uploads([{"name": "ä new one.jpg", "content": other}])
    panel._save_uploads([{"name": "ä new one.jpg", "content": b"broken"}])
    assert sorted(path.name for path in Path("saved").glob("*")) == [
        "ä_new_one-2.jpg",
        "ä_new_one.jpg",
    ]
    panel.gallery.children[2].children[0].value = False
    panel._fit()
    assert len(panel.value) == 3
    fitted = panel.value[-1]
    assert fitted.width_px / fitted.height_px == pytest.approx(9 / 16, abs=0.01)
    panel.gallery.children[0].children[0].value = False
    assert len(panel.value) == 2
    assert "every check of cup" in panel.static_fallback()
    sys.modules["builtins"].display = lambda shown: None  # type: ignore[attr-defined]
    try:
        assert [one.sha256 for one in _execute(panel.code())["stills"]] == [  # type: ignore[attr-defined]
            still.sha256 for still in panel.value
        ]
    finally:
        del sys.modules["builtins"].display  # type: ignore[attr-defined]


def test_panels_feed_the_sweep(folder: Path) -> None:
    """The sweep panel plans the chosen stills and the listed prompts."""
    stills, prompts = StillPanel(["cup.jpg"]), PromptPanel(["slow push-in"])
    panel = SweepPanel(out="run", stills=stills, prompts=prompts)
    until(lambda: "1 trials x 1 = 1" in panel.plan_view.value)
    prompts.text.value = "fast pan left"
    prompts._add()
    until(lambda: "2 trials x 1 = 2" in panel.plan_view.value)


def test_hostile_text_stays_text_in_panels(sweep: Sweep, folder: Path) -> None:
    """Markup in a name, a question or a prompt is escaped in everything that a panel shows."""
    panel = SweepPanel(sweep, out=f"run{HOSTILE[:4]}")
    panel.form.prompts.value = HOSTILE
    until(lambda: "onerror" in panel.plan_view.value + panel.trials_view.value)
    prompts = PromptPanel([HOSTILE])
    prompts.text.value = HOSTILE
    until(lambda: "onerror" in prompts.findings.value)
    for each in (panel, prompts):
        for shown in (each.static_fallback(), each._code.value):
            assert "onerror" in shown
            assert "<img src=x" not in shown
