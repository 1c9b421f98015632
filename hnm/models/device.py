"""Which processor runs the models, in which precision, with how many threads."""

import re
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Settings
from hnm.errors import ModelError

if TYPE_CHECKING:
    import torch

DEVICES = ("cuda", "mps", "cpu")
DEVICE = re.compile(r"(?P<kind>cuda|mps|cpu)(?:(?<=cuda):(?P<index>\d+))?")


def choose_device(settings: Settings) -> str:
    """`cuda`, `mps` or `cpu`: the best one present for "auto", else the one asked for (`cuda:1` names one of several).

    Raises ModelError when the device asked for is unknown or absent.
    """
    present = _present()
    if settings.device == "auto":
        return present[0]
    match = DEVICE.fullmatch(settings.device)
    if match is None:
        raise ModelError(f"unknown device {settings.device!r}", hint="auto, cuda, cuda:0, mps or cpu")
    if match["kind"] not in present or int(match["index"] or 0) >= max(1, _cuda_count()):
        raise ModelError(
            f"device {settings.device!r} is not available",
            why=f"this torch finds: {', '.join(present)}",
            hint="set the target's device to auto",
        )
    return settings.device


def uses_bf16(settings: Settings) -> bool:
    """Whether models run in bfloat16: as the setting says; under "auto" where the hardware multiplies it natively."""
    if settings.precision != "auto":
        return settings.precision == "bf16"
    device = choose_device(settings)
    if device.startswith("cuda"):
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bf16_pays(_cpu_flags())


def bf16_pays(cpu_flags: frozenset[str]) -> bool:
    """Whether a processor with these flags multiplies bfloat16 natively (AMX, or AVX-512 BF16).

    With AMX, encoding is 2 to 3 times as fast as in float32; without either, bfloat16 is emulated and slower.
    """
    return bool(cpu_flags & {"amx_bf16", "avx512_bf16"})


def autocast(settings: Settings) -> "AbstractContextManager[torch.autocast]":
    """`torch.autocast` to bfloat16 where `uses_bf16`; otherwise the same context, switched off."""
    import torch

    return torch.autocast(choose_device(settings).partition(":")[0], torch.bfloat16, enabled=uses_bf16(settings))


def limit_threads(settings: Settings) -> None:
    """Let torch use `settings.cores` threads in this process, from now on."""
    import torch

    torch.set_num_threads(settings.cores)


def describe(settings: Settings) -> str:
    """Device and precision in words for the records, for example `cpu (2 threads), bf16 autocast`."""
    device = choose_device(settings)
    threads = "1 thread" if settings.cores == 1 else f"{settings.cores} threads"
    where = f"cpu ({threads})" if device == "cpu" else device
    return f"{where}, {'bf16 autocast' if uses_bf16(settings) else 'fp32'}"


def _present() -> list[str]:
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [device for device in DEVICES if found[device]]


def _cuda_count() -> int:
    import torch

    return torch.cuda.device_count()


@cache
def _cpu_flags() -> frozenset[str]:
    """What Linux says the processor can do; empty elsewhere, which means float32."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return frozenset()
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("flags"))
    return frozenset(next(lines, "").split())
