"""``qdkernel watch``: pages of runs that grow; needs Starlette."""

from qdkernel.web.live.run import LiveRun
from qdkernel.web.live.server import make_app, new_token

__all__ = ["LiveRun", "make_app", "new_token"]
