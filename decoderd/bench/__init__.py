"""Benchmarks: each figure is measured in turns with a reference, so that their ratio travels between machines.

kalman     one step of each filter against plain NumPy and, where importable, filterpy
tick       time of a whole closed-loop tick, recording included
lateness   how late real-time ticks begin, against a bare sleeping loop
recorder   how fast messages are encoded and stored
learning   time of an update by REINFORCE and by backpropagation, for one individual
publish    latency of a message from a session to a subscriber, against bare pyzmq
lockstep   ticks a second when a participant grants each one, against bare round trips
load       lateness of ticks with stopped, late and many subscribers and with other sessions, against none
agent      steps a second of the environment in which an agent decodes, against the same session without one
"""
