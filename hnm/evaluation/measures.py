"""Effectiveness measures in the notation of ir-measures, for example `RR@10`, `nDCG@10`, `R@50`, `Success@1`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ir_measures import Measure


def parse_measure(name: str) -> "Measure":
    """The measure called `name`. Raises ValueError when there is none, or a parameter of it is wrong."""
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()  # type: ignore[no-untyped-call]  # untyped there
    except (NameError, ValueError, TypeError, SyntaxError, AssertionError) as error:
        raise ValueError(
            f"{name!r} is not a measure of ir-measures ({error}); try RR@10, nDCG@10, R@50 or P@5"
        ) from None
    if measure.params.get("cutoff", 1) < 1:  # trec_eval would end the whole process
        raise ValueError(f"{name!r} is not a measure: its cutoff must be at least 1")
    return measure


def canonical(names: Iterable[str]) -> tuple[str, ...]:
    """The names as ir-measures writes them (`MRR@10` becomes `RR@10`), each once. Raises ValueError for a wrong one."""
    return tuple(dict.fromkeys(str(parse_measure(name)) for name in names))
