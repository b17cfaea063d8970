"""The networks, in Keras on TensorFlow. The only module to import them, for that takes seconds."""

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stages.common.arrays import Floats, Ints
from stages.train.params import TrainParams

CLIP = 10.0  # standard deviations: one crash must not outweigh a year

# Of one product: where it has more, TensorFlow cuts it to fit the processor's first cache, of 32 or 48 KiB,
# and what stands at an edge is added up in another order. On emulated processors, up to here none differed.
MOST_ROWS = 256
MOST_COLUMNS = 256


def make_repeatable(seed: int) -> None:
    """One thread, deterministic kernels, seeded, and nothing left of what the process did before."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for device in tf.config.list_physical_devices("GPU"):
        # Or else TensorFlow takes all of its memory, and leaves none for the processes beside this one.
        tf.config.experimental.set_memory_growth(device, enable=True)
    tf.get_logger().setLevel("ERROR")  # it warns of the second network in a process
    keras.config.set_floatx("float32")  # whatever a user's keras.json says
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


def build(params: TrainParams, mean: Floats, variance: Floats) -> keras.Model:
    """A network from windows (n, window, n_features) to corrections (n, 1), which start at nil.

    It normalises its input by `mean` and `variance`, of shape (n_features,).
    """
    windows = keras.Input((params.window, len(mean)))
    x = keras.layers.Normalization(mean=mean, variance=variance)(windows)
    x = BODIES[params.network](params.units)(keras.ops.clip(x, -CLIP, CLIP))
    x = keras.layers.Dropout(params.dropout)(x)
    return keras.Model(windows, keras.layers.Dense(1, kernel_initializer="zeros")(x))


def dense(units: int) -> Callable[[Any], Any]:
    """A hidden layer that sees all of the window at once."""
    return lambda x: DenseInParts(units, activation="relu")(keras.layers.Flatten()(x))


class DenseInParts(keras.layers.Dense):  # type: ignore[misc]  # Keras has no types
    """A dense layer whose sums are taken in the same order on every processor."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002, FBT001  (as Keras has it)
        """Outputs (n, units) of inputs (n, n_columns): the sum of products over MOST_COLUMNS at a time."""
        spans = [slice(first, first + MOST_COLUMNS) for first in range(0, inputs.shape[1], MOST_COLUMNS)]
        parts = [keras.ops.matmul(inputs[:, span], self.kernel[span]) for span in spans]
        return self.activation(sum(parts[1:], parts[0]) + self.bias)


# From (n, window, n_features) to (n, units); of an LSTM and a GRU it is the last state.
BODIES = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "dense": dense}


def on_table(network: keras.Model, table: NDArray[np.float32], window: int) -> keras.Model:
    """The network from rows of the feature table, (n,), which end the windows; a batch gathers its own."""
    ends = keras.Input((), dtype="int32")
    rows = keras.ops.expand_dims(ends, 1) + np.arange(1 - window, 1, dtype=np.int32)
    return keras.Model(ends, network(keras.ops.take(table, rows, axis=0)))


def with_offset(
    corrector: keras.Model, loss: Callable[[Any, Any, Any], Any], learning_rate: float
) -> keras.Model:
    """From (rows, offsets) to scores, offset plus correction, ready to be fitted by the loss of `Task`."""
    offset = keras.Input((1,))
    score = keras.layers.Add()([offset, corrector.output])
    model = keras.Model([corrector.input, offset], score)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=partial(loss, keras.ops))
    return model


def corrections(corrector: keras.Model, ends: Ints) -> Floats:
    """Corrections of the windows that these rows end, without dropout; shape (n,)."""
    outputs = corrector.predict(ends.astype(np.int32), batch_size=MOST_ROWS, verbose=0)
    return outputs[:, 0].astype(np.float64)


def weights_file(network: keras.Model) -> bytes:
    """The weights as a .weights.h5 file; equal weights give equal bytes, as in a .keras file they don't."""
    file = WeightsInMemory()
    network.save_weights(file)
    return file.getvalue()


def set_weights(network: keras.Model, weights: bytes) -> None:
    """Put what `weights_file` gave into a network of the same build. Raises ValueError where it isn't."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it speaks of containers that hold no weights
        try:
            network.load_weights(WeightsInMemory(weights))
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(" ".join(str(error).split())) from error


class WeightsInMemory(io.BytesIO):
    """A file that touches no disk: on a full one HDF5 crashes, and a killed process leaves it there."""

    def __str__(self) -> str:
        """The name that Keras asks a file of weights to have."""
        return "network.weights.h5"
