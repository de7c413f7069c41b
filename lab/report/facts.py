"""What a report claims, as data inside it, so that `lab verify` can hold it to the originals."""

from typing import Any

from lab.metrics import SPECS
from lab.report.source import Source

FORMAT = 1


def facts(source: Source) -> dict[str, Any]:
    """Every take with the hashes of its files, its state and cost, and all its scores.

    run: the way from the report to the run folder. Scores are as measured, null where there is
    none; versions are those of the metrics' definitions. not_measured: the scores that are null
    because they were not measured by these definitions.
    """
    scores = source.results.scores
    by_take = {
        str(take_id): rows for take_id, rows in scores.groupby("take_id", sort=False, observed=True)
    }
    return {
        "format": FORMAT,
        "run": source.link(source.results.folder.path.resolve()),
        "versions": {name: spec.version for name, spec in SPECS.items()},
        "takes": [
            {
                "id": row["take_id"],
                "title": source.title(row),
                "state": row["state"],
                "cost_usd": _plain(row["cost_usd"]),
                "clip": row["clip"],
                "clip_sha256": row["clip_sha256"],
                "still": row["still_path"],
                "still_sha256": row["still_sha256"],
                "scores": {
                    str(name): _plain(value)
                    for name, value in by_take[row["take_id"]][["metric", "value"]].values
                },
                "not_measured": [
                    str(name)
                    for name, version in by_take[row["take_id"]][["metric", "version"]].values
                    if version != SPECS[str(name)].version
                ],
            }
            for row in source.rows
        ],
    }


def _plain(value: Any) -> float | None:
    return None if value is None or value != value else float(value)
