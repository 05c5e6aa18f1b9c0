"""Each training stage, killed with SIGKILL at random moments, gives the same bytes as without."""

import os
import random
import time
from typing import Any

import pytest

from foundling.artifacts import sha256

KILLS, SEED = 5, 20  # of each stage
STAGES = ("pretrain", "classify", "instruct", "train_translator")


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_killed_at_random_moments_writes_the_same_bytes(trainings: Any, stage: str) -> None:
    trainings.clear(stage)
    seconds = trainings.run(stage)
    whole = trainings.results(stage)
    assert len(whole) >= 4
    moments = random.Random(f"{SEED} {stage}")
    killed = 0
    while killed < KILLS:
        process = trainings.start(stage)
        if killed % 2:  # anywhere, also in what comes before and after the training
            trainings.wait_until_taken(process, stage)
            time.sleep(moments.uniform(0, 0.6 * seconds))
        else:
            trainings.wait_until_trained(process, stage)
            time.sleep(moments.uniform(0, 0.1 * seconds))
        if process.is_alive():
            os.kill(process.pid or 0, 9)
        process.join()
        if process.exitcode == -9:
            killed += 1
            for name in trainings.models[stage]:  # an artifact is there in whole or not at all
                model = trainings.place / "models" / name
                assert not model.exists() or whole[f"models/{name}"] == sha256(model)
        else:  # it went on so far before that there was not enough left: once more from the start
            assert process.exitcode == 0, (trainings.place / "log").read_text()[-3000:]
            assert trainings.results(stage) == whole
        trainings.clear(stage)
    trainings.run(stage)
    assert trainings.results(stage) == whole
    assert list(trainings.scratch(stage).iterdir()) == []
