"""`python -m decoderd_client`."""

from decoderd_client.cli import main

main()
