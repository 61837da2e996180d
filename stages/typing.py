"""Shape annotations: jaxtyping's where it is installed, plain arrays elsewhere (a GPU machine may have torch alone).

``Float32[np.ndarray, "N 3"]`` reads: a float32 array of N rows and 3 columns. beartype checks them in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64, Shaped, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64, Shaped, UInt8
    except ImportError:

        class _Plain:
            """Drops the shape: ``Float[Tensor, "n d"]`` is ``Tensor``."""

            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Bool = Float = Float32 = Float64 = Int = Int32 = Int64 = Shaped = UInt8 = _Plain

__all__ = ["Bool", "Float", "Float32", "Float64", "Int", "Int32", "Int64", "Shaped", "UInt8"]
