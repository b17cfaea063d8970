"""Whether the accelerator plug-in goes with the installed TensorFlow, asked before that is imported."""

from importlib.metadata import PackageNotFoundError, version

from stages.common.errors import InputError

METAL = "1.2.0"
TENSORFLOW = ("2.18", "2.19")


def check_metal(tensorflow: str, metal: str | None) -> None:
    """Raise InputError if this tensorflow-metal would crash this TensorFlow; None: it isn't installed.

    TensorFlow loads the plug-in as it is imported, and fails there if the two weren't made for each
    other. tensorflow-metal 1.2.0 works with TensorFlow 2.18 and 2.19, and with no other.
    """
    if metal is None:
        return
    if metal != METAL or ".".join(tensorflow.split(".")[:2]) not in TENSORFLOW:
        raise InputError(
            f"tensorflow-metal must be {METAL} and TensorFlow {' or '.join(TENSORFLOW)}, or the former be "
            f"uninstalled; received tensorflow-metal {metal} with TensorFlow {tensorflow}."
        )


def installed(package: str) -> str | None:
    """Version of a package, from its metadata; None if it isn't installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
