"""Benchmarks: every figure beside its yardstick, both measured in one run, in turns.

kalman     one filter step against plain NumPy and, where importable, filterpy
tick       what a whole closed-loop tick costs, recording included
lateness   how late real-time ticks begin, against a bare sleeping loop
recorder   how fast messages are encoded and stored
learning   what an update of REINFORCE and of backpropagation costs an individual
publish    how long a message is under way to a subscriber, against bare pyzmq
lockstep   ticks a second that a participant grants one by one, against bare round trips
company    what readers that stop, come late or are many, and other sessions, do to the lateness
"""
