"""Renders a plan and the trials of a sweep as HTML tables."""

from collections.abc import Sequence

from lab.errors import StillError
from lab.media import data_uri, poster_jpeg
from lab.stills import Still
from lab.sweeps import NO_STILL, CreatedStill, Plan, Sweep
from lab.units import escape_html

# The noun for counting findings, by the plan's label.
_FINDING_LABELS = {"error": "error", "warning": "warning", "note": "note", "differs": "difference"}
_PICTURE_HEIGHT_PX = 54


def plan_html(plan: Plan) -> str:
    """The plan as a table, with the findings on stills and prompts collapsed below it."""
    lines = [(label, text) for label, text in plan.lines() if label not in ("sweep", "question")]
    findings = [line for line in lines if line[0] in _FINDING_LABELS]
    table = _table_html([line for line in lines if line not in findings])
    if not findings:
        return table
    counts = {kind: sum(label == kind for label, _ in findings) for kind in _FINDING_LABELS}
    summary = ", ".join(
        f"{count} {_FINDING_LABELS[kind]}{'s' * (count > 1)}"
        for kind, count in counts.items()
        if count
    )
    return f"{table}<details><summary>{summary}</summary>{_table_html(findings)}</details>"


def trials_html(sweep: Sweep) -> str:
    """The numbers of takes as a table: one column per still, one row per prompt."""
    counts: dict[tuple[str, str], int] = {}
    for trial in sweep.trials():
        key = (str(trial.factors["prompt"]), str(trial.factors["still"]))
        counts[key] = counts.get(key, 0) + sweep.repeats
    stills = {
        level.name if isinstance(level, Still | CreatedStill) else NO_STILL: level
        for level in sweep.levels["still"]
    }
    heads = "".join(
        f'<th scope="col">{_picture_html(level)}{escape_html(name)}</th>'
        for name, level in stills.items()
    )
    rows = "".join(
        f'<tr><th scope="row">{escape_html(prompt)}</th>'
        + "".join(f"<td>{counts.get((prompt, name), 0) or ''}</td>" for name in stills)
        + "</tr>"
        for prompt in dict.fromkeys(prompt for prompt, _ in counts)
    )
    return (
        "<table><caption>Takes by prompt and still</caption>"
        f"<thead><tr><th>prompt</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _table_html(lines: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape_html(label)}</th><td>{escape_html(text)}</td></tr>'
        for label, text in lines
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _picture_html(level: object) -> str:
    still = level.chosen if isinstance(level, CreatedStill) else level
    if not isinstance(still, Still):
        return ""
    try:
        source = data_uri(poster_jpeg(still.rgb(), 60), ".jpg")
    except StillError:  # deleted since the plan was made; the next plan says so
        return ""
    style = f"display:block;height:{_PICTURE_HEIGHT_PX}px;border-radius:3px"
    return f'<img alt="" src="{source}" style="{style}">'
