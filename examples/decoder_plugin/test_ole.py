"""The contract tests of decoders, applied to this one."""

import numpy as np
from decoderd_ole import OLE

from decoderd.conformance import DecoderContract


class TestOle(DecoderContract):
    component = OLE

    def example(self):
        return {
            "baseline": np.array([1.0, 2.0, 1.5, 0.5]),
            "depth": np.array([3.0, 2.0, 4.0, 5.0]),
            "preferred": np.array([0.1, 1.8, 3.0, -1.2]),
        }
