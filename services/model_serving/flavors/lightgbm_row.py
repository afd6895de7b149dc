"""One row of a LightGBM model, by the part of its C interface that is made for that.

`Booster.predict` takes five times as long for a row: it makes a predictor and reads its parameters anew each time. See
`LGBM_BoosterPredictForMatSingleRowFast` in LightGBM's `c_api.h`; the Python package offers no other way to it.
"""

import ctypes
import weakref
from threading import Lock
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from lightgbm.basic import _LIB, _safe_call

FLOAT64 = 1
NORMAL = 0
PARAMETERS = b"num_threads=1"


class Row:
    """Predicts rows of doubles, one in a call.

    LightGBM keeps the number of trees to use in the booster, where every prediction writes it: a booster is `suitable`
    when all of them use all trees.

    Args:
        booster: The model, which is kept alive and must not be trained further.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        self._columns = booster.num_feature()
        outputs = ctypes.c_int64()
        _safe_call(
            _LIB.LGBM_BoosterCalcNumPredict(
                booster._handle,  # noqa: SLF001 (what the C interface is called with)
                ctypes.c_int(1),
                ctypes.c_int(NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(booster.best_iteration),
                ctypes.byref(outputs),
            )
        )
        self._outputs = outputs.value
        self._call = _LIB.LGBM_BoosterPredictForMatSingleRowFast
        self._lock = Lock()
        self._handle = ctypes.c_void_p()
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,  # noqa: SLF001 (what the C interface is called with)
                ctypes.c_int(NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(booster.best_iteration),
                ctypes.c_int(FLOAT64),
                ctypes.c_int32(self._columns),
                ctypes.c_char_p(PARAMETERS),
                ctypes.byref(self._handle),
            )
        )
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, self._handle)
        self._length = ctypes.c_int64()
        self._length_address = ctypes.byref(self._length)

    @staticmethod
    def suitable(booster: lightgbm.Booster) -> bool:
        """Return whether predictions of a booster use all of its trees."""
        return bool(booster.best_iteration <= 0 or booster.best_iteration == booster.current_iteration())

    def predict(self, inputs: Any) -> npt.NDArray[np.float64] | None:  # noqa: ANN401 (a model's inputs may be anything)
        """Return what the booster says of a row, shaped as it does; None when the inputs are not for this call.

        Raises:
            LightGBMError: it refuses the row.
        """
        if (
            not isinstance(inputs, np.ndarray)
            or inputs.shape != (1, self._columns)
            or inputs.dtype != np.float64
            or not inputs.flags.c_contiguous
            or not self._lock.acquire(blocking=False)
        ):
            return None
        try:
            scores = np.empty(self._outputs)
            row, answer = ctypes.c_void_p(inputs.ctypes.data), ctypes.c_void_p(scores.ctypes.data)
            _safe_call(self._call(self._handle, row, self._length_address, answer))
        finally:
            self._lock.release()
        return scores if self._outputs == 1 else scores.reshape(1, -1)
