"""What was asked, what came of it and what it cost."""

from lab.analysis.results import SIMULATED_NOTE
from lab.report.blocks import Cell, Facts, Prose, Section, Table
from lab.report.source import Source
from lab.units import usd_text


def _backend(name: str, origin: str | None) -> str:
    return name if origin in (None, name) else f"{name} at {origin}"


def asked(source: Source) -> Section:
    """The question, the design, the count of takes by state, the cost, and what went unheard."""
    results, sweep = source.results, source.results.sweep
    takes = results.takes
    counts = takes["state"].value_counts()
    varied = [f"{name} ({takes[name].nunique(dropna=False)})" for name in results.varied]
    known = takes[takes["cost_usd"].notna()]
    spent = usd_text(float(known["cost_usd"].sum()))
    low, high = (float(known[name].fillna(0).sum()) for name in ("low_usd", "high_usd"))
    if high:
        spent += f"; these takes were estimated at {usd_text(low, high)}"
    if len(known) < len(takes):
        spent += f"; known for {len(known)} of {len(takes)} takes"
    pairs = [
        ("question", str(sweep.get("question") or "none was written down")),
        ("backend", _backend(str(sweep.get("backend", "")), results.provenance.get("origin"))),
        ("varied", ", ".join(varied) or "nothing"),
        ("takes", ", ".join(f"{count} {state}" for state, count in counts.items())),
        ("spent", spent),
    ]
    blocks: list[Prose | Facts | Table] = []
    if results.simulated:
        blocks.append(Prose(SIMULATED_NOTE, "warning", "what is simulated"))
    blocks.append(Facts(pairs, held="what was asked"))
    unheard = takes[takes["not_honoured"] != ""]
    if len(unheard):
        counted = unheard.groupby("not_honoured", sort=False)["take_id"].count()
        blocks.append(
            Table(
                "Asked for and not done by the backend",
                ("request and reason", "takes"),
                [
                    (Cell(str(what)), Cell(str(count), float(count)))
                    for what, count in counted.items()
                ],
                held="what was not done",
            )
        )
    return Section("What was asked", blocks)
