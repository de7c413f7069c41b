"""The labelled prompts, and how well linting finds what is wrong with them."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.prompts import Prompt, lint
from lab.prompts.lint import LINTED

Half = Literal["develop", "final"]
_FILE = Path(__file__).parents[1] / "data" / "prompts.toml"


@dataclass(frozen=True)
class Labelled:
    """A prompt, and the kinds of flaw that a person found in it."""

    text: str
    flaws: frozenset[str]


@dataclass(frozen=True)
class Score:
    """How many were found rightly, wrongly, and not at all."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """The share of findings that are right."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """The share of flaws that are found."""
        return self.right / max(self.right + self.missed, 1)


def labelled(half: Half) -> tuple[Labelled, ...]:
    """The prompts of one half."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["prompt"]
    return tuple(
        Labelled(row["text"], frozenset(row["flaws"])) for row in rows if row["half"] == half
    )


def found_in(text: str) -> frozenset[str]:
    """The kinds of flaw that linting finds in a text."""
    return frozenset(finding.kind for finding in lint(Prompt.from_text(text)))


def scores(half: Half) -> dict[str, Score]:
    """By kind, then "all kinds" (each flaw counts), then "flawed" (each prompt counts once)."""
    rows = [(row.flaws, found_in(row.text)) for row in labelled(half)]
    by_kind = {kind: _counted(rows, lambda flaws, kind=kind: {kind} & flaws) for kind in LINTED}
    return {
        **by_kind,
        "all kinds": _counted(rows, lambda flaws: flaws),
        "flawed": _counted(rows, lambda flaws: {"flawed"} if flaws else set()),
    }


def _counted(
    rows: Iterable[tuple[frozenset[str], frozenset[str]]],
    part: Callable[[frozenset[str]], "set[str] | frozenset[str]"],
) -> Score:
    pairs = [(part(flaws), part(found)) for flaws, found in rows]
    return Score(
        right=sum(len(flaws & found) for flaws, found in pairs),
        wrong=sum(len(found - flaws) for flaws, found in pairs),
        missed=sum(len(flaws - found) for flaws, found in pairs),
    )


def table() -> str:
    """The figures of both halves as a Markdown table."""
    develop, final = scores("develop"), scores("final")
    lines = [
        "| kind | in develop | precision | recall | in final | precision | recall |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in develop:
        cells = [
            f"{score.right + score.missed} | {score.precision:.2f} | {score.recall:.2f}"
            for score in (develop[name], final[name])
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
