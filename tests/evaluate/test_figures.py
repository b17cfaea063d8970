import pytest

from stages.evaluate.figures import Figure


@pytest.mark.parametrize(
    ("better", "worse_value", "better_value"),
    [("higher", 1.0, 2.0), ("lower", 2.0, 1.0), ("near", 93.0, 88.0), ("near", 85.0, 91.0)],
)
def test_the_better_of_two_values_gains(better, worse_value, better_value):
    """Whichever way is better: from the worse to the better is a gain, and back as great a loss."""
    figure = Figure("", "%", better, 90.0)

    assert figure.gain(worse_value, better_value) > 0
    assert figure.gain(better_value, worse_value) == -figure.gain(worse_value, better_value)
    assert figure.gain(better_value, better_value) == 0


def test_a_p_value_that_rejects_nothing_is_as_good_as_another():
    """From "not below" on no value is better; below it, the higher."""
    figure = Figure("", "0 to 1", "not below", 0.05)

    assert figure.gain(0.2, 0.9) == 0
    assert figure.gain(0.01, 0.04) > 0
    assert figure.gain(0.01, 0.5) > 0


def test_of_what_is_neither_nothing_gains():
    """The reference's own worth says nothing of the forecast."""
    assert Figure("", "a year", "neither").gain(-1.0, 5.0) == 0


def test_a_figure_says_its_unit_and_its_target():
    """As docs/metrics.md has it."""
    assert Figure("", "%", "near", 90).unit_better == "%, near 90"
    assert Figure("", "0 to 1", "not below", 0.05).unit_better == "0 to 1, not below .05"
    assert Figure("", "%", "higher", 90).unit_better == "%, higher"
