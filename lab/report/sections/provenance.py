"""The provenance of the results: software versions, seeds, and hashes of stills and clips."""

from collections.abc import Mapping
from typing import Any

from lab.analysis import LoadedRun
from lab.report.blocks import Cell, KeyValues, Section, Table
from lab.report.context import ReportContext


def provenance(context: ReportContext) -> Section:
    """Code, Python and package versions, seeds, zipped factors, and tables of stills and clips."""
    results, takes = context.results, context.rows
    run_column = ["run"] if len(results.runs) > 1 else []
    pairs = [
        ("code", context.describe_runs(lambda run: str(run.provenance.get("git", "unknown")))),
        ("python", context.describe_runs(_python)),
        ("packages", context.describe_runs(_packages)),
        ("seeds", ", ".join(_seed(seed) for seed in dict.fromkeys(results.takes["seed"]))),
        ("zipped", context.describe_runs(_zipped)),
    ]
    stills = {take["still_path"]: take for take in takes if take["still_path"]}.values()
    blocks: list[KeyValues | Table] = [
        KeyValues(pairs, verify_name="the provenance"),
        Table(
            "Stills",
            ("still", "file in the run folder", "SHA-256"),
            [_cells(take, "still", "still_path", "still_sha256") for take in stills],
            verify_name="the stills",
        ),
        Table(
            "Clips",
            (*run_column, "take", "file in the run folder", "bytes", "SHA-256", "remarks"),
            [
                _cells(take, *run_column, "take_id", "clip", "clip_bytes", "clip_sha256", "notes")
                for take in takes
                if take["clip"]
            ],
            verify_name="the clips",
            take_ids=[str(take["take_id"]) for take in takes if take["clip"]],
        ),
    ]
    return Section("Provenance", blocks)


def _cells(take: Mapping[str, Any], *names: str) -> tuple[Cell, ...]:
    return tuple(
        Cell(f"{take[name]:.0f}", float(take[name]))
        if isinstance(take[name], float)
        else Cell(str(take[name]))
        for name in names
    )


def _python(run: LoadedRun) -> str:
    python, system = (run.provenance.get(name, "unknown") for name in ("python", "platform"))
    return f"{python} on {system}"


def _packages(run: LoadedRun) -> str:
    packages = run.provenance.get("packages", {})
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _zipped(run: LoadedRun) -> str:
    return str(run.sweep.get("zip") or "nothing; every factor is crossed")


def _seed(seed: object) -> str:
    return f"{seed:.0f}" if isinstance(seed, int | float) and seed == seed else "one per take"
