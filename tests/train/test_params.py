import pytest
from pydantic import ValidationError


def test_a_seed_given_twice_is_refused(make_params):
    """The same seed twice would be the same network twice."""
    with pytest.raises(ValidationError, match="each once"):
        make_params(seeds=[1, 2, 1])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_are_what_numpy_takes(make_params, seed):
    """A seed that the generators would refuse is refused at the door."""
    with pytest.raises(ValidationError, match="seeds"):
        make_params(seeds=[seed])
