"""A panel for a sweep: design it, see its price, run it, and watch the takes as they complete."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets as widgets

from lab.errors import LabError
from lab.runs import Control, RunFolder, plan
from lab.sweeps import Plan, Sweep
from lab.units import escape_html
from lab.widgets.debounce import Debounced
from lab.widgets.design_notice import DesignNotice, describe_other_run
from lab.widgets.panel import Panel, StatusLine, button, fallback_timeout_s, heading, wide
from lab.widgets.plan_html import plan_html, trials_html
from lab.widgets.prompt_panel import PromptPanel
from lab.widgets.run_progress import RunProgress
from lab.widgets.run_thread import RunThread, active_run
from lab.widgets.still_panel import StillPanel
from lab.widgets.sweep_form import Arguments, SweepForm, sweep_code

_UPDATE_INTERVAL_S = 1.0


class SweepPanel(Panel):
    """Design a sweep, see its price while you type, run it, and watch the takes.

    sweep: the initial design: a `Sweep`, a sweep file, or a run folder. out: the run folder. If it
    already holds a run, the panel shows that run, and the Run button continues it. If that run has
    another design than the fields, the panel offers to load the design. stills, prompts: panels
    that provide them.

    The run is a thread of this kernel, so other cells keep working. Every step is in the ledger, so
    nothing is lost when the browser closes or the kernel restarts: show the panel again and press
    Continue.
    """

    def __init__(
        self,
        sweep: Sweep | str | Path | None = None,
        *,
        out: str | Path | None = None,
        stills: StillPanel | None = None,
        prompts: PromptPanel | None = None,
    ) -> None:
        initial, initial_folder = _load_sweep(sweep)
        self.form = SweepForm(initial, stills=stills, prompts=prompts, on_change=self._on_change)
        self.sweep: Sweep | None = None
        self._arguments: Arguments = {"stills": [], "prompts": []}
        self._price_usd = 0.0
        self._registers_elements = False
        self._run_thread: RunThread | None = None  # the latest one that this panel started
        self._watcher: threading.Thread | None = None
        self._plan_work = Debounced()
        self._shown_folder: Path | None = None
        name = initial.name if initial is not None and initial.name else "sweep"
        path = str(out or initial_folder or f"runs/{name}")
        self.folder_field = wide(widgets.Text(value=path, description="run folder"))
        self.folder_field.observe(lambda _: self._on_change(), "value")
        self.design_notice = DesignNotice(
            self.form, on_load=self.load_design, on_restore=self._on_change
        )
        self.plan_view = widgets.HTML()
        self.trials_view = widgets.HTML()
        self.agree = widgets.Checkbox(description="Spend what the plan says", indent=False)
        self.agree.layout.display = "none"
        self.run_button = button("▶ Run", "Make the missing takes", self.run)
        self.run_button.button_style = "primary"
        self.pause_button = button(
            "Pause", "Submit no new takes; finish those in progress", self.pause
        )
        self.resume_button = button("Resume", "Submit takes again", self.resume)
        self.stop_button = button(
            "Stop", "End the run now; Continue goes on with it later, nothing is lost", self.stop
        )
        self.status = StatusLine()
        self.progress = RunProgress()
        super().__init__(self._layout_widgets())
        self.agree.observe(lambda _: self.show_code(), "value")
        self._open_folder()
        self._on_change()

    def _layout_widgets(self) -> list[widgets.Widget]:
        form, progress, wrap = self.form, self.progress, {"flex_flow": "row wrap"}
        content = [form.name, form.question, form.stills, form.prompts]
        settings = [*form.setting_fields(), form.repeats]
        spending = [form.backend, form.budget_usd, form.cap_usd, self.folder_field]
        run_buttons = [self.run_button, self.pause_button, self.resume_button, self.stop_button]
        return [
            heading("Sweep"),
            widgets.HBox(self.design_notice.children, layout=wrap),
            widgets.HBox(
                [
                    widgets.VBox(content, layout={"flex": "3 1 26em"}),
                    widgets.VBox(settings, layout={"flex": "1 1 16em"}),
                    widgets.VBox(spending, layout={"flex": "1 1 16em"}),
                ],
                layout=wrap,
            ),
            widgets.HBox(
                [
                    widgets.VBox([self.plan_view], layout={"flex": "1 1 28em"}),
                    widgets.VBox([self.trials_view], layout={"flex": "1 1 24em"}),
                ],
                layout=wrap,
            ),
            widgets.HBox([*run_buttons, self.agree, progress.bar, progress.text], layout=wrap),
            widgets.HBox([progress.spend_bar, progress.spend_text], layout=wrap),
            self.status,
            progress.takes.table,
        ]

    @property
    def folder(self) -> RunFolder:
        """The run folder in the field."""
        return RunFolder(self.folder_field.value.strip() or "runs/sweep")

    @property
    def running(self) -> bool:
        """True while a run of this kernel is active in the folder."""
        return active_run(self.folder) is not None

    @property
    def control(self) -> Control | None:
        """The control of this kernel's active run in the folder; None if there is none.

        The run may end at any moment, so two reads may differ.
        """
        active = active_run(self.folder)
        return active.control if active is not None else None

    @property
    def last_error(self) -> BaseException | None:
        """The unexpected exception that ended this panel's latest run, if there was one."""
        return self._run_thread.error if self._run_thread is not None else None

    def run(self) -> None:
        """Make the missing takes. Continues the run in the folder if there is one."""
        if self.running:
            return
        try:
            self._arguments = self.form.arguments()
            sweep = Sweep.of(**self._arguments)
        except LabError as error:
            self.status.show(str(error), "error")
            return
        self.status.show("")
        if self.agree.layout.display == "" and not self.agree.value:
            other = "." if self._registers_elements else ", or set a budget or a cap."
            self.status.show(f"Tick “{self.agree.description}”{other}", "warning")
            return
        folder = self.folder
        self._run_thread = RunThread(
            sweep,
            folder,
            budget_usd=self._agreed_usd,
            confirmed=self.agree.value,
            on_message=self.status.show,
            on_end=self._update_buttons,
        )
        self._shown_folder = folder.path
        self._run_thread.start()
        self._update_buttons()
        self._watch(folder)

    def pause(self) -> None:
        """Submit no new takes. Takes in progress are finished."""
        control = self.control
        if control is not None:
            control.pause()
        self._update_buttons()

    def resume(self) -> None:
        """Submit takes again."""
        control = self.control
        if control is not None:
            control.resume()
        self._update_buttons()

    def stop(self) -> None:
        """End the run now. `run` continues it later."""
        control = self.control
        if control is not None:
            control.stop()
            self.status.show("Stopping…")
        self._update_buttons()

    def wait(self, timeout_s: float | None = None) -> None:
        """Block until the run has ended and the panel shows its final state."""
        active = active_run(self.folder)
        if active is not None:
            active.join(timeout_s)
        if self._watcher is not None:
            self._watcher.join(timeout_s)

    @property
    def _agreed_usd(self) -> float | None:
        """The price that the user saw and agreed to. A plan that costs more is refused.

        None if a budget or a cap limits the spending instead.
        """
        limited = {"budget_usd", "cap_usd"} & set(self._arguments)
        return self._price_usd if self.agree.value and not limited else None

    def _watch(self, folder: RunFolder) -> None:
        """Update the panel in a thread while a run is active in the folder."""
        self._watcher = threading.Thread(target=self._follow, args=(folder,), daemon=True)
        self._watcher.start()

    def _follow(self, folder: RunFolder) -> None:
        active = True
        while active and self.folder.path == folder.path:
            # Checked before the update, so that the last update shows the end of the run.
            active = active_run(folder) is not None or bool(folder.active_runner)
            self._update_progress()
            if active:
                time.sleep(_UPDATE_INTERVAL_S)
        self._update_buttons()
        self._on_change()

    def _update_progress(self) -> None:
        """Show the current state of the run in the folder, or nothing if there is no run."""
        folder = self.folder
        if folder.exists:
            limit = self._arguments.get("cap_usd") or self._arguments.get("budget_usd")
            try:
                status = self.progress.update(folder, float(limit) if limit else None)
            except LabError as error:
                self.status.show(str(error), "error")
            else:
                incomplete = status.scored < status.takes
                self.run_button.description = "▶ Continue" if incomplete else "▶ Run"
                return
        self.progress.clear()
        self.run_button.description = "▶ Run"

    def _open_folder(self) -> None:
        """Show the folder in the field, and follow a run that is active in it."""
        folder = self.folder
        self._shown_folder = folder.path
        self.status.show("")
        self._update_progress()
        self._update_buttons()
        if self.running:
            self.status.show("This run is in progress. The panel shows it live.")
            self._watch(folder)
        elif runner := folder.active_runner:
            self.status.show(
                f"{runner} is running in this folder. The panel shows it live.", "warning"
            )
            self._watch(folder)

    def load_design(self) -> None:
        """Put the design of the run folder into the fields. The user can restore the old fields."""
        try:
            self.design_notice.load(self.folder)
        except LabError as error:
            self.status.show(str(error), "error")
            return
        self._on_change()

    def _update_buttons(self) -> None:
        control = self.control
        running = control is not None
        paused = control is not None and control.paused
        stopped = control is not None and control.stopped
        self.run_button.disabled = running
        self.pause_button.disabled = not running or paused or stopped
        self.resume_button.disabled = not running or not paused or stopped
        self.stop_button.disabled = not running or stopped

    def _on_change(self) -> None:
        self._plan_work.call(self._read_fields, self._show_plan)

    def _read_fields(self) -> "_FieldState":
        state = _FieldState()
        try:
            state.arguments = self.form.arguments()
            state.sweep = Sweep.of(**state.arguments)
            state.plan = plan(state.sweep, self.folder.path)
        except LabError as error:
            state.error = str(error)
        with suppress(LabError):  # an unreadable ledger is reported by `_update_progress`
            state.other_run = describe_other_run(self.folder, state.sweep)
        return state

    def _show_plan(self, state: "_FieldState") -> None:
        self.sweep, self._arguments = state.sweep, state.arguments
        if state.plan is None:
            lines = "<br>".join(escape_html(line) for line in state.error.splitlines())
            self.plan_view.value = f'<div class="status error">{lines}</div>'
            self.trials_view.value = ""
        else:
            self.plan_view.value = plan_html(state.plan)
            self.trials_view.value = trials_html(state.plan.sweep)
        needs_confirmation = state.plan is not None and state.plan.needs_confirmation
        agree_label = "Spend what the plan says"
        if state.plan is not None and needs_confirmation:
            agree_label = state.plan.confirmation
        if self.agree.description != agree_label:
            self.agree.value = False  # the user agreed to another plan
        self._registers_elements = bool(state.plan and state.plan.sweep.unregistered_elements)
        self._price_usd = state.plan.high_usd if state.plan is not None else 0.0
        self.agree.description = agree_label
        self.agree.layout.display = "" if needs_confirmation else "none"
        self.show_code()
        self.design_notice.show(state.other_run)
        if self.folder.path != self._shown_folder:
            self._open_folder()
        elif not self.running:
            self._update_progress()

    def code(self) -> str:
        """Calls that make the sweep and run it."""
        return sweep_code(
            self._arguments,
            self.folder.path,
            agreed_usd=self._agreed_usd,
            confirmed=self.agree.value and self._registers_elements,
        )

    def static_fallback(self) -> str:
        """The plan, the trials, and the progress of the run."""
        self._plan_work.join(fallback_timeout_s())
        return (
            f"{self.plan_view.value}{self.trials_view.value}"
            f"<p>{self.progress.text.value}</p>{self.status.value}"
        )

    def __repr__(self) -> str:
        return f"SweepPanel(out={self.folder_field.value!r})"


@dataclass
class _FieldState:
    """What the fields describe: the sweep and its plan, or the error in them.

    other_run: a description of the folder's run if its design differs, or "".
    """

    arguments: Arguments = field(default_factory=lambda: Arguments(stills=[], prompts=[]))
    sweep: Sweep | None = None
    plan: Plan | None = None
    error: str = ""
    other_run: str = ""


def _load_sweep(given: Sweep | str | Path | None) -> tuple[Sweep | None, Path | None]:
    """The sweep to start with, and the run folder that it comes from, if any."""
    if given is None or isinstance(given, Sweep):
        return given, None
    if Path(given).is_dir():
        return Sweep.from_run(given), Path(given)
    return Sweep.load(given), None
