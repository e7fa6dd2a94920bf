"""Individuals trained before a session, for tests and for processes that tests start."""

from decoderd import registry
from decoderd.preparation import pretraining
from decoderd.protocol import protocol
from decoderd.rng import generator
from tests.learners import PRETRAINING, learning


def parsed(**fields):
    """The protocol, its pretraining changed."""
    return protocol.parse({**learning(), "pretraining": {**PRETRAINING, **fields}})


def trained(of, seeds=(4,), on_progress=lambda updates: None):
    """Populations of these seeds, trained or from the cache."""
    kind = registry.find("populations", "rnn")
    drawn = [kind.load(of.population, generator(seed, "population/individual"), {}) for seed in seeds]
    return pretraining.pretrained(of.pretraining, kind, of.population, drawn, of.timing, seeds, on_progress)
