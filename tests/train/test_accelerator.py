import pytest

from stages.common.errors import InputError
from stages.train.accelerator import check_metal, installed


@pytest.mark.parametrize("tensorflow", ["2.18.0", "2.18.1", "2.19.0", "2.19.1"])
def test_the_pair_that_works_passes(tensorflow):
    """tensorflow-metal 1.2.0 is let through beside TensorFlow 2.18 and 2.19."""
    check_metal(tensorflow, "1.2.0")


@pytest.mark.parametrize("tensorflow", ["2.1.8", "2.17.1", "2.20.0", "2.21.0", "3.18.0"])
def test_a_pair_that_crashes_is_refused(tensorflow):
    """Any other TensorFlow beside the plug-in is refused, in one line that names both versions."""
    with pytest.raises(
        InputError, match=rf"received tensorflow-metal 1\.2\.0 with .* {tensorflow}\.$"
    ) as error:
        check_metal(tensorflow, "1.2.0")
    assert "\n" not in str(error.value)


def test_another_plug_in_is_refused():
    """An older tensorflow-metal doesn't load beside TensorFlow 2.18."""
    with pytest.raises(InputError, match=r"tensorflow-metal 1\.1\.0"):
        check_metal("2.18.1", "1.1.0")


def test_without_the_plug_in_any_tensorflow_will_do():
    """Where tensorflow-metal isn't installed there is nothing to refuse."""
    check_metal("2.21.0", None)


def test_versions_are_read_without_an_import():
    """The version of an installed package comes from its metadata, and None stands for no package."""
    assert installed("tensorflow") is not None
    assert installed("no-such-package-at-all") is None
