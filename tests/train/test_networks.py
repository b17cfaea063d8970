from typing import Any

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


def make_table(n_rows: int = 60) -> NDArray[np.float32]:
    """A feature table of noise."""
    return np.random.default_rng(1).standard_normal((n_rows, 3)).astype(np.float32)


def fitted(params: TrainParams, mean: Floats = MEAN, variance: Floats = VARIANCE) -> Any:
    """A network whose last layer is no longer nil."""
    networks.make_repeatable(1)
    network = networks.build(params, mean, variance)
    *others, kernel, bias = network.get_weights()
    network.set_weights([*others, np.ones_like(kernel), np.full_like(bias, 0.5)])
    return network


@pytest.mark.parametrize("body", ["lstm", "gru", "dense"])
def test_a_network_starts_as_no_correction(make_params, body):
    """Before any fit the correction of every window is exactly nil, whatever the window holds."""
    networks.make_repeatable(1)
    network = networks.build(make_params(network=body), MEAN, VARIANCE)
    corrector = networks.on_table(network, 100 * make_table(), WINDOW)
    assert (networks.corrections(corrector, np.arange(3, 60)) == 0.0).all()


def test_gathered_windows_are_those_cut_by_hand(make_params):
    """A row's correction is the network's output for the `window` rows that end with it."""
    network, table = fitted(make_params(network="lstm")), make_table()
    ends = np.array([3, 30, 59, 4])
    windows = np.stack([table[end - WINDOW + 1 : end + 1] for end in ends])
    expected = network.predict(windows, verbose=0)[:, 0]
    actual = networks.corrections(networks.on_table(network, table, WINDOW), ends)
    np.testing.assert_array_equal(actual, expected)
    assert len(np.unique(actual)) == 4


def test_corrections_ignore_the_future(make_params):
    """Changing later rows of the feature table leaves a row's correction untouched."""
    network, table, ends = fitted(make_params()), make_table(), np.arange(3, 30)
    shocked = table.copy()
    shocked[30:] *= -7
    expected = networks.corrections(networks.on_table(network, table, WINDOW), ends)
    actual = networks.corrections(networks.on_table(network, shocked, WINDOW), ends)
    np.testing.assert_array_equal(actual, expected)
    shocked[29] *= -7
    assert networks.corrections(networks.on_table(network, shocked, WINDOW), ends)[-1] != expected[-1]


def test_the_network_normalises_its_own_input(make_params):
    """Raw rows with their mean and variance give what normalised rows give with 0 and 1."""
    table, ends = make_table(), np.arange(3, 60)
    raw = (table * np.sqrt(VARIANCE) + MEAN).astype(np.float32)
    plain = fitted(make_params(), np.zeros(3), np.ones(3))
    expected = networks.corrections(networks.on_table(plain, table, WINDOW), ends)
    actual = networks.corrections(networks.on_table(fitted(make_params()), raw, WINDOW), ends)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_outliers_are_bounded(make_params):
    """Beyond ten standard deviations a crash is a crash, however deep."""
    network, windows = fitted(make_params()), make_table(8).reshape(2, WINDOW, 3)
    windows[:, 1, 0] = [1e3, 1e6]
    windows[1, [0, 2, 3]] = windows[0, [0, 2, 3]]
    windows[1, 1, 1:] = windows[0, 1, 1:]
    first, second = network.predict(windows, verbose=0)[:, 0]
    assert first == second


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
def test_a_saved_network_comes_back(make_params, tmp_path, body):
    """A network built anew from the same settings takes the saved weights, and saves as the same bytes."""
    network = fitted(make_params(network=body))
    path = tmp_path / "seed-1.weights.h5"
    path.write_bytes(networks.weights_file(network))
    networks.make_repeatable(2)
    again = networks.build(make_params(network=body), MEAN, VARIANCE)
    again.load_weights(path)
    for expected, actual in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert networks.weights_file(again) == path.read_bytes()


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
    networks.make_repeatable(1)
    corrector = networks.on_table(networks.build(params, MEAN, VARIANCE), make_table(), WINDOW)
    model = networks.with_offset(corrector, task.keras_loss, learning_rate=0.001)
    model.optimizer.build(model.trainable_variables)
    rows, offsets, y = np.array([3, 30], np.int32), np.zeros((2, 1), np.float32), np.full((2, 1), 0.5)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(y=tf.constant(y, tf.float32), y_pred=model([rows, offsets]))
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
