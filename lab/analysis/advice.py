"""Suggests the next sweep from a run: what to change, why, and a sweep file that does it.

Scores take precedence over rules of thumb. A finding of the prompt linter or of preflight becomes a
suggestion only if the takes with that prompt or still scored worse than others, or if there are no
others to compare with.
"""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lab.analysis.evidence import Evidence
from lab.analysis.loading import load
from lab.analysis.prompt_advice import next_prompts
from lab.analysis.results import Results
from lab.analysis.still_advice import NextStill, next_end_stills, next_stills
from lab.analysis.suggestion import Suggestion
from lab.errors import InputError
from lab.files import file_name, make_writable_folder
from lab.prompts import Prompt
from lab.sweeps import PromptYaml, Sweep, prompt_entry, write_yaml
from lab.units import escape_html

_NO_CHANGE = "This run gives no reason for a change; one more repeat shows whether that was chance."


@dataclass(frozen=True, eq=False)
class Advice:
    """What to try next. suggestions: the most visible flaws first; empty if nothing should change.

    document: the fields of the next sweep without its stills, which `save` writes beside the file.
    """

    suggestions: tuple[Suggestion, ...]
    document: dict[str, Any]
    stills: tuple[NextStill, ...]
    end_stills: tuple[NextStill, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the next sweep file with the suggestions as comments, and check that it loads.

        The stills go into a folder beside the file, named after it. Raises InputError for an
        existing file and for one that cannot be written.
        """
        target = Path(path)
        if os.path.exists(target):
            raise InputError(f"{target}: exists already; name another file or remove it")
        folder = target.parent / file_name(target.stem, "_stills")
        make_writable_folder(folder)
        stills: list[str] = [
            _sweep_path(still.save(folder), target.parent) for still in self.stills
        ] or ["none"]
        end_stills = [_sweep_path(still.save(folder), target.parent) for still in self.end_stills]
        document = {
            "stills": stills,
            **({"end_stills": end_stills} if end_stills else {}),
            **self.document,
        }
        comments = [f"{suggestion.kind}: {suggestion}" for suggestion in self.suggestions]
        write_yaml(target, document, comments or [_NO_CHANGE])
        Sweep.load(target)
        return target

    def __repr__(self) -> str:
        return f"Advice({len(self.suggestions)} suggestions)"

    def to_json(self) -> list[dict[str, str]]:
        """The suggestions as plain data."""
        return [item.to_json() for item in self.suggestions]

    def __str__(self) -> str:
        if not self.suggestions:
            return _NO_CHANGE
        return "\n".join(
            line
            for item in self.suggestions
            for line in (
                f"{item.kind}: {item.about}: {item.change}",
                f"    because {item.evidence}",
                *([f"    try: {item.after}"] if item.after else []),
            )
        )

    def _repr_html_(self) -> str:
        if not self.suggestions:
            return f"<p>{_NO_CHANGE}</p>"
        fields = ("kind", "about", "change", "evidence", "after")
        head = "".join(f"<th>{name}</th>" for name in ("what", *fields[1:4], "try"))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{escape_html(getattr(item, name))}</td>"
                for name in fields
            )
            + "</tr>"
            for item in self.suggestions
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def suggest_next(run: Results | str | Path) -> Advice:
    """Suggest the next sweep from the scores, findings and compliance of a run.

    run: a `Results` or the folder of a run. The best prompt and the best still stay unchanged, so
    that the two runs can be compared. The next run does not buy existing takes again. Raises
    RunFolderError for a folder without a run, InputError if nothing is scored.
    """
    results = run if isinstance(run, Results) else load(run)
    evidence = Evidence(results)
    prompts, prompt_suggestions = next_prompts(evidence)
    stills, still_suggestions = next_stills(evidence)
    suggestions = sorted(
        [*prompt_suggestions, *still_suggestions], key=lambda pair: -np.nan_to_num(pair[0])
    )
    return Advice(
        tuple(suggestion for _, suggestion in suggestions),
        _document(evidence, prompts, changes=bool(suggestions)),
        tuple(stills),
        tuple(next_end_stills(evidence)),
    )


def _document(evidence: Evidence, prompts: Sequence[Prompt], *, changes: bool) -> dict[str, Any]:
    """The fields of the next sweep: those of the run, with one more repeat if nothing changes."""
    sweep = evidence.results.sweep
    levels = {
        name: [level for level in values if level is not None]
        for name, values in sweep["levels"].items()
        if name not in ("still", "end_still", "prompt")
    }
    document = {
        "name": _next_name(sweep["name"] or "run"),
        "question": sweep["question"],
        "prompts": list(_prompt_entries(prompts)),
        "settings": {name: values for name, values in levels.items() if values},
        "zip": sweep["zip"],
        "repeats": sweep["repeats"] + (not changes),
        "backend": sweep["backend"],
        "elements": sweep.get("elements", {}),
        "budget_usd": sweep["budget_usd"],
        "cap_usd": sweep.get("cap_usd"),
    }
    return {name: value for name, value in document.items() if value not in (None, "", [], {})}


def _next_name(name: str) -> str:
    """ "coffee" becomes "coffee, round 2", which becomes "coffee, round 3"."""
    match = re.fullmatch(r"(.*), round (\d+)", name)
    base, number = (match[1], int(match[2])) if match else (name, 1)
    return f"{base[:64]}, round {number + 1}"


def _prompt_entries(prompts: Sequence[Prompt]) -> Iterator[PromptYaml]:
    """The entries of a sweep file for the prompts, with distinct names."""
    labels: set[str] = set()
    for number, prompt in enumerate(prompts, start=1):
        name = prompt.name or (f"prompt {number}" if prompt.label in labels else "")
        labels.add(name or prompt.label)
        yield prompt_entry(replace(prompt, name=name))


def _sweep_path(path: Path, folder: Path) -> str:
    """A path as an entry of a sweep file in `folder`: relative, with wildcards escaped."""
    return glob.escape(Path(os.path.relpath(path, folder)).as_posix())
