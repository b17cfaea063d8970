"""params.yaml as it is in git."""

import shutil
from pathlib import Path

from dvc.utils.serialize import modify_yaml

PARAMS = Path(__file__).parents[1] / "params.yaml"


def test_dvc_rewrites_it_as_it_is(tmp_path):
    """`dvc exp run -S` writes the file anew: going back to an earlier setting leaves nothing to commit."""
    shutil.copy(PARAMS, tmp_path)

    with modify_yaml(str(tmp_path / "params.yaml")):
        pass

    assert (tmp_path / "params.yaml").read_text(encoding="utf-8") == PARAMS.read_text(encoding="utf-8")
