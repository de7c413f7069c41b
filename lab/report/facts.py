"""What a report claims, as data inside it, so that `lab verify` can hold it to the originals."""

from typing import Any

from lab.report.source import Source

FORMAT = 1


def facts(source: Source) -> dict[str, Any]:
    """Every take with the hashes of its files, its state and cost, and all its scores.

    run: the way from the report to the run folder. Scores are as measured, null where there is
    none; versions are those of the metrics' definitions.
    """
    scores = source.results.scores
    by_take = {
        str(take_id): rows for take_id, rows in scores.groupby("take_id", sort=False, observed=True)
    }
    return {
        "format": FORMAT,
        "run": source.link(source.results.folder.path.resolve()),
        "versions": {
            str(name): int(version)
            for name, version in scores.drop_duplicates("metric")[["metric", "version"]].values
        },
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
            }
            for row in source.rows
        ],
    }


def _plain(value: Any) -> float | None:
    return None if value is None or value != value else float(value)
