"""decoderd: closed-loop emulation of brain-computer-interface decoders.

Start reading at `decoderd.session.step`, the one path every tick takes.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("decoderd")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+uninstalled"
