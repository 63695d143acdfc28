from __future__ import annotations

from depth_net.config.choices import Scheduler
from depth_net.config.train import TrainConfig


def test_defaults_are_those_of_the_reference() -> None:
    train = TrainConfig()

    assert (train.num_epochs, train.seed, train.clip_grad_norm, train.log_every_n_steps) == (10, 1234, 0.1, 500)
    assert (train.optim.lr, train.optim.weight_decay, train.optim.min_lr) == (1e-4, 1e-4, 1e-7)
    assert train.optim.lr_scheduler is Scheduler.MULTI_STEP
    assert train.optim.lr_steps == (1000,)


def test_our_own_keys_change_nothing_by_default() -> None:
    train = TrainConfig()

    assert train.optim.head_lr_multiplier == 10.0
    assert train.optim.warmup_fraction == 0.0
    assert train.accumulate_grad_batches == 1
