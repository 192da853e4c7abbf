"""`python -m apostille`."""

from apostille.cli import main

main()
