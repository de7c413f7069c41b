"""A sweep from design to clips: fields, price, run, and a board of takes as they land."""

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from lab.errors import Interrupted, LabError
from lab.media import data_uri, poster_jpeg
from lab.runs import Control, Ledger, RunFolder, plan, run
from lab.stills import Still
from lab.sweeps import NO_STILL, CreatedStill, Plan, Sweep
from lab.units import escape_html, usd_text
from lab.widgets.board import Board, Seen
from lab.widgets.design import Design, code
from lab.widgets.later import Later
from lab.widgets.panel import Panel, Said, button, heading, patience_s, wide
from lab.widgets.prompt_panel import PromptPanel
from lab.widgets.still_panel import StillPanel

_LOOK_EVERY_S = 1.0
# By run folder: a cell that is run again makes a new panel, which must be able to stop its run.
_UNDER_WAY: dict[Path, tuple[Control, threading.Thread]] = {}
_MOST_PROBLEMS = 12
_REMARKS = ("error", "warning", "note", "differs")


class SweepPanel(Panel):
    """Design a sweep, see its price as you type, run it, and watch the takes land.

    sweep: a `Sweep`, the path of a sweep file, or a run folder whose design to begin with. out: the
    run folder; one that was begun is shown as it stands and gone on with, and its design is offered
    where the fields ask for something else. stills, prompts: panels to take these from. The run is
    a thread of this kernel, so other cells keep working; every step is in the ledger, so that a
    closed browser or a restarted kernel loses nothing: show the panel again and press Run.
    """

    def __init__(
        self,
        sweep: Sweep | str | Path | None = None,
        *,
        out: str | Path | None = None,
        stills: StillPanel | None = None,
        prompts: PromptPanel | None = None,
    ) -> None:
        given, begun = _opened(sweep)
        self.design = Design(given, stills=stills, prompts=prompts, changed=self._changed)
        self.sweep: Sweep | None = None
        self.last_error: BaseException | None = None
        self._price_usd = 0.0
        self._registers = False
        self._watching: threading.Thread | None = None
        self._asked: dict[str, Any] = {}
        self._later = Later()
        self._shown: Path | None = None  # the run folder that the board and the money are of
        self._put_back: Callable[[], None] | None = None
        self._loaded = ""
        named = given.name if given is not None and given.name else "sweep"
        place = str(out or begun or f"runs/{named}")
        self.out = wide(widgets.Text(value=place, description="run folder"))
        self.out.observe(lambda _: self._changed(), "value")
        self.held = widgets.HTML()
        self.load = button("Load its design", "Put it into the fields", self.load_design)
        self.back = button("Put mine back", "The fields as they were before", self._undo)
        self.priced = widgets.HTML()
        self.matrix = widgets.HTML()
        self.agree = widgets.Checkbox(description="Spend what the plan says", indent=False)
        self.agree.layout.display = "none"
        self.start = button("▶ Run", "Make what is missing", self.run, button_style="primary")
        self.hold = button("Pause", "Send nothing new; finish what is under way", self.pause)
        self.again = button("Resume", "Go on sending", self.resume)
        self.end = button("Stop", "End now; nothing is lost, Run goes on", self.stop)
        self.bar = widgets.IntProgress(layout={"width": "16em"})
        self.count = widgets.HTML()
        self.purse = widgets.FloatProgress(layout={"width": "10em"}, bar_style="warning")
        self.money = widgets.HTML()
        self.said = Said()
        self.board = Board(choosable=False, caption="Takes of this run")
        super().__init__(self._laid_out())
        self.agree.observe(lambda _: self.show_code(), "value")
        self._arrive()
        self._offer("")
        self._changed()

    def _laid_out(self) -> list[widgets.Widget]:
        form, flex = self.design, {"flex_flow": "row wrap"}
        what = [form.name, form.question, form.stills, form.prompts]
        how = [*form.settings(), form.repeats]
        money = [form.backend, form.budget_usd, form.cap_usd, self.out]
        return [
            heading("Sweep"),
            widgets.HBox([self.held, self.load, self.back], layout=flex),
            widgets.HBox(
                [
                    widgets.VBox(what, layout={"flex": "3 1 26em"}),
                    widgets.VBox(how, layout={"flex": "1 1 16em"}),
                    widgets.VBox(money, layout={"flex": "1 1 16em"}),
                ],
                layout=flex,
            ),
            widgets.HBox(
                [
                    widgets.VBox([self.priced], layout={"flex": "1 1 28em"}),
                    widgets.VBox([self.matrix], layout={"flex": "1 1 24em"}),
                ],
                layout=flex,
            ),
            widgets.HBox(
                [self.start, self.hold, self.again, self.end, self.agree, self.bar, self.count],
                layout=flex,
            ),
            widgets.HBox([self.purse, self.money], layout=flex),
            self.said,
            self.board.table,
        ]

    @property
    def folder(self) -> RunFolder:
        """The run folder that the field names."""
        return RunFolder(self.out.value.strip() or "runs/sweep")

    @property
    def _under_way(self) -> tuple[Control, threading.Thread] | None:
        """The run of this kernel in that folder, whichever panel began it.

        Its thread may end at any moment, so whoever asks twice may get two answers.
        """
        return _UNDER_WAY.get(self.folder.path.resolve())

    @property
    def running(self) -> bool:
        """True while a panel of this kernel runs in the folder."""
        return self._under_way is not None

    @property
    def control(self) -> Control | None:
        """What pauses, resumes and stops that run; None when nothing runs."""
        under_way = self._under_way
        return under_way[0] if under_way is not None else None

    def run(self) -> None:
        """Make what is missing; goes on where the folder stands."""
        if self.running:
            return
        try:
            self._asked = self.design.asked()
            sweep = Sweep.of(**self._asked)
        except LabError as error:
            self.said.say(str(error), "error")
            return
        self.said.say("")
        self.last_error = None
        if self.agree.layout.display == "" and not self.agree.value:
            other = "." if self._registers else ", or set a budget or a cap."
            self.said.say(f"Tick “{self.agree.description}”{other}", "warning")
            return
        folder, control = self.folder, Control()
        asked = (sweep, folder, self._agreed_usd, self.agree.value, control)
        thread = threading.Thread(target=self._run, args=asked, name="sweep", daemon=True)
        self._shown = folder.path
        _UNDER_WAY[folder.path.resolve()] = (control, thread)
        thread.start()
        self._buttons()
        self._watch(folder)

    def pause(self) -> None:
        """Send nothing new; what is under way is finished."""
        control = self.control
        if control is not None:
            control.pause()
        self._buttons()

    def resume(self) -> None:
        """Go on sending."""
        control = self.control
        if control is not None:
            control.resume()
        self._buttons()

    def stop(self) -> None:
        """End the run now; Run goes on with it."""
        control = self.control
        if control is not None:
            control.stop()
            self.said.say("Stopping…")
        self._buttons()

    def wait(self, timeout_s: float | None = None) -> None:
        """Block until the run has ended and the panel's last look at the folder is shown."""
        under_way = self._under_way
        if under_way is not None:
            under_way[1].join(timeout_s)
        if self._watching is not None:
            self._watching.join(timeout_s)

    @property
    def _agreed_usd(self) -> float | None:
        """The price that was shown when somebody agreed to it; a dearer plan is refused.

        None where a budget or a cap says what may be spent.
        """
        limited = {"budget_usd", "cap_usd"} & set(self._asked)
        return self._price_usd if self.agree.value and not limited else None

    def _run(
        self,
        sweep: Sweep,
        folder: RunFolder,
        agreed_usd: float | None,
        agreed: bool,
        control: Control,
    ) -> None:
        how: Any = {"budget_usd": agreed_usd, "confirmed": agreed}
        try:
            outcome = run(sweep, folder.path, **how, quiet=True, control=control)
        except Interrupted as error:
            self.said.say(f"Stopped: {error}.", "warning")
        except LabError as error:
            self.said.say(str(error), "error")
        except Exception as error:  # noqa: BLE001 - the last door of a thread: told, and kept
            self.last_error = error
            said = traceback.format_exception_only(error)[-1].strip()
            self.said.say(f"This is a bug in i2v-lab ({said}); see panel.last_error", "error")
        else:
            lines = str(outcome).splitlines()
            cut = [f"and {len(lines) - _MOST_PROBLEMS} more"] * (len(lines) > _MOST_PROBLEMS)
            tone = "" if outcome.complete else "warning"
            self.said.say("\n".join([*lines[:_MOST_PROBLEMS], *cut]), tone)
        finally:
            del _UNDER_WAY[folder.path.resolve()]
            self._buttons()

    def _watch(self, folder: RunFolder) -> None:
        """Look at the folder again and again while somebody runs there."""
        self._watching = threading.Thread(target=self._look_on, args=(folder,), daemon=True)
        self._watching.start()

    def _look_on(self, folder: RunFolder) -> None:
        place, on = folder.path.resolve(), True
        while on and self.folder.path == folder.path:
            on = place in _UNDER_WAY or bool(
                folder.active_runner
            )  # asked first: the last look is after
            self._look()
            if on:
                time.sleep(_LOOK_EVERY_S)
        self._buttons()
        self._changed()

    def _look(self) -> None:
        """Show the folder that the field names as it stands, or nothing where it holds no run."""
        folder = self.folder
        if folder.exists:
            try:
                self._tell(self.board.look(folder))
                return
            except LabError as error:
                self.said.say(str(error), "error")
        self.board.clear()
        self.bar.max, self.bar.value = 1, 0
        self.count.value = self.money.value = ""
        self.purse.layout.display = "none"
        self.start.description = "▶ Run"

    def _tell(self, seen: Seen) -> None:
        """How far it is, and what it has cost of what it may."""
        self.bar.max, self.bar.value = max(seen.takes, 1), seen.scored
        self.start.description = "▶ Go on" if seen.scored < seen.takes else "▶ Run"
        states = ", ".join(f"{count} {state}" for state, count in seen.states.items())
        self.count.value = escape_html(f"{seen.scored} of {seen.takes} scored ({states})")
        budget = self._asked.get("cap_usd") or self._asked.get("budget_usd")
        self.purse.layout.display = "" if budget else "none"
        if budget:
            self.purse.max, self.purse.value = float(budget), seen.money.spent_usd
        of = f" of {usd_text(float(budget))}" if budget else ""
        self.money.value = escape_html(f"{seen.money}{of}")

    def _arrive(self) -> None:
        """Show the folder that the field names now; follow whoever is at work there."""
        folder = self.folder
        self._shown = folder.path
        self.said.say("")
        self._look()
        self._buttons()
        if self.running:
            self.said.say("This run is under way; the panel follows it.")
            self._watch(folder)
        elif who := folder.active_runner:
            self.said.say(f"{who} is running here; this panel follows it.", "warning")
            self._watch(folder)

    def _offer(self, held: str) -> None:
        """Offer the folder's design, or the fields that it took the place of."""
        told = held or (self._loaded if self._put_back else "")
        self.held.value = f'<div class="said">{escape_html(told)}</div>' if told else ""
        self.load.layout.display = "" if held else "none"
        self.back.layout.display = "" if self._put_back else "none"

    def load_design(self) -> None:
        """Put the design of the run folder into the fields; what stood there can be put back."""
        put_back = self.design.kept()
        try:
            self.design.show(Sweep.from_run(self.folder.path))
        except LabError as error:
            self.said.say(str(error), "error")
            return
        self._put_back, self._loaded = (
            put_back,
            f"The fields hold the design of {self.folder.path}.",
        )
        self._offer("")
        self._changed()

    def _undo(self) -> None:
        if self._put_back is not None:
            self._put_back()
        self._put_back = None
        self._changed()

    def _buttons(self) -> None:
        control = self.control
        running = control is not None
        paused = control is not None and control.paused
        stopping = control is not None and control.stopped
        self.start.disabled = running
        self.hold.disabled = not running or paused or stopping
        self.again.disabled = not running or not paused or stopping
        self.end.disabled = not running or stopping

    def _changed(self) -> None:
        self._later.call(self._price, self._show_price)

    def _price(self) -> "_Priced":
        found = _Priced()
        try:
            found.asked = self.design.asked()
            found.sweep = Sweep.of(**found.asked)
            found.plan = plan(found.sweep, self.folder.path)
        except LabError as error:
            found.error = str(error)
        with suppress(LabError):  # a ledger that cannot be read is told by the board
            found.held = _held(self.folder, found.sweep)
        return found

    def _show_price(self, found: "_Priced") -> None:
        self.sweep, self._asked, priced = found.sweep, found.asked, found.plan
        if priced is None:
            lines = "<br>".join(escape_html(line) for line in found.error.splitlines())
            self.priced.value = f'<div class="said error">{lines}</div>'
            self.matrix.value = ""
        else:
            assert self.sweep is not None
            self.priced.value = _shown(priced)
            self.matrix.value = _matrix(self.sweep)
        asks = priced is not None and priced.needs_confirmation
        question = (
            priced.confirmation if priced is not None and asks else "Spend what the plan says"
        )
        if self.agree.description != question:
            self.agree.value = False  # what was agreed to was something else
        self._registers = bool(priced and priced.sweep.unregistered_elements)
        self._price_usd = priced.high_usd if priced is not None else 0.0
        self.agree.description = question
        self.agree.layout.display = "" if asks else "none"
        self.show_code()
        self._offer(found.held)
        if self.folder.path != self._shown:
            self._arrive()
        elif not self.running:
            self._look()

    def code(self) -> str:
        """The sweep and its run, as calls."""
        return code(
            self._asked,
            self.folder.path,
            agreed_usd=self._agreed_usd,
            confirmed=self.agree.value and self._registers,
        )

    def twin(self) -> str:
        """The plan, the trials, and how far the run is."""
        self._later.join(patience_s())
        return f"{self.priced.value}{self.matrix.value}<p>{self.count.value}</p>{self.said.value}"

    def __repr__(self) -> str:
        return f"SweepPanel(out={self.out.value!r})"


@dataclass
class _Priced:
    """What the fields ask for and what it costs, or why not. held: another run in the folder."""

    asked: dict[str, Any] = field(default_factory=dict)
    sweep: Sweep | None = None
    plan: Plan | None = None
    error: str = ""
    held: str = ""


def _opened(given: Sweep | str | Path | None) -> tuple[Sweep | None, Path | None]:
    """The sweep to begin with, and the run folder that it comes from, if it does."""
    if given is None or isinstance(given, Sweep):
        return given, None
    if Path(given).is_dir():
        return Sweep.from_run(given), Path(given)
    return Sweep.load(given), None


def _held(folder: RunFolder, sweep: Sweep | None) -> str:
    """What run the folder holds that these fields do not ask for; "" where there is none."""
    if not folder.exists:
        return ""
    with Ledger.read(folder.ledger) as ledger:
        known, told = set(ledger.states()), ledger.fact("sweep") or {}
    if sweep is not None and known <= {take.id for _, take in sweep.takes()}:
        return ""
    named = f" of “{told['name']}”" if told.get("name") else ""
    return f"{folder.path} holds a run{named} with {len(known)} takes."


def _shown(priced: Plan) -> str:
    """The plan in short; what it remarks on stills and prompts unfolds."""
    short = [(label, text) for label, text in priced.lines() if label not in ("sweep", "question")]
    remarks = [pair for pair in short if pair[0] in _REMARKS]
    table = _table([pair for pair in short if pair not in remarks])
    if not remarks:
        return table
    counts = [f"{sum(label == kind for label, _ in remarks)} {kind}" for kind in _REMARKS]
    said = ", ".join(count for count in counts if not count.startswith("0 "))
    return f"{table}<details><summary>remarks: {said}</summary>{_table(remarks)}</details>"


def _table(pairs: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape_html(label)}</th><td>{escape_html(text)}</td></tr>'
        for label, text in pairs
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _matrix(sweep: Sweep) -> str:
    """The trials as a table: a column a still, a row a prompt, in each cell how many takes."""
    counts: dict[tuple[str, str], int] = {}
    for trial in sweep.trials():
        key = (str(trial.factors["prompt"]), str(trial.factors["still"]))
        counts[key] = counts.get(key, 0) + sweep.repeats
    stills = {
        one.name if isinstance(one, Still | CreatedStill) else NO_STILL: one
        for one in sweep.levels["still"]
    }
    heads = "".join(
        f'<th scope="col">{_picture(still)}{escape_html(name)}</th>'
        for name, still in stills.items()
    )
    rows = "".join(
        f'<tr><th scope="row">{escape_html(label)}</th>'
        + "".join(f"<td>{counts.get((label, name), 0) or ''}</td>" for name in stills)
        + "</tr>"
        for label in dict.fromkeys(prompt for prompt, _ in counts)
    )
    return (
        "<table><caption>Takes by prompt and still</caption>"
        f"<thead><tr><th>prompt</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _picture(level: Any) -> str:
    still = level.chosen if isinstance(level, CreatedStill) else level
    if not isinstance(still, Still):
        return ""
    address = data_uri(poster_jpeg(still.rgb(), 60), ".jpg")
    return f'<img alt="" src="{address}" style="display:block;height:54px;border-radius:3px">'
