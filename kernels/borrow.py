"""Array views without reference counts, for the hot loops.

numba counts references of every array at each call that it doesn't inline or whose exits it can't pair: 2 atomic operations
an array, which was 60 of 75 ns of a telemetry row. A borrowed view owns nothing, so that the counting vanishes. The caller
keeps the array alive; a view must not be returned or stored.
"""

from __future__ import annotations

from typing import Any

from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

if config.DISABLE_JIT:  # type: ignore[attr-defined]

    def borrow(array: Any) -> Any:
        """Return the array itself: without compilation nothing is counted."""
        return array

else:

    @intrinsic
    def borrow(typingctx: Any, array: Any) -> Any:
        """View an array without owning it, float64 or any other, of any shape, in compiled code only."""
        del typingctx

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            view = context.make_array(signature.return_type)(context, builder, arguments[0])
            view.meminfo = cgutils.get_null_value(view.meminfo.type)  # type: ignore[no-untyped-call]
            view.parent = cgutils.get_null_value(view.parent.type)  # type: ignore[no-untyped-call]
            return view._getvalue()  # noqa: SLF001 - numba's own way to read a struct proxy

        return (array(array), codegen) if isinstance(array, types.Array) else None
