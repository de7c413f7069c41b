"""Prompts from terms of the vocabulary and from free text, linted while they are written."""

from typing import Any

import ipywidgets as widgets
import traitlets

from lab.errors import LabError
from lab.prompts import KINDS, VARIED, Prompt, lint, rewritten, vary, vocabulary
from lab.stills import Still
from lab.units import escape_html
from lab.widgets.later import Later
from lab.widgets.panel import Panel, Said, button, heading, patience_s, wide
from lab.widgets.picked import Picked

_NONE = "–"


class PromptPanel(Panel):
    """Pick terms or write; add what is good. `value` holds the prompts that were added.

    prompts: texts or `Prompt`s to begin with. still: its room for the motion is linted too. Picked
    terms join what is written by hand and never take its place; Undo takes back a pick or rewrite.
    """

    value = traitlets.Tuple()

    def __init__(
        self, prompts: tuple[str | Prompt, ...] | list[str | Prompt] = (), *, still: Any = None
    ) -> None:
        self.still = None if still is None else Still.of(still)
        self.pickers = {kind: _picker(kind) for kind in KINDS}
        self.text = wide(
            widgets.Textarea(description="prompt", placeholder="slow push-in; steam rises", rows=4)
        )
        self.name = wide(widgets.Text(description="name", placeholder="what tables call it"))
        self.remarks = widgets.HTML(layout={"margin": "0 0 0 7.5em"})
        self.take = button("Use the rewrite", "Put the proposed text in place", self._rewrite)
        self.back = button("Undo", "The text before the last pick or rewrite", self._undo)
        self.put = button("Add prompt", "Add it to the list", self._add)
        self.by = widgets.Dropdown(options=list(VARIED), description="vary by")
        self.spread = button("Add variants", "Prompts that differ in that alone", self._vary)
        self.list = widgets.SelectMultiple(rows=6, description="prompts")
        wide(self.list)
        self.drop = button("Remove marked", "Take them off the list", self._drop)
        self.said = Said()
        self._later = Later()
        self._rewritten = ""
        self._picked = Picked()
        self._before: list[tuple[Picked, dict[str, str]]] = []
        self._filling = False  # while the panel itself changes the text and the pickers
        super().__init__(
            [
                heading("Prompts"),
                widgets.HBox(
                    [
                        widgets.VBox(list(self.pickers.values()), layout={"flex": "1 1 18em"}),
                        widgets.VBox(
                            [self.text, self.name, self.remarks], layout={"flex": "2 1 26em"}
                        ),
                    ],
                    layout={"flex_flow": "row wrap"},
                ),
                widgets.HBox([self.put, self.take, self.back, self.by, self.spread]),
                self.list,
                widgets.HBox([self.drop]),
                self.said,
            ]
        )
        for picker in self.pickers.values():
            picker.observe(self._pick, "value")
        self.text.observe(lambda _: self._changed(), "value")
        self.name.observe(lambda _: self.show_code(), "value")
        self.back.disabled = True
        self._put([Prompt.written(one) if isinstance(one, str) else one for one in prompts])
        self._changed()

    def _pick(self, change: dict[str, Any]) -> None:
        """Say the picked terms in the text, beside what was written by hand."""
        if self._filling:
            return
        chosen = self._chosen()
        kind = next(kind for kind, picker in self.pickers.items() if picker is change["owner"])
        self._remember({**chosen, kind: change["old"]})
        self._fill(self._picked.with_words(_words(chosen)), chosen)

    def _chosen(self) -> dict[str, str]:
        return {kind: picker.value for kind, picker in self.pickers.items()}

    def _remember(self, chosen: dict[str, str]) -> None:
        self._before.append((self._picked, chosen))
        self.back.disabled = False

    def _fill(self, picked: Picked, chosen: dict[str, str]) -> None:
        """Show a text, and in the pickers which of its words they put there."""
        self._picked, self._filling = picked, True
        try:
            for kind, picker in self.pickers.items():
                picker.value = chosen[kind]
            self.text.value = picked.text
        finally:
            self._filling = False

    def _undo(self) -> None:
        picked, chosen = self._before.pop()
        self.back.disabled = not self._before
        self._fill(picked, chosen)

    def _changed(self) -> None:
        text, still = self.text.value, self.still
        if not self._filling:
            self._picked = self._picked.typed(text)
            if not self._picked.has_words:  # they are somebody's own words now
                self._fill(self._picked, dict.fromkeys(self.pickers, ""))
        self._later.call(lambda: _linted(text, still), self._tell)
        self.show_code()

    def _tell(self, told: tuple[str, str]) -> None:
        self.remarks.value, self._rewritten = told
        self.take.disabled = not self._rewritten

    def _rewrite(self) -> None:
        if self._rewritten:
            self._remember(self._chosen())
            self._fill(Picked(self._rewritten), dict.fromkeys(self.pickers, ""))

    def _written(self) -> Prompt | None:
        try:
            return Prompt.written(self.text.value, self.name.value.strip())
        except LabError as error:
            self.said.say(str(error), "error")
            return None

    def _add(self) -> None:
        prompt = self._written()
        if prompt is not None:
            self._put([prompt])

    def _vary(self) -> None:
        prompt = self._written()
        if prompt is None:
            return
        try:
            self._put(vary(prompt, self.by.value))
        except LabError as error:
            self.said.say(str(error), "error")

    def _put(self, prompts: Any) -> None:
        known = {prompt.text for prompt in self.value}
        new = [prompt for prompt in prompts if prompt.text not in known]
        self.said.say("" if new or not prompts else "That text stands in the list already.")
        self._set((*self.value, *new))

    def _drop(self) -> None:
        marked = set(self.list.value)
        self._set(tuple(one for place, one in enumerate(self.value) if place not in marked))

    def _set(self, prompts: tuple[Prompt, ...]) -> None:
        self.value = prompts
        self.list.options = [(_shown(prompt), place) for place, prompt in enumerate(prompts)]
        self.show_code()

    def code(self) -> str:
        """The prompts in the list, and the one being written, as calls."""
        listed = [
            f"    lab.Prompt.written({prompt.text!r}, {prompt.name!r})," for prompt in self.value
        ]
        lines = ["import lab", "", "prompts = [", *listed, "]"]
        if self.text.value.strip():
            lines += [
                f"lab.lint({self.text.value!r})",
                f"lab.vary({self.text.value!r}, {self.by.value!r})",
            ]
        return "\n".join(lines)

    def twin(self) -> str:
        """The list of prompts, and how the one being written is understood."""
        self._later.join(patience_s())
        listed = "".join(f"<li>{escape_html(_shown(prompt))}</li>" for prompt in self.value)
        return f"<ol>{listed}</ol>{self.remarks.value}"

    def __repr__(self) -> str:
        return f"PromptPanel({[prompt.text for prompt in self.value]!r})"


def _picker(kind: str) -> widgets.Dropdown:
    names = [term.name for term in vocabulary().values() if term.kind == kind]
    return wide(widgets.Dropdown(options=[(_NONE, ""), *((n, n) for n in names)], description=kind))


def _words(chosen: dict[str, str]) -> str:
    """How the picked terms are said together; "" for none."""
    if not any(chosen.values()):
        return ""
    return Prompt.of(
        chosen["camera"],
        chosen["subject"],
        strength=chosen["strength"],
        pace=chosen["pace"],
        mood=chosen["mood"],
    ).text


def _shown(prompt: Prompt) -> str:
    return f"{prompt.name}: {prompt.text}" if prompt.name else prompt.text


def _linted(text: str, still: Still | None) -> tuple[str, str]:
    """What was understood and what is remarked, as HTML; and the best rewrite, "" without one."""
    if not text.strip():
        return "<p class='quiet'>Pick terms, or write what moves: camera, subject, pace.</p>", ""
    try:
        prompt = Prompt.written(text)
        found = lint(prompt, still)
        better = rewritten(prompt, still).text
    except LabError as error:
        return f"<p class='said error'>{escape_html(str(error))}</p>", ""
    remarks = "".join(
        f"<li>{escape_html(f'{finding.severity}: {finding.says}; {finding.fix}')}</li>"
        for finding in found
    )
    new = better if better != prompt.text else ""
    proposal = f"<p>try: <b>{escape_html(new)}</b></p>" if new else ""
    return prompt.reading.to_html() + f"<ul>{remarks or '<li>no remarks</li>'}</ul>{proposal}", new
