"""The networks, in Keras on TensorFlow. The only module to import them, for that takes seconds."""

import io
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

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
    keras.utils.clear_session(free_memory=False)  # there is next to nothing to free
    keras.utils.set_random_seed(seed)


class Layers(NamedTuple):
    """What a network is made of, and how it learns: settings of train."""

    network: str
    units: int
    window: int
    dropout: float
    batch: int
    learning_rate: float


class Network:
    """A network on rows of a feature table, as a correction beside an offset.

    What TensorFlow traces of it takes longer than a fit of a small one, so all fits of a process that ask
    for the same layers have one: normalisation and weights are variables, which `begin` sets. Of the table
    it copies the windows of a batch, no more.
    """

    def __init__(self, layers: Layers, n_features: int, loss: Callable[[Any, Any, Any], Any]) -> None:
        """Not yet begun; `loss` of `Task`."""
        self.layers = layers
        self.table = np.zeros((layers.window, n_features), np.float32)
        self.mean, self.spread = (tf.Variable(np.zeros(n_features, np.float32)) for _ in range(2))
        self.network = build(layers, self.mean, self.spread)
        offset = keras.Input((1,))
        score = keras.layers.Add()([offset, self.network.output])
        self.model = keras.Model([self.network.input, offset], score)
        optimizer = keras.optimizers.Adam(layers.learning_rate)
        self.model.compile(optimizer=optimizer, loss=partial(loss, keras.ops))
        optimizer.build(self.model.trainable_variables)
        self.at_rest = [variable.numpy() for variable in optimizer.variables]
        self.can_learn = False
        # What TensorFlow has traced for one number of rows serves that one alone, and has its own bits; the
        # second makes it trace for any. So it must not matter what the process did before.
        self.corrections(np.full(MOST_ROWS + 1, layers.window - 1))

    def be_traced(self) -> None:
        """Let TensorFlow trace an epoch, once, likewise for any number of rows."""
        if not self.can_learn:
            for n_rows in (1, 2):
                rest = np.full(n_rows, 0.5)
                self.learn(np.full(n_rows, self.layers.window - 1), rest, rest, rest)
            self.can_learn = True

    def begin(self, seed: int, table: NDArray[np.float32], mean: Floats, variance: Floats) -> None:
        """Start as if new: with this seed's weights, on this table, nothing learnt.

        `table`: features, (n_rows, n_features), of a window at least; windows are normalised by `mean` and
        `variance`, (n_features,). The correction starts at nil.
        """
        make_repeatable(seed)
        self.table = table
        self.mean.assign(mean.astype(np.float32))
        self.spread.assign(np.sqrt(variance.astype(np.float32)))
        fresh = build(self.layers, self.mean, self.spread)
        for variable, value in zip(self.network.variables, fresh.variables, strict=True):
            variable.assign(value)
        for variable, value in zip(self.model.optimizer.variables, self.at_rest, strict=True):
            variable.assign(value)

    def learn(self, ends: Ints, offset: Floats, y: Floats, weight: Floats) -> None:
        """Fit one epoch, in the rows' order; all of shape (n,). `ends`: rows that end the windows."""
        # Batch by batch, for Keras' own loop makes a pipeline of tf.data each time, which takes longer.
        for of_batch in batches(len(ends), self.layers.batch):
            columns = [column[of_batch, None].astype(np.float32) for column in (offset, y)]
            self.model.train_on_batch(
                [self.windows(ends[of_batch]), columns[0]],
                columns[1],
                sample_weight=weight[of_batch].astype(np.float32),
            )

    def windows(self, ends: Ints) -> NDArray[np.float32]:
        """The windows of the table that these rows end; shape (n, window, n_features)."""
        return self.table[ends[:, None] + np.arange(1 - self.layers.window, 1)]

    def corrections(self, ends: Ints) -> Floats:
        """Corrections of the windows that these rows end, without dropout; shape (n,)."""
        found = [
            self.network.predict_on_batch(self.windows(ends[of_batch]))[:, 0]
            for of_batch in batches(len(ends), MOST_ROWS)
        ]
        return np.concatenate([*found, np.zeros(0)]).astype(np.float64)

    def weights(self) -> list[NDArray[np.float32]]:
        """The weights as they are."""
        found: list[NDArray[np.float32]] = self.network.get_weights()
        return found

    def put(self, weights: list[NDArray[np.float32]]) -> None:
        """Go back to these weights."""
        self.network.set_weights(weights)

    def weights_file(self) -> bytes:
        """The weights as a .weights.h5 file; equal weights give equal bytes, unlike a .keras file."""
        file = WeightsInMemory()
        self.network.save_weights(file)
        return file.getvalue()

    def read_weights(self, weights: bytes) -> None:
        """Take what `weights_file` of such a network gave. Raises ValueError where it is none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it speaks of containers that hold no weights
            try:
                self.network.load_weights(WeightsInMemory(weights))
            except (OSError, KeyError, ValueError) as error:
                raise ValueError(" ".join(str(error).split())) from error


def network_of(params: TrainParams, n_features: int, loss: Callable[[Any, Any, Any], Any]) -> Network:
    """The network of these settings that this process has, made at the first call; to be begun."""
    of_network = TrainParams.model_fields.keys() & Layers._fields
    return made(Layers(**params.model_dump(include=of_network)), n_features, loss)


@lru_cache(maxsize=4)
def made(layers: Layers, n_features: int, loss: Callable[[Any, Any, Any], Any]) -> Network:
    """A network, once for each of these arguments."""
    make_repeatable(0)  # before TensorFlow does anything, or it can't be any more
    return Network(layers, n_features, loss)


def batches(n_rows: int, size: int) -> list[slice]:
    """All rows, `size` at a time, in order."""
    return [slice(first, first + size) for first in range(0, n_rows, size)]


def build(layers: Layers, mean: tf.Variable, spread: tf.Variable) -> keras.Model:
    """From windows (n, window, n_features) to corrections (n, 1), which start at nil.

    `mean` and `spread`, of shape (n_features,), normalise its input.
    """
    windows = keras.Input((layers.window, mean.shape[0]))
    x = keras.ops.clip((windows - mean) / spread, -CLIP, CLIP)
    x = BODIES[layers.network](layers.units)(x)
    x = keras.layers.Dropout(layers.dropout)(x)
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


class WeightsInMemory(io.BytesIO):
    """A file that touches no disk: on a full one HDF5 crashes, and a killed process leaves it there."""

    def __str__(self) -> str:
        """The name that Keras asks a file of weights to have."""
        return "network.weights.h5"
