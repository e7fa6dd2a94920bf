"""`python -m tools.wire_spec`."""

import sys

from tools.wire_spec.files import main

sys.exit(main(sys.argv[1:]))
