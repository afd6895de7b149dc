"""Did the version load in a fresh process and score its input example through the serving code, within the budgets?"""

from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.gates.trial import ProbeResult, Trial
from mlplatform.registry.settings import PromotionSettings

GATE = "servability"
MEBIBYTE = 2**20


def check(candidate: Candidate, trial: Trial | None) -> Finding:
    """Read the trial of a version.

    Args:
        candidate: The version.
        trial: None when another service than model serving loads it.
    """
    if trial is None:
        owner = candidate.model.served_by
        return Finding(GATE, Status.SKIPPED, f"Not tried: the {owner} service serves it, not model serving.")
    result = trial.result
    if result is None:
        return Finding(GATE, Status.FAILED, trial.failure or "It was not tried.")
    budgets = _budgets(candidate.settings)
    detail = {**result.model_dump(), "budgets": budgets}
    if result.unsafe:
        return Finding(GATE, Status.SKIPPED, "Not tried: its serialization is unsafe.", detail)
    if not result.ok:
        return Finding(GATE, Status.FAILED, f"It cannot be served: {result.reason or 'no reason given'}", detail)
    exceeded = _exceeded(result, budgets)
    if exceeded:
        message = f"It can be served, beyond its budget: {'; '.join(exceeded)}. Make it smaller, or raise the budget."
        return Finding(GATE, Status.FAILED, message, detail)
    return Finding(GATE, Status.PASSED, f"Loaded and scored its input example: {_figures(result)}.", detail)


def _budgets(settings: PromotionSettings) -> dict[str, float | None]:
    load, p50 = settings.servability_max_load, settings.servability_max_p50
    memory = settings.servability_max_memory
    return {
        "load_seconds": None if load is None else load.total_seconds(),
        "predict_ms": None if p50 is None else p50.total_seconds() * 1000,
        "rss_bytes": None if memory is None else int(memory),
    }


def _exceeded(result: ProbeResult, budgets: dict[str, float | None]) -> list[str]:
    """Say which budgets do not hold; a figure that the program did not give does not hold either."""
    words = {
        "load_seconds": ("loading took {} s", 1.0, "ML_SERVABILITY_MAX_LOAD"),
        "predict_ms": ("the median prediction took {} ms", 1.0, "ML_SERVABILITY_MAX_P50"),
        "rss_bytes": ("the process held {} MiB", MEBIBYTE, "ML_SERVABILITY_MAX_MEMORY"),
    }
    found = []
    for name, (text, unit, variable) in words.items():
        budget, value = budgets[name], getattr(result, name)
        if budget is not None and (value is None or value > budget):
            shown = "an unknown number of" if value is None else f"{value / unit:.4g}"
            found.append(f"{text.format(shown)}, more than {budget / unit:.4g} ({variable})")
    return found


def _figures(result: ProbeResult) -> str:
    figures = []
    if result.load_seconds is not None:
        figures.append(f"load {result.load_seconds:.1f} s")
    if result.predict_ms is not None:
        figures.append(f"predict {result.predict_ms:.1f} ms")
    if result.rss_bytes is not None:
        figures.append(f"memory {result.rss_bytes / MEBIBYTE:.0f} MiB")
    return ", ".join(figures)
