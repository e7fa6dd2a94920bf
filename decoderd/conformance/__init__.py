"""Test classes for components: a plug-in inherits the class of its family, and `pytest` checks the contract.

    from decoderd.conformance import DecoderContract
    from my_package import MINE

    class TestMine(DecoderContract):
        component = MINE

        def example(self):
            return {"weights": np.ones((2, 4))}

The built-in kinds pass the same classes. Needs pytest.
"""

from decoderd.conformance.decoder import DecoderContract
from decoderd.conformance.effector import EffectorContract
from decoderd.conformance.perturbation import PerturbationContract
from decoderd.conformance.plasticity import PlasticityContract
from decoderd.conformance.population import PopulationContract
from decoderd.conformance.task import TaskContract
from decoderd.conformance.updater import UpdaterContract

__all__ = [
    "DecoderContract",
    "EffectorContract",
    "PerturbationContract",
    "PlasticityContract",
    "PopulationContract",
    "TaskContract",
    "UpdaterContract",
]
