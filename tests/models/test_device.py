"""Which processor, precision and number of threads a stage gets."""

import pytest
import torch

from hnm.context import Settings
from hnm.errors import ModelError
from hnm.models.device import autocast, bf16_pays, choose_device, describe, limit_threads, uses_bf16

PRESENT = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}


def test_auto_takes_the_best_device_present() -> None:
    assert choose_device(Settings()) == next(device for device, present in PRESENT.items() if present)


def test_the_processor_can_always_be_asked_for() -> None:
    assert choose_device(Settings(device="cpu")) == "cpu"


@pytest.mark.parametrize("device", [device for device, present in PRESENT.items() if not present])
def test_an_absent_device_is_an_error_that_names_those_present(device: str) -> None:
    with pytest.raises(ModelError, match=r"not available(.|\n)*cpu"):
        choose_device(Settings(device=device))


@pytest.mark.parametrize("device", ["tpu", "", "CPU", "cpu:1", "mps:0", "cuda:x", "cuda:"])
def test_an_unknown_device_is_an_error(device: str) -> None:
    with pytest.raises(ModelError, match="unknown device"):
        choose_device(Settings(device=device))


def test_a_cuda_device_beyond_the_last_is_an_error() -> None:
    with pytest.raises(ModelError, match="not available"):
        choose_device(Settings(device=f"cuda:{torch.cuda.device_count()}"))


@pytest.mark.parametrize(
    ("flags", "pays"),
    [({"avx2", "amx_bf16"}, True), ({"avx512_bf16"}, True), ({"avx2", "avx512f", "amx_int8"}, False), (set(), False)],
)
def test_bf16_pays_only_where_the_processor_multiplies_it(flags: set[str], pays: bool) -> None:
    assert bf16_pays(frozenset(flags)) is pays


@pytest.mark.parametrize(("precision", "expected"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_autocast_does_what_the_setting_says(precision: str, expected: torch.dtype) -> None:
    settings = Settings(device="cpu", precision=precision)  # type: ignore[arg-type]  # a parameter of the test
    with autocast(settings):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == expected
    assert uses_bf16(settings) == (precision == "bf16")
    assert precision in describe(settings)


def test_autocast_follows_the_hardware_by_default() -> None:
    settings = Settings(device="cpu")
    with autocast(settings):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype == torch.bfloat16) == uses_bf16(settings)


def test_threads_are_limited_and_described() -> None:
    before = torch.get_num_threads()
    try:
        limit_threads(Settings(cores=1))
        assert torch.get_num_threads() == 1
        assert describe(Settings(device="cpu", cores=1, precision="fp32")) == "cpu (1 thread), fp32"
    finally:
        torch.set_num_threads(before)
