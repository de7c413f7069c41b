"""The question of the runs, their design, their takes by state, and the cost."""

from lab.analysis import LoadedRun
from lab.report.blocks import Cell, KeyValues, Paragraph, Section, Table
from lab.report.context import ReportContext
from lab.units import usd_text


def _backend(run: LoadedRun) -> str:
    name, origin = str(run.sweep.get("backend", "")), run.provenance.get("origin")
    return name if origin in (None, name) else f"{name} at {origin}"


def _question(run: LoadedRun) -> str:
    return str(run.sweep.get("question") or "none was written down")


def overview(context: ReportContext) -> Section:
    """Question, backend, varied factors, takes by state, cost, and requests that were not met."""
    results = context.results
    takes = results.takes
    counts = takes["state"].value_counts()
    varied = [f"{name} ({takes[name].nunique(dropna=False)})" for name in results.varied]
    with_cost = takes[takes["cost_usd"].notna()]
    spent = usd_text(float(with_cost["cost_usd"].sum()))
    low, high = (float(with_cost[name].fillna(0).sum()) for name in ("low_usd", "high_usd"))
    if high:
        spent += f"; these takes were estimated at {usd_text(low, high)}"
    if len(with_cost) < len(takes):
        spent += f"; known for {len(with_cost)} of {len(takes)} takes"
    pairs = [
        ("question", context.describe_runs(_question)),
        ("backend", context.describe_runs(_backend)),
        ("varied", ", ".join(varied) or "nothing"),
        ("takes", ", ".join(f"{count} {state}" for state, count in counts.items())),
        ("spent", spent),
    ]
    created = [row for run in results.runs for row in run.created.to_dict("records")]
    if created:
        cost = sum(row["cost_usd"] for row in created if row["cost_usd"] == row["cost_usd"])
        pairs.append(("stills", f"{len(created)} pictures made from text, for {usd_text(cost)}"))
    blocks: list[Paragraph | KeyValues | Table] = [
        Paragraph(remark, "warning", f"remark {number} on the takes")
        for number, remark in enumerate(results.remarks, start=1)
    ]
    blocks.append(KeyValues(pairs, verify_name="what was asked"))
    not_met = takes[takes["not_honoured"] != ""]
    if len(not_met):
        take_counts = not_met.groupby("not_honoured", sort=False)["take_id"].count()
        blocks.append(
            Table(
                "Requests that the backend did not meet",
                ("request and reason", "takes"),
                [
                    (Cell(str(request)), Cell(str(count), float(count)))
                    for request, count in take_counts.items()
                ],
                verify_name="what was not done",
            )
        )
    return Section("What was asked", blocks)
