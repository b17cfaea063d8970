import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from stages.evaluate import direction, plots


@pytest.fixture
def tables():
    """The tables of a tiny run."""
    days = pd.date_range("2023-01-01", periods=40).strftime("%Y-%m-%d")
    wave = np.sin(np.arange(40) / 5)
    return {
        "training": pd.DataFrame(
            {
                "fold": ["1", "1", "1", "live"],
                "epoch": [0, 1, 2, 0],
                "train_loss": [np.nan, 2.0, 1.0, np.nan],
                "val_loss": [3.0, 2.0, 2.5, 1.0],
            }
        ),
        "forecast": pd.DataFrame({"date": days, "forecast": wave, "benchmark": 0.0, "outcome": 1.1 * wave}),
        "calibration": pd.DataFrame({"forecast": [0.4, 0.6], "outcome": [0.45, 0.5], "rows": 50}),
        "folds": pd.DataFrame(
            {
                "fold": ["1", "2", "all"],
                "skill_pct": [3.0, -1.0, 1.0],
                "edge_pct": 0.0,
                "best_baseline": "base_rate_90d",
            }
        ),
        "months": pd.DataFrame({"month": ["2023-01", "2023-02", "all"], "skill_pct": [3.0, -1.0, 1.0]}),
        "forecasts": pd.DataFrame(
            {
                "forecast": ["network", "benchmark"],
                "skill_pct": [3.0, 0.0],
                "skill_lo": [1.0, 0.0],
                "skill_hi": [5.0, 0.0],
            }
        ),
        "band": pd.DataFrame({"date": days, "least": wave - 1, "greatest": wave + 1}),
        "recent": pd.DataFrame(
            {
                "close_time": pd.date_range("2023-01-01", periods=40, freq="h", tz="UTC"),
                "forecast": wave,
                "outcome": 1.1 * wave,
                "least": wave - 1,
                "greatest": wave + 1,
            }
        ),
        "coverage": pd.DataFrame({"date": days, "percent": 90.0, "month": 90.0}),
        "wealth": pd.DataFrame(
            {"date": days, "network": 1 + wave / 2, "reference": 1.1, "constant": np.linspace(0.9, 0.5, 40)}
        ),
        "scatter": pd.DataFrame({"delta": wave, "surprise": wave}),
        "calls": pd.DataFrame(
            {
                "actual": ["down", "down", "up", "up"],
                "predicted": ["down", "up", "down", "up"],
                "percent": [60.0, 0.0, 40.0, 0.0],
            }
        ),
    }


@pytest.mark.parametrize("banded", [True, False])
def test_every_picture_is_drawn_and_twice_the_same(tables, banded):
    """Equal tables give equal bytes, without a date or a version in them."""
    words = direction.QUESTION.words
    drawn = (plots.draw(tables, words, {"ic": 0.1}, banded=banded) for _ in range(2))
    first, second = ({name: plots.as_svg(each) for name, each in figures.items()} for figures in drawn)

    assert first == second
    assert first.keys() == {
        *("forecast", "recent", "forecasts", "calibration", "coverage"),
        *("folds", "months", "wealth", "training", "calls"),
    }
    for svg in first.values():
        assert "<svg" in svg
        assert not re.search(r"matplotlib\.org|Matplotlib v|<dc:date>", svg)
        assert ("90 % set<" in svg) <= banded


def test_a_picture_has_the_colours_that_the_report_knows(tables):
    """Any other would stay as it is when the reader's page is dark."""
    known = {plots.BLUE, plots.ORANGE, plots.LIGHT, plots.GREY, plots.BLACK, plots.WHITE}

    for figure in plots.draw(tables, direction.QUESTION.words, {"ic": 0.1}, banded=True).values():
        assert set(re.findall(r"#[0-9a-f]{6}(?=[;\"])", plots.as_svg(figure))) <= known


def test_coordinates_are_short_and_nothing_else_is(tables):
    """Two digits of a point are enough; how clear a colour is stays as it was."""
    svg = plots.as_svg(plots.calls(tables["calls"], tables["scatter"], direction.QUESTION.words, 0.1))

    assert not re.search(r' d="[^"]*\.\d{3}', svg)
    assert "opacity: 0.333333" in svg


def test_a_long_test_is_drawn_by_means_of_several_days(tables):
    """No line has more points than a screen; the last day is in the last of them."""
    days = pd.date_range("2015-01-01", periods=2000).strftime("%Y-%m-%d")
    table = pd.DataFrame({"date": days, "forecast": np.arange(2000.0), "benchmark": 0.0, "outcome": 1.0})

    top = plots.forecast(table, None, direction.QUESTION.words).axes[0]

    shown = np.asarray(top.lines[1].get_ydata())
    assert top.get_title(loc="left") == "Means of 3 days"
    assert len(shown) == 667
    assert shown[[0, -1]].tolist() == [1.0, 1998.5]


def test_wealth_lost_is_counted_from_its_peak(tables):
    """Of 1 at the start, too: a strategy that only loses has its peak there."""
    top, bottom = plots.wealth(tables["wealth"]).axes

    assert [line.get_label() for line in top.lines] == ["constant", "reference", "forecast"]
    constant = np.asarray(bottom.lines[0].get_ydata())
    assert constant[[0, -1]] == pytest.approx([-10, -50])
    assert np.asarray(bottom.lines[1].get_ydata()).tolist() == [0] * 40


def test_training_circles_the_epoch_of_least_val_loss(tables):
    """In each fold's panel, on its own axis of epochs."""
    panels = plots.training(tables["training"]).axes

    assert [panel.get_title(loc="left") for panel in panels] == ["fold 1", "live"]
    kept = panels[0].lines[2]
    assert np.column_stack(kept.get_data()).tolist() == [[1, 2]]


def test_a_short_test_is_drawn_too(tables):
    """Five days have no mean of thirty; what there is is shown."""
    bottom = plots.forecast(tables["forecast"].head(5), None, direction.QUESTION.words).axes[1]

    assert np.isfinite(np.asarray(bottom.lines[0].get_ydata(), dtype=float)).any()


def test_calls_show_every_kind_even_if_never_predicted(tables):
    """A collapsed classifier's empty column is the point of the picture."""
    left = plots.calls(tables["calls"], tables["scatter"], direction.QUESTION.words, 0.1).axes[0]

    assert [label.get_text() for label in left.get_xticklabels()] == ["down", "up"]
    assert [text.get_text() for text in left.texts] == ["60.0", "0.0", "40.0", "0.0"]


def test_folds_are_named_with_their_opponent(tables):
    """The last bars are of all folds, whose opponents differ."""
    axes = plots.folds(tables["folds"]).axes[0]

    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["fold 1\nbase rate 90d", "fold 2\nbase rate 90d", "all folds"]


def test_forecasts_are_shown_with_their_intervals(tables):
    """Least loss on top, each with what it might as well have been."""
    axes = plots.forecasts(tables["forecasts"]).axes[0]

    assert [label.get_text() for label in axes.get_yticklabels()] == ["network", "benchmark"]
    assert axes.get_yticks().tolist() == [1, 0]
    bars = axes.collections[0]
    assert isinstance(bars, LineCollection)
    assert [np.asarray(bar)[:, 0].tolist() for bar in bars.get_segments()] == [[1, 5], [0, 0]]


def test_months_stand_beside_the_pooled_skill(tables):
    """A bar a month; the pooled one is a line, not a month."""
    axes = plots.months(tables["months"]).axes[0]

    assert [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)] == [3, -1]
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [1, 1]
