"""The metrics as a sentence or two that a person reads first."""

from typing import Any

SIGNAL = {1: "signal", 0: "no signal", -1: "worse than the benchmark"}
EDGE = {1: "an edge", 0: "no edge", -1: "worse than the best baseline"}


def sentence(metrics: dict[str, Any], task: str, market: str = "") -> str:
    """What results/metrics.json says of a task's forecast, with what to beware of.

    `market`: in words, as `subject.market_of` has them; nothing where it isn't known.
    """
    test = metrics["test"]
    verdict = in_words(signal=test["signal"], edge=test["edge"], too_short=test["too_short"])
    skill, edge = gain(test, "skill", "dm_p"), gain(test, "edge", "edge_dm_p")
    figures = f"Skill over the benchmark {skill}; edge over the best baseline {edge}."
    question = task.replace("_", " ").capitalize()
    subject = f"{question} on {market}" if market else question
    return " ".join([f"{subject}: {verdict}. {figures}", *warnings(metrics, task)])


def in_words(*, signal: int, edge: int, too_short: int) -> str:
    """Both verdicts."""
    return "not enough test to tell" if too_short else f"{SIGNAL[signal]}, {EDGE[edge]}"


def gain(test: dict[str, Any], name: str, p: str) -> str:
    """`-0.31 % [-1.10, 0.42], p = 0.71`."""
    pct, lo, hi = (test[f"{name}_{part}"] for part in ("pct", "lo", "hi"))
    return f"{pct:z.2f} % [{lo:z.2f}, {hi:z.2f}], {p_value(test[p])}"


def p_value(p: float) -> str:
    """`p = 0.71`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def warnings(metrics: dict[str, Any], task: str) -> list[str]:
    """A sentence for each thing that makes the figures mean less than they seem to."""
    found = []
    if agrees(metrics["test"], "skill"):
        found.append("The forecast is the benchmark on every row: any edge is the benchmark's.")
    elif agrees(metrics["test"], "edge"):
        found.append("The forecast is the best baseline's on every row.")
    elif metrics["test"].get("is_baseline"):  # results of an earlier revision lack it
        found.append("The forecast is a single baseline's on every row: there is no network in it.")
    elif metrics[task].get("collapsed"):
        found.append("Collapsed: it calls the same on every row.")
    if overfit(metrics):
        found.append(
            f"Overfit: a skill of {metrics['train']['skill_pct']:.1f} % on the rows it was trained on "
            f"is {metrics['test']['skill_pct']:.1f} % on new ones."
        )
    return found


def agrees(test: dict[str, Any], name: str) -> bool:
    """Whether a gain is nil to the last row: without that, its interval has a width."""
    return all(test[f"{name}_{part}"] == 0 for part in ("pct", "lo", "hi"))


def overfit(metrics: dict[str, Any]) -> bool:
    """Whether test has less than half of the skill that train has, and at least one percent less."""
    train, test = metrics["train"]["skill_pct"], metrics["test"]["skill_pct"]
    return train > 0 and test < train / 2 and metrics["overfit_gap_pct"] >= 1
