"""Make three takes that differ in sharpness alone, and print everything that shows their scores.

tests/test_recipes.py runs this script in a tree to which the recipe of a metric was applied.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import lab
from lab.analysis import best_and_worst, describe_levels, load
from lab.cli import main
from lab.metrics import JUDGED
from lab.player.session import metric_entries
from lab.report import write_report
from lab.runs import run
from lab.sweeps import Sweep

still, out = sys.argv[1], Path(sys.argv[2])
sweep = Sweep.of(
    stills=[still],
    prompts=["pan left", "pan right", "tilt up"],
    settings={"duration_s": 0.2, "seed": 7},
)
with ThreadPoolExecutor(2) as executor:
    assert run(sweep, out, quiet=True, executor=executor).problems == ()
results = load(out)
takes = list(results.takes["take_id"])
sharpness = dict(zip(takes, (0.75, 0.25, 0.5), strict=True))
scores = results.scores.copy()
for name in JUDGED:
    values = scores["take_id"].map(sharpness if name == "sharpness" else lambda _: 1.0)
    scores["value"] = scores["value"].mask(scores["metric"] == name, values)
scores["value"] = scores["value"].mask(scores["metric"] == "motion.still", 0.0)
results = replace(results, scores=scores)
ranking = best_and_worst(results)
shown = {
    "lab": lab.__file__,
    "best": [takes.index(ranked.take_id) for ranked in ranking.best],
    "worst": [takes.index(ranked.take_id) for ranked in ranking.worst],
    "reason": ranking.best[0].reasons[0],
    "levels": " ".join(describe_levels(results)),
    "page": write_report(results, out / "report.html").read_text(encoding="utf-8"),
    "player": [entry["name"] for entry in metric_entries()],
}
sys.stdout.write(json.dumps(shown) + "\n")
sys.argv = ["lab", "compare", str(out), "--by", "prompt", "--json"]
main()
