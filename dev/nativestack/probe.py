"""Asks a server on this machine whether it is ready."""

import http.client

LIMIT_S = 2.0


def answers(port: int, path: str) -> bool:
    """Whether GET ``path`` on this port of the loopback is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
