"""The version of the protocol. Requests and replies carry it as `v`, topics in their frame: b"decoderd.2.tick"."""

from typing import Literal, get_args

Version = Literal[2]
VERSION: int = get_args(Version)[0]
