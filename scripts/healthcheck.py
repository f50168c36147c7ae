"""The container's health check: asks the API (port 8000), or in roles without one the metrics port (9090)."""

import sys
import urllib.error
import urllib.request

ADDRESSES = ("http://127.0.0.1:8000/health/live", "http://127.0.0.1:9090/health/live")
TIMEOUT_S = 2

for address in ADDRESSES:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            sys.exit(0 if answer.status == 200 else 1)
    except urllib.error.HTTPError as error:
        sys.exit(f"{address}: {error}")
    except OSError:
        continue  # this role does not listen there
sys.exit("nothing answers on the API's or the metrics port")
