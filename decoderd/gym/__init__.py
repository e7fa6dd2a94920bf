"""Environments for learning agents, as Gymnasium defines them: the agent is a session's decoder, updater or subject.

    import gymnasium

    import decoderd.gym  # makes the environments known

    env = gymnasium.make("decoderd/Decoder-v0", protocol="first.toml")

`gymnasium.make("decoderd.gym:decoderd/Decoder-v0")` needs no import. All environments are the session's own `step`,
with the agent's actions as inputs.
"""

from decoderd import extras

with extras.needed("gym", "decoderd.gym"):
    import gymnasium

# {name: where its class is}
ENVIRONMENTS = {
    "decoderd/Decoder-v0": "decoderd.gym.decoder:DecoderEnv",
    "decoderd/Adaptation-v0": "decoderd.gym.adaptation:AdaptationEnv",
    "decoderd/Subject-v0": "decoderd.gym.subject:SubjectEnv",
}

for _name, _entry_point in ENVIRONMENTS.items():
    gymnasium.register(_name, _entry_point)
