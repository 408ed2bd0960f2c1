import sys

from harbor_core.standalone.supervisor import main

sys.exit(main())
