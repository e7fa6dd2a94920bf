"""`python -m decoderd`."""

from decoderd.cli.app import main

main()
