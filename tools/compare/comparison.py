"""The comparison as it is told: a verdict, what changed, and figures in the order of importance.

docs/compare.schema.json is made of these classes. What comes as JSON from elsewhere is checked by them,
too: so each text and list has a longest length, and nothing is taken for a number that is none.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from stages.common.task import TASKS
from stages.evaluate.figures import ROLES, TEST, TOP, Figure
from stages.evaluate.stage import own_figures
from tools.compare.answer import Answer, Unit, Verdict, Why
from tools.compare.changes import Change, code_changed, data_changed, settings_changed
from tools.compare.side import Side

FIRST = [  # of the test, in the order of importance; at most twelve
    *("signal", "edge", "skill_pct", "edge_pct", "info_gain_mnats", "coverage_90_pct", "worst_30d_pct"),
    *("width", "auc", "cal_slope", "net_sharpe", "utility_bps"),
]
# What two questions share: the others are of each one's own kind.
SHARED = {
    *("signal", "edge", "skill_pct", "edge_pct", "info_gain_mnats", "coverage_90_pct", "worst_30d_pct"),
    *("net_sharpe", "utility_bps", "turnover", "max_drawdown_pct", "too_short", "is_baseline"),
    *("fold_win_rate", "edge_gain_mnats", "delta_sharpe", "dm_p", "edge_dm_p", "mcs_p", "edge_min_pct"),
}
GroupName = Literal["better", "worse", "same", "not comparable"]
GROUPS: tuple[GroupName, ...] = ("better", "worse", "same", "not comparable")

Text = Annotated[str, StringConstraints(max_length=2000)]
Line = Annotated[str, StringConstraints(max_length=200)]
Count = Annotated[int, Field(ge=0, le=10**12)]


class Part(BaseModel):
    """A part of what is told: every field is there, none else, and every number is one."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Run(Part):
    """One of the two runs."""

    name: Line
    """As it was asked for, or its label."""
    revision: Line
    """The commit's hash, or workspace."""
    task: Line
    """The question."""
    verdict: Text
    """What its own metrics say, in a sentence."""


class Changed(Part):
    """A setting, or a table, that differs."""

    what: Line
    """The setting's key, or what the table holds."""
    a: Text
    """What it is in the first run; empty where it isn't there."""
    b: Text
    """What it is in the second."""


class Row(Part):
    """A figure of both runs."""

    key: Line
    """As in metrics.json."""
    name: Line
    """In words."""
    unit: Line
    """As docs/metrics.md has it."""
    better: Line
    """Which way is better, likewise."""
    a: float | None
    """Of the first run; null where it lacks it."""
    b: float | None
    """Of the second."""
    difference: float | None
    """b - a; null where either is missing, or the two aren't of a kind."""
    lo: float | None
    """Lower end of the difference's 90 % interval; null where it has none."""
    hi: float | None
    """Upper end."""
    gain: float | None
    """How much better b is, whichever way that is; null where neither way is, or nothing is compared."""


class Group(Part):
    """The figures that got better, or worse, stayed the same, or can't be compared."""

    name: GroupName
    """Which of these."""
    rows: Annotated[list[Row], Field(max_length=1000)]
    """In the order of metrics.json."""


class Comparison(Part):
    """All that is told of b against a."""

    schema_version: Literal[1]
    """Changes with the meaning of a field."""
    verdict: Verdict
    """The answer."""
    why: Why
    """Why nothing can be compared; else empty."""
    identical: bool
    """Whether both lose the same on every common row."""
    gain: float | None
    """What b is better by, in `unit`; null where nothing can be compared, or nothing differs."""
    unit: Unit
    """Percent of a's loss that b saves; where what came isn't the same, points of skill."""
    lo: float | None
    """Lower end of its 90 % interval."""
    hi: float | None
    """Upper end."""
    p: Annotated[float, Field(ge=0, le=1)] | None
    """Two-sided p-value of "no difference"."""
    worth: float
    """The least difference worth having, as asked, in `unit`."""
    common_rows: Count
    """Test rows that both scored."""
    common_hours: Count
    """Their distinct times."""
    blocks: float
    """The same in blocks of four weeks, or two horizons if that is longer; 20 are needed."""
    a: Run
    """The first run."""
    b: Run
    """The second."""
    parameters: Annotated[list[Changed], Field(max_length=200)]
    """Settings that differ."""
    data: Annotated[list[Changed], Field(max_length=20)]
    """Tables that differ."""
    code: Annotated[list[Line], Field(max_length=500)]
    """Files of code that differ."""
    forecasts: Count | None
    """Distinct forecasts that were scored in this workspace on b's test rows; null where it isn't known."""
    notes: Annotated[list[Text], Field(max_length=20)]
    """What to know of either run."""
    table: Annotated[list[Row], Field(max_length=len(FIRST))]
    """The figures to read first. Those with an interval are of the common rows, others of each own test."""
    rest: Annotated[list[Group], Field(max_length=len(GROUPS))]
    """All others."""

    @model_validator(mode="after")
    def whole(self) -> "Comparison":
        """Refuse a comparison whose answer lacks a figure."""
        missing = None in (self.gain, self.lo, self.hi, self.p)
        if missing != bool(self.why or self.identical):
            raise ValueError("gain, lo, hi and p must be there, unless nothing is compared or differs")
        return self


def comparison(a: Side, b: Side, found: Answer, worth: float, n_forecasts: int | None) -> Comparison:
    """All that is told. `n_forecasts`: that were scored on the rows of b; None where it isn't known."""
    rows = figure_rows(a, b, found)
    first = [f"test.{key}" for key in FIRST if a.task == b.task or key in SHARED]
    others = [each for key, each in rows.items() if key not in first]
    grouped = {name: [each for each in others if group(each) == name] for name in GROUPS}
    return Comparison(
        schema_version=1,
        verdict=found.verdict,
        why=found.why,
        identical=found.identical,
        gain=found.gain,
        unit=found.unit,
        lo=found.lo,
        hi=found.hi,
        p=found.p,
        worth=worth,
        common_rows=found.n_rows,
        common_hours=found.n_hours,
        blocks=found.n_blocks,
        a=run(a),
        b=run(b),
        parameters=told(settings_changed(a.settings, b.settings)),
        data=told(data_changed(a, b)),
        code=code_changed(a, b),
        forecasts=n_forecasts,
        notes=[*a.notes, *b.notes],
        table=[rows[key] for key in first if key in rows],
        rest=[Group(name=name, rows=of_group) for name, of_group in grouped.items() if of_group],
    )


def run(side: Side) -> Run:
    """A run, as it is told."""
    return Run(name=side.name, revision=side.revision, task=side.task, verdict=side.verdict)


def told(changes: list[Change]) -> list[Changed]:
    """Changes, as they are told."""
    return [Changed(**change._asdict()) for change in changes]


def figure_rows(a: Side, b: Side, found: Answer) -> dict[str, Row]:
    """Every figure of either run, by its path in metrics.json; those of unknown meaning are left out."""
    one, other = a.figures, b.figures
    known = figures_of(a.task) | figures_of(b.task)
    rows = {}
    for key in dict.fromkeys([*one, *other]):
        figure = known.get(key) or of_baseline(key)
        if figure is not None:
            of_a_kind = a.task == b.task or key.removeprefix("test.") in SHARED
            rows[key] = row(key, figure, one.get(key), other.get(key), found, of_a_kind=of_a_kind)
    return rows


def figures_of(task: str) -> dict[str, Figure]:
    """What a task's figures are, by their path in metrics.json; none of a task that isn't known."""
    if task not in TASKS:
        return {}
    blocks = {"test": TEST, "val": ROLES, "train": ROLES, task: own_figures(task)}
    return TOP | {f"{block}.{key}": figure for block, of in blocks.items() for key, figure in of.items()}


def of_baseline(key: str) -> Figure | None:
    """What a figure of the block `baselines` is; None of any other."""
    block, _, name = key.partition(".")
    return Figure(f"loss of {name}", "thousandths", "lower") if block == "baselines" else None


def row(
    key: str, figure: Figure, a: float | None, b: float | None, found: Answer, *, of_a_kind: bool
) -> Row:
    """A figure of both; of the common rows where it was worked out there."""
    of_common = found.ranges.get(key.removeprefix("test.")) if key.startswith("test.") else None
    numbers: dict[str, Any] = {"a": a, "b": b, "difference": None, "lo": None, "hi": None}
    if of_common is not None:
        numbers = {name: getattr(of_common, name) for name in numbers}
    elif a is not None and b is not None:
        numbers["difference"] = b - a
    if not of_a_kind:
        numbers |= {"difference": None, "lo": None, "hi": None}
    if numbers["difference"] is None or figure.better == "neither":
        gain = None
    else:
        gain = figure.gain(numbers["a"], numbers["b"])
    return Row(key=key, **words(figure), gain=gain, **numbers)


def words(figure: Figure) -> dict[str, Any]:
    """What a figure is called, its unit, and which way is better."""
    better = figure.unit_better.removeprefix(f"{figure.unit}, ")
    return {"name": figure.name, "unit": figure.unit, "better": better}


def group(of: Row) -> GroupName:
    """Where a figure belongs that isn't in the table."""
    if of.difference == 0:
        return "same"
    if of.gain is None:
        return "not comparable"
    return "better" if of.gain > 0 else "worse" if of.gain < 0 else "same"
