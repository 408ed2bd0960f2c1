#!/usr/bin/python3
"""``health <port> <path>``: exit 0 when something on this host answers that path with a status below 500."""

import contextlib
import http.client
import os
import ssl
import sys


def main() -> int:
    port, path = int(sys.argv[1]), sys.argv[2]
    connection: http.client.HTTPConnection
    front = port == 8080 and os.environ.get("HARBOR_TLS", "off") != "off"
    internal = port != 8080 and os.environ.get("INTERNAL_TLS_ENABLED", "").lower() in ("1", "true", "yes", "on")
    if (len(sys.argv) > 3 and sys.argv[3] == "tls") or front or internal:
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=4, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return 0 if connection.getresponse().status < 500 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"health: {error}")
