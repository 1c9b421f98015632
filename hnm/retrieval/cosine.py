"""Cosines that are the same for every block size and number of threads, to the last bit.

Sums of floats depend on their order, and a matrix product chooses the order by the shape of its blocks. Here the unit
vectors are rounded to multiples of 2**-26, as fine as float32 is at 1/8. Products are then multiples of 2**-52, and by
Cauchy-Schwarz no partial sum reaches 2, so every sum fits into the 53 bits of a float64: nothing is rounded, and the
order does not matter. The cosine is rounded once, to multiples of 2**-24, which float32 represents exactly.
Error against the cosine of the given vectors: about 3e-8, half of what float32 resolves near 1.
"""

import numpy as np
from numpy.typing import NDArray

COMPONENT = 2.0**26
UNIT = 2**24
"""A cosine of 1 as an integer score."""


def on_grid(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Unit vectors in integer multiples of 2**-26, shape (n, d), and which rows have a direction at all.

    Components must be finite. Rows of zeros stay zeros and are False in the second array.
    """
    rows = vectors.astype(np.float64)
    norms = np.sqrt(np.square(rows).sum(axis=1))
    directed = norms > 0
    rows /= np.where(directed, norms, 1.0)[:, None]
    return np.rint(rows * COMPONENT, out=rows), directed


def cosines(queries: NDArray[np.float64], documents: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cosines of all pairs in multiples of 2**-24, shape (queries, documents), of rows that come from `on_grid`."""
    products = queries @ (documents * (UNIT / COMPONENT**2)).T
    np.rint(products, out=products)
    np.clip(products, -UNIT, UNIT, out=products)  # rounded vectors can be a trace longer than 1
    return products.astype(np.int64)


def as_float(scores: NDArray[np.int64]) -> NDArray[np.float32]:
    """Integer scores as cosines in [-1, 1], exactly."""
    return (scores / UNIT).astype(np.float32)
