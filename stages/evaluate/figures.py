"""What each figure of metrics.json is called, its unit, and which way is better.

Said here once: a test holds docs/metrics.md to it. What a task's own figures are stands with its question.
"""

from typing import Literal, NamedTuple

Better = Literal["higher", "lower", "near", "not below", "neither"]


class Figure(NamedTuple):
    """A figure in words, its unit, and which way is better; `value`: of "near" and "not below"."""

    name: str
    unit: str
    better: Better
    value: float = 0.0

    @property
    def unit_better(self) -> str:
        """As docs/metrics.md has it: `%, higher`; `%, near 90`."""
        target = f" {self.value:g}".replace(" 0.", " .") if self.better in ("near", "not below") else ""
        return f"{self.unit}, {self.better}{target}"

    def gain(self, before: float, after: float) -> float:
        """How much better `after` is than `before`; below 0 if it is worse, 0 where neither is better."""
        return self.badness(before) - self.badness(after)

    def badness(self, value: float) -> float:
        """The less, the better."""
        if self.better == "near":
            return abs(value - self.value)
        if self.better == "not below":
            return max(0.0, self.value - value)
        return {"higher": -value, "lower": value}.get(self.better, 0.0)


VERDICT, SHARE, P, FLAG = "-1, 0 or 1", "0 to 1", "0 to 1", "flag"
PERCENT, A_YEAR, BPS, MNATS = "%", "a year", "basis points a year", "milli-nats a forecast"

TOP = {"overfit_gap_pct": Figure("skill on train, less that on test", PERCENT, "near", 0)}

ROLES = {  # of test, val and train alike
    "skill_pct": Figure("skill over the benchmark", PERCENT, "higher"),
    "edge_pct": Figure("edge over the best baseline", PERCENT, "higher"),
    "auc": Figure("ranks: area under the curve", SHARE, "higher"),
    "hit_rate": Figure("right calls", SHARE, "higher"),
}

TEST = ROLES | {
    "signal": Figure("is there anything to know?", VERDICT, "higher"),
    "too_short": Figure("too short for a verdict", FLAG, "lower"),
    "skill_lo": Figure("skill, lower end", PERCENT, "higher"),
    "skill_hi": Figure("skill, upper end", PERCENT, "higher"),
    "dm_p": Figure("p of the skill", P, "lower"),
    "edge": Figure("does the network add to the classics?", VERDICT, "higher"),
    "edge_lo": Figure("edge, lower end", PERCENT, "higher"),
    "edge_hi": Figure("edge, upper end", PERCENT, "higher"),
    "edge_dm_p": Figure("p of the edge", P, "lower"),
    "is_baseline": Figure("the forecast is a baseline", FLAG, "lower"),
    "edge_min_pct": Figure("edge over any baseline", PERCENT, "higher"),
    "fold_win_rate": Figure("folds with an edge", SHARE, "higher"),
    "auc_ref": Figure("ranks of who knows nothing", SHARE, "neither"),
    "ic": Figure("rank correlation with what came", "-1 to 1", "higher"),
    "ic_ref": Figure("rank correlation of who knows nothing", "-1 to 1", "neither"),
    "cal_slope": Figure("calibration: slope", "ratio", "near", 1),
    "cal_intercept": Figure("calibration: level", "score (log-odds, or ln f)", "near", 0),
    "mcs_p": Figure("p of no forecast being better", P, "higher"),
    "info_gain_mnats": Figure("information gained over the benchmark", MNATS, "higher"),
    "edge_gain_mnats": Figure("information gained over the best baseline", MNATS, "higher"),
    "coverage_90_pct": Figure("coverage of the 90 % sets", PERCENT, "near", 90),
    "worst_30d_pct": Figure("coverage in the worst 30 days", PERCENT, "near", 90),
    "width": Figure("width of the 90 % sets", "logs, or 0 to 2", "lower"),
    "net_sharpe": Figure("Sharpe ratio after costs", A_YEAR, "higher"),
    "ref_sharpe": Figure("Sharpe ratio of the reference", A_YEAR, "neither"),
    "constant_sharpe": Figure("Sharpe ratio of a constant exposure", A_YEAR, "neither"),
    "delta_sharpe": Figure("Sharpe ratio over the reference's", A_YEAR, "higher"),
    "delta_sharpe_lo": Figure("Sharpe ratio over the reference's, lower end", A_YEAR, "higher"),
    "delta_sharpe_hi": Figure("Sharpe ratio over the reference's, upper end", A_YEAR, "higher"),
    "turnover": Figure("wealth traded", A_YEAR, "lower"),
    "max_drawdown_pct": Figure("deepest drawdown", PERCENT, "lower"),
    "utility_bps": Figure("realised utility", BPS, "higher"),
    "ref_utility_bps": Figure("realised utility of the reference", BPS, "neither"),
    "constant_utility_bps": Figure("realised utility of a constant exposure", BPS, "neither"),
    "n_rows": Figure("test rows", "count", "neither"),
    "n_eff": Figure("horizons in the test", "count", "neither"),
}
