"""``python -m harbor_core.standalone``: run it. ``… manage <command>``: a management command in its environment."""

import sys

from harbor_core.standalone.supervisor import main, manage

sys.exit(manage(sys.argv[2:]) if sys.argv[1:2] == ["manage"] else main())
