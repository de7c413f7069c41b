"""A panel for writing prompts: from vocabulary terms and free text, linted while the user types."""

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import traitlets

from lab.errors import LabError
from lab.prompts import KINDS, VARIED, Prompt, lint, rewritten, vary, vocabulary
from lab.stills import Still
from lab.units import escape_html
from lab.widgets.debounce import Debounced
from lab.widgets.panel import Panel, StatusLine, button, fallback_timeout_s, heading, wide
from lab.widgets.prompt_text import PromptText

_NO_TERM = "–"


class PromptPanel(Panel):
    """Pick terms or type, then add the prompt to the list. `value` holds the listed prompts.

    prompts: the initial list, as texts or `Prompt`s. still: also check that the prompts fit this
    still. Picked terms are added to typed text and never replace it. Undo reverts a picked term or
    a rewrite.
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
        self.name = wide(widgets.Text(description="name", placeholder="its name in tables"))
        self.findings = widgets.HTML(layout={"margin": "0 0 0 7.5em"})
        self.rewrite_button = button(
            "Use the rewrite", "Replace the text with the proposed one", self._use_rewrite
        )
        self.undo_button = button(
            "Undo", "Restore the text before the last pick or rewrite", self._undo
        )
        self.add_button = button("Add prompt", "Add it to the list", self._add)
        self.vary_by = widgets.Dropdown(options=list(VARIED), description="vary by")
        self.vary_button = button(
            "Add variants", "Add prompts that differ only in this", self._add_variants
        )
        self.list = widgets.SelectMultiple(rows=6, description="prompts")
        wide(self.list)
        self.remove_button = button(
            "Remove selected", "Remove them from the list", self._remove_selected
        )
        self.status = StatusLine()
        self._lint_work = Debounced()
        self._rewrite = ""
        self._prompt_text = PromptText()
        self._undo_stack: list[tuple[PromptText, dict[str, str]]] = []
        self._updating = False  # True while the panel itself changes the text and the pickers
        super().__init__(
            [
                heading("Prompts"),
                widgets.HBox(
                    [
                        widgets.VBox(list(self.pickers.values()), layout={"flex": "1 1 18em"}),
                        widgets.VBox(
                            [self.text, self.name, self.findings], layout={"flex": "2 1 26em"}
                        ),
                    ],
                    layout={"flex_flow": "row wrap"},
                ),
                widgets.HBox(
                    [
                        self.add_button,
                        self.rewrite_button,
                        self.undo_button,
                        self.vary_by,
                        self.vary_button,
                    ]
                ),
                self.list,
                widgets.HBox([self.remove_button]),
                self.status,
            ]
        )
        for picker in self.pickers.values():
            picker.observe(self._on_pick, "value")
        self.text.observe(lambda _: self._on_text(), "value")
        self.name.observe(lambda _: self.show_code(), "value")
        self.undo_button.disabled = True
        self._append([Prompt.from_text(one) if isinstance(one, str) else one for one in prompts])
        self._on_text()

    def _on_pick(self, change: dict[str, Any]) -> None:
        """Put the phrase of the picked terms into the text, beside the typed words."""
        if self._updating:
            return
        terms = self._picked_terms()
        kind = next(kind for kind, picker in self.pickers.items() if picker is change["owner"])
        self._push_undo({**terms, kind: change["old"]})
        self._set_text(self._prompt_text.with_phrase(_phrase(terms)), terms)

    def _picked_terms(self) -> dict[str, str]:
        return {kind: picker.value for kind, picker in self.pickers.items()}

    def _push_undo(self, terms: dict[str, str]) -> None:
        self._undo_stack.append((self._prompt_text, terms))
        self.undo_button.disabled = False

    def _set_text(self, prompt_text: PromptText, terms: dict[str, str]) -> None:
        """Show a text in the text field and terms in the pickers."""
        self._prompt_text, self._updating = prompt_text, True
        try:
            for kind, picker in self.pickers.items():
                picker.value = terms[kind]
            self.text.value = prompt_text.text
        finally:
            self._updating = False

    def _undo(self) -> None:
        prompt_text, terms = self._undo_stack.pop()
        self.undo_button.disabled = not self._undo_stack
        self._set_text(prompt_text, terms)

    def _on_text(self) -> None:
        text, still = self.text.value, self.still
        if not self._updating:
            self._prompt_text = self._prompt_text.edited(text)
            if not self._prompt_text.has_phrase:
                # The user edited the phrase, so all of it is typed text now.
                self._set_text(self._prompt_text, dict.fromkeys(self.pickers, ""))
        self._lint_work.call(lambda: _lint_html(text, still), self._show_lint)
        self.show_code()

    def _show_lint(self, result: tuple[str, str]) -> None:
        self.findings.value, self._rewrite = result
        self.rewrite_button.disabled = not self._rewrite

    def _use_rewrite(self) -> None:
        if self._rewrite:
            self._push_undo(self._picked_terms())
            self._set_text(PromptText(self._rewrite), dict.fromkeys(self.pickers, ""))

    def _current_prompt(self) -> Prompt | None:
        try:
            return Prompt.from_text(self.text.value, self.name.value.strip())
        except LabError as error:
            self.status.show(str(error), "error")
            return None

    def _add(self) -> None:
        prompt = self._current_prompt()
        if prompt is not None:
            self._append([prompt])

    def _add_variants(self) -> None:
        prompt = self._current_prompt()
        if prompt is None:
            return
        try:
            self._append(vary(prompt, self.vary_by.value))
        except LabError as error:
            self.status.show(str(error), "error")

    def _append(self, prompts: Sequence[Prompt]) -> None:
        listed = {prompt.text for prompt in self.value}
        new = [prompt for prompt in prompts if prompt.text not in listed]
        self.status.show("" if new or not prompts else "That text is in the list already.")
        self._set_prompts((*self.value, *new))

    def _remove_selected(self) -> None:
        selected = set(self.list.value)
        remaining = (prompt for index, prompt in enumerate(self.value) if index not in selected)
        self._set_prompts(tuple(remaining))

    def _set_prompts(self, prompts: tuple[Prompt, ...]) -> None:
        self.value = prompts
        self.list.options = [(_label(prompt), index) for index, prompt in enumerate(prompts)]
        self.show_code()

    def code(self) -> str:
        """Calls that make the listed prompts and check the current text."""
        listed = [
            f"    lab.Prompt.from_text({prompt.text!r}, {prompt.name!r})," for prompt in self.value
        ]
        lines = ["import lab", "", "prompts = [", *listed, "]"]
        if self.text.value.strip():
            lines += [
                f"lab.lint({self.text.value!r})",
                f"lab.vary({self.text.value!r}, {self.vary_by.value!r})",
            ]
        return "\n".join(lines)

    def static_fallback(self) -> str:
        """The listed prompts, and the findings on the current text."""
        self._lint_work.join(fallback_timeout_s())
        listed = "".join(f"<li>{escape_html(_label(prompt))}</li>" for prompt in self.value)
        return f"<ol>{listed}</ol>{self.findings.value}"

    def __repr__(self) -> str:
        return f"PromptPanel({[prompt.text for prompt in self.value]!r})"


def _picker(kind: str) -> widgets.Dropdown:
    names = [term.name for term in vocabulary().values() if term.kind == kind]
    options = [(_NO_TERM, ""), *((name, name) for name in names)]
    return wide(widgets.Dropdown(options=options, description=kind))


def _phrase(terms: dict[str, str]) -> str:
    """The picked terms as one phrase; "" if none is picked."""
    if not any(terms.values()):
        return ""
    return Prompt.of(
        terms["camera"],
        terms["subject"],
        strength=terms["strength"],
        pace=terms["pace"],
        mood=terms["mood"],
    ).text


def _label(prompt: Prompt) -> str:
    return f"{prompt.name}: {prompt.text}" if prompt.name else prompt.text


def _lint_html(text: str, still: Still | None) -> tuple[str, str]:
    """How a prompt was understood and the findings on it, as HTML; then the best rewrite, or ""."""
    if not text.strip():
        return "<p class='quiet'>Pick terms, or write what moves: camera, subject, pace.</p>", ""
    try:
        prompt = Prompt.from_text(text)
        findings = lint(prompt, still)
        best = rewritten(prompt, still).text
    except LabError as error:
        return f"<p class='status error'>{escape_html(str(error))}</p>", ""
    items = "".join(
        f"<li>{escape_html(f'{finding.severity}: {finding.says}; {finding.fix}')}</li>"
        for finding in findings
    )
    items = items or "<li>no findings</li>"
    rewrite = best if best != prompt.text else ""
    proposal = f"<p>try: <b>{escape_html(rewrite)}</b></p>" if rewrite else ""
    return f"{prompt.reading.to_html()}<ul>{items}</ul>{proposal}", rewrite
