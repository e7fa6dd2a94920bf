"""`python -m decoderd`."""

from decoderd.cli import main

main()
