"""How fast a network sees its windows: an epoch, beside Keras' own `fit` on windows cut beforehand."""

from functools import partial
from pathlib import Path

import numpy as np

from stages.common.task import TASKS
from stages.params import load_params
from stages.train.fitting import load_networks
from tools import markdown
from tools.bench.measure import seconds

N_ROWS, N_FEATURES = 20_000, 55


def main(_scratch: Path) -> str:
    """Markdown: a row a network."""
    networks, params = load_networks(), load_params().train
    rng, loss = np.random.default_rng(1), TASKS["direction"].keras_loss
    table = rng.standard_normal((N_ROWS, N_FEATURES)).astype(np.float32)
    rows = []
    for kind in ("lstm", "dense"):
        settings = params.model_copy(update={"network": kind})
        ends = np.arange(settings.window - 1, N_ROWS)
        y, nil, one = (rng.random(len(ends)) < 0.5).astype(float), np.zeros(len(ends)), np.ones(len(ends))
        network = networks.network_of(settings, N_FEATURES, loss)
        network.be_traced()
        network.begin(1, table, np.zeros(N_FEATURES), np.ones(N_FEATURES))
        ours = seconds(partial(network.learn, ends, nil, y, one))

        windows = network.windows(ends)
        given = [windows, nil[:, None].astype(np.float32)]
        fit = partial(
            network.model.fit, given, y[:, None], batch_size=settings.batch, shuffle=False, verbose=0
        )
        plain = seconds(fit)
        held = [f"{table.nbytes / 1e6:.0f} MB", f"{windows.nbytes / 1e6:.0f} MB"]
        rows.append([kind, f"{ours:.2f} s", f"{plain:.2f} s", f"{plain / ours:.2f}", *held])
    header = ["network", "an epoch", "of model.fit", "times as fast", "table", "windows cut before"]
    return markdown.table(header, rows, n_left=1)
