import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from stages.common.arrays import Floats
from stages.common.task import TASKS, Task
from stages.train import networks
from stages.train.params import TrainParams

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

MEAN, VARIANCE = np.array([0.5, -1.0, 0.0]), np.array([4.0, 0.25, 1.0])
WINDOW = 4

Table = NDArray[np.float32]


def make_table(n_rows: int = 60) -> Table:
    """A feature table of noise."""
    return np.random.default_rng(1).standard_normal((n_rows, 3)).astype(np.float32)


def fitted(
    params: TrainParams, table: Table, mean: Floats = MEAN, variance: Floats = VARIANCE, seed: int = 1
) -> networks.Network:
    """A network whose last layer is no longer nil."""
    network = begun(params, table, mean, variance, seed)
    *others, kernel, bias = network.weights()
    network.put([*others, np.ones_like(kernel), np.full_like(bias, 0.5)])
    return network


def begun(
    params: TrainParams, table: Table, mean: Floats = MEAN, variance: Floats = VARIANCE, seed: int = 1
) -> networks.Network:
    """A network as it is before it has learnt anything."""
    network = networks.network_of(params, 3, TASKS["direction"].keras_loss)
    network.begin(seed, table, mean, variance)
    return network


@pytest.mark.parametrize("body", ["lstm", "gru", "dense"])
def test_a_network_starts_as_no_correction(make_params, body):
    """Before any fit the correction of every window is exactly nil, whatever the window holds."""
    network = begun(make_params(network=body), 100 * make_table())
    assert (network.corrections(np.arange(3, 60)) == 0.0).all()


def test_gathered_windows_are_those_cut_by_hand(make_params):
    """A row's correction is the network's output for the `window` rows that end with it."""
    table, ends = make_table(), np.array([3, 30, 59, 4])
    network = fitted(make_params(network="lstm"), table)
    windows = np.stack([table[end - WINDOW + 1 : end + 1] for end in ends])
    expected = network.network.predict(windows, verbose=0)[:, 0]
    actual = network.corrections(ends)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert len(np.unique(actual)) == 4


def test_corrections_ignore_the_future(make_params):
    """Changing later rows of the feature table leaves a row's correction untouched."""
    table, ends = make_table(), np.arange(3, 30)
    shocked = table.copy()
    shocked[30:] *= -7
    expected = fitted(make_params(), table).corrections(ends)
    actual = fitted(make_params(), shocked).corrections(ends)
    np.testing.assert_array_equal(actual, expected)
    shocked[29] *= -7
    assert fitted(make_params(), shocked).corrections(ends)[-1] != expected[-1]


def test_the_network_normalises_its_own_input(make_params):
    """Raw rows with their mean and variance give what normalised rows give with 0 and 1."""
    table, ends = make_table(), np.arange(3, 60)
    raw = (table * np.sqrt(VARIANCE) + MEAN).astype(np.float32)
    expected = fitted(make_params(), table, np.zeros(3), np.ones(3)).corrections(ends)
    actual = fitted(make_params(), raw).corrections(ends)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_outliers_are_bounded(make_params):
    """Beyond ten standard deviations a crash is a crash, however deep."""
    windows = make_table(8).reshape(2, WINDOW, 3)
    windows[:, 1, 0] = [1e3, 1e6]
    windows[1, [0, 2, 3]] = windows[0, [0, 2, 3]]
    windows[1, 1, 1:] = windows[0, 1, 1:]
    first, second = fitted(make_params(), windows.reshape(8, 3)).corrections(np.array([3, 7]))
    assert first == second


@pytest.mark.parametrize("body", ["lstm", "dense"])
def test_a_network_is_begun_as_if_new(make_params, body):
    """What one has learnt in a process leaves the next nothing: neither weights nor the optimiser's state.

    Nor the draws of the units that drop out, nor another number of rows that it was asked for.
    """
    params, loss = make_params(network=body, dropout=0.5), TASKS["direction"].keras_loss
    table, rng = make_table(), np.random.default_rng(1)
    ends, y = np.arange(3, 60), (rng.random(57) < 0.5).astype(np.float64)
    weights, found = [], []
    for n_rows in (57, 20, 57):
        network = networks.network_of(params, 3, loss)
        network.be_traced()
        network.begin(1, table, MEAN, VARIANCE)
        for _ in range(2):
            network.learn(ends[:n_rows], np.zeros(n_rows), y[:n_rows], np.ones(n_rows))
        weights.append(network.weights_file())
        found.append(network.corrections(ends))

    assert weights[0] == weights[2] != weights[1]
    np.testing.assert_array_equal(found[0], found[2])
    networks.made.cache_clear()
    alone = networks.network_of(params, 3, loss)
    alone.be_traced()
    alone.begin(1, table, MEAN, VARIANCE)
    assert alone is not network
    for _ in range(2):
        alone.learn(ends, np.zeros(57), y, np.ones(57))
    assert alone.weights_file() == weights[0]
    np.testing.assert_array_equal(alone.corrections(ends), found[0])


def test_settings_of_one_network_make_one(make_params):
    """It is made once for each; what no layer asks for makes no other."""
    loss = TASKS["direction"].keras_loss
    first = networks.network_of(make_params(), 3, loss)
    assert networks.network_of(make_params(epochs=9, seeds=[2]), 3, loss) is first
    assert networks.network_of(make_params(units=5), 3, loss) is not first
    assert networks.network_of(make_params(), 4, loss) is not first


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_networks_loss_is_the_tasks(task):
    """The loss that is differentiated is the one that is reported."""
    networks.make_repeatable(1)  # before TensorFlow does anything, or it can't be any more
    rng = np.random.default_rng(1)
    if task.classes:
        y, score = (rng.random(50) < 0.5).astype(float), 3 * rng.standard_normal(50)
    else:
        y, score = np.exp(rng.standard_normal(50) - 5), rng.standard_normal(50) - 5
    tensors = task.keras_loss(keras.ops, y[:, None], score[:, None])
    tolerance = 1e-5 if task.classes else 1e-4  # ln y in single precision
    np.testing.assert_allclose(tensors, task.loss(y, score), rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("body", ["lstm", "gru", "dense"])
def test_a_saved_network_comes_back(make_params, body):
    """A network built anew from the same settings takes the saved weights, and saves as the same bytes."""
    network = fitted(make_params(network=body), make_table())
    weights, file = network.weights(), network.weights_file()
    again = begun(make_params(network=body), make_table(), seed=2)
    again.read_weights(file)
    for expected, actual in zip(weights, again.weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert again.weights_file() == file


@pytest.mark.parametrize("n_columns", [3, 256, 257, 700])
def test_a_dense_layer_in_parts_is_a_dense_layer(n_columns):
    """The same weights from the same seed, and the same outputs but for the order of the sums."""
    inputs = np.random.default_rng(1).standard_normal((20, n_columns)).astype(np.float32)
    made = []
    for kind in (keras.layers.Dense, networks.DenseInParts):
        networks.make_repeatable(1)
        layer = kind(5, activation="relu")
        made.append((np.asarray(layer(inputs)), *layer.get_weights()))

    (whole, *expected), (parts, *actual) = made
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-4)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def operations_of_training(params: TrainParams, task: Task) -> set[str]:
    """The kinds of TensorFlow's operations in a step of training: forecast, loss, gradient, update."""
    network = networks.network_of(params, 3, task.keras_loss)
    network.begin(1, make_table(), MEAN, VARIANCE)
    model = network.model
    windows, offsets, y = (
        network.windows(np.array([3, 30])),
        np.zeros((2, 1), np.float32),
        np.full((2, 1), 0.5),
    )

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(y=tf.constant(y, tf.float32), y_pred=model([windows, offsets]))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)

    graph = step.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("body", ["lstm", "gru", "dense"])
@pytest.mark.parametrize("task", TASKS)
def test_training_takes_no_operation_that_processors_differ_in(make_params, task, body):
    """A reciprocal, plain or of a root, begins with an approximation: Intel and AMD have each their own.

    A gradient may hold one, as that of log1p does: the bits of a network would be the processor's.
    """
    operations = operations_of_training(make_params(network=body), TASKS[task])

    assert "MatMul" in operations
    assert not operations & {"Inv", "InvGrad", "Reciprocal", "ReciprocalGrad", "Rsqrt", "RsqrtGrad"}
