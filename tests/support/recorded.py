"""Recorded runs of PyTorch, and the comparison of a backend with them: losses, first gradients and final parameters.

The module needs only NumPy and tuisim, so that it runs wherever a backend does.
"""

import json
from pathlib import Path

import numpy as np

from tuisim import RunConfig, Trainer

RUNS = np.load(Path(__file__).parents[1] / "oracle" / "trajectories.npz", allow_pickle=False)
CASES = sorted({int(name.split("_")[0].removeprefix("case")) for name in RUNS})


def recorded(number):
    """Return configuration, steps and initial parameters of a recorded run."""
    about = json.loads(str(RUNS[f"case{number}_config"]))
    config = RunConfig(
        layers=about["layers"], hidden_activation=about["activations"], output_activation=about["output"], loss=about["loss"],
        optimizer=about["optimizer"], batch_size=about["batch"], learning_rate=about["learning_rate"],
        weight_decay=about["weight_decay"], dtype="float64", shuffle=False, validation=0, epochs=1,
    )  # fmt: skip
    depth = len(about["layers"]) - 1
    parameters = [(RUNS[f"case{number}_W{k}"], RUNS[f"case{number}_b{k}"]) for k in range(depth)]
    return config, about["steps"], parameters


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)


def check_recorded(number, backend):
    """Compare a run on `backend` with a recorded one."""
    config, steps, parameters = recorded(number)
    config = RunConfig(**(config.to_dict() | {"backend": backend}))
    trainer = Trainer(config, data=(RUNS[f"case{number}_X"], RUNS[f"case{number}_Y"]), parameters=parameters)
    losses = [trainer.step()]
    for k, (gW, gb) in enumerate(trainer.gradients()):
        close(gW, RUNS[f"case{number}_gW{k}"])
        close(gb, RUNS[f"case{number}_gb{k}"])
    losses += [trainer.step() for _ in range(steps - 1)]
    close(losses, RUNS[f"case{number}_loss"])
    for k, (W, b) in enumerate(trainer.parameters()):
        close(W, RUNS[f"case{number}_endW{k}"])
        close(b, RUNS[f"case{number}_endb{k}"])
