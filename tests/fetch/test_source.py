import pytest

from stages.common.errors import InputError
from stages.fetch.source import Source, source_of
from tests.fetch.conftest import ROOT, SOURCES, MakeParams


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_declared_where_it_lives(make_params: MakeParams, name: str):
    """Its folder has all that the others need to know of it."""
    assert isinstance(source_of(make_params(source=name)), Source)


def test_each_folder_is_a_source():
    """None is there that no setting names."""
    folders = {path.parent.name for path in (ROOT / "stages/fetch").glob("*/candles.py")}

    assert folders == {*SOURCES}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "simulated"}, None),
        ({"source": "file", "symbols": ["NO/SUCH"]}, "fetch.symbols: NO/SUCH must have one of "),
        ({"source": "exchange"}, None),
        (
            {"source": "exchange", "exchange": {"name": "binanse"}},
            "fetch.exchange.name must be an exchange",
        ),
    ],
)
def test_a_source_says_what_it_cant_have(
    make_params: MakeParams, changes: dict[str, object], message: str | None
):
    """Offline, before an output is touched."""
    params = make_params(**changes)

    if message is None:
        source_of(params).check(params)
        return
    with pytest.raises(InputError, match=message):
        source_of(params).check(params)
