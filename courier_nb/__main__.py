"""``python -m courier_nb`` is ``courier-nb``."""

from courier_nb.cli.main import main

main()
