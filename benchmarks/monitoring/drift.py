#!/usr/bin/env python
"""How often drift is found where there is some, and where there is none; prints a table and writes JSON."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from streams import SCENARIOS, Scenario, draw

from mlplatform.monitoring.columns import to_columns
from mlplatform.monitoring.drift import ALPHA, MINIMUM_PSI, ColumnDrift, compare
from mlplatform.monitoring.profile import make_profile

RESULTS = Path(__file__).parents[1] / "results" / "monitoring-drift.json"
FOLKLORE_PSI = 0.2
UNDRIFTED = 5
"""Times as many windows without drift: false alarms are rare, so that more are needed to know their rate."""
Rule = Callable[[Sequence[ColumnDrift]], bool]
RULES: dict[str, Rule] = {
    "flagged": lambda found: any(column.level != "none" for column in found),
    "alarm": lambda found: any(column.level == "major" for column in found),
    "PSI > 0.2": lambda found: any(column.psi > FOLKLORE_PSI for column in found),
    "p < 0.05 uncorrected": lambda found: any(column.p < 0.05 for column in found),
}
"""What is served, and two common ways to compare with: a fixed threshold, and a test per column."""


def measure(
    scenario: Scenario, *, columns: int, rows: int, reference_rows: int, windows: int, seed: int
) -> dict[str, object]:
    """Compare windows with a reference each of its own; return the share in which each rule fired."""
    fired = dict.fromkeys(RULES, 0)
    started = time.process_time()
    for number in range(windows):
        generator = np.random.default_rng([seed, columns, rows, number])
        profile = make_profile(draw(generator, reference_rows, columns))
        window = scenario.change(generator, draw(generator, rows, columns))
        found = compare(profile, to_columns(window), {})
        for name, rule in RULES.items():
            fired[name] += rule(found)
    spent = time.process_time() - started
    return {
        "scenario": scenario.name,
        "columns": columns,
        "rows": rows,
        "windows": windows,
        "rates": {name: count / windows for name, count in fired.items()},
        "intervals": {name: _interval(count, windows) for name, count in fired.items()},
        "cpu_ms_per_window": round(spent / windows * 1000, 2),
    }


def _interval(count: int, windows: int) -> list[float]:
    found = stats.binomtest(count, windows).proportion_ci(0.95, method="exact")
    return [round(found.low, 4), round(found.high, 4)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=60, help="windows per scenario (%(default)s)")
    parser.add_argument("--columns", type=int, nargs="+", default=[10, 30], help="columns of a row (%(default)s)")
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 1000], help="rows of a window (%(default)s)")
    parser.add_argument("--reference-rows", type=int, default=5000, help="rows of the reference (%(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = Table("scenario", "columns", "rows", *RULES, title="share of windows in which a rule fired")
    results = []
    for columns in options.columns:
        for rows in options.rows:
            for scenario in SCENARIOS:
                result = measure(
                    scenario,
                    columns=columns,
                    rows=rows,
                    reference_rows=options.reference_rows,
                    windows=options.windows * (1 if scenario.drifted else UNDRIFTED),
                    seed=options.seed,
                )
                results.append(result)
                rates = [f"{rate:.3f}" for rate in result["rates"].values()]
                table.add_row(scenario.name, str(columns), str(rows), *rates)
    Console().print(table)
    document = {
        "date": datetime.now(UTC).date().isoformat(),
        "alpha": ALPHA,
        "minimum_psi": MINIMUM_PSI,
        "reference_rows": options.reference_rows,
        "seed": options.seed,
        "results": results,
    }
    options.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
