"""Reading MIME from the wire: one pass, linear in time, bounded in memory. Holds no attachment, opens no connection,
writes nothing anywhere. `read` makes a Letter, `attachment` decodes one part in a pass of its own."""

from sync.letters import Undecipherable
from sync.mime.reading import attachment, read

__all__ = ["Undecipherable", "attachment", "read"]
