"""The container's health check: requests /health/live from the API (port 8000) or, in other roles, the metrics port (9090)."""

import sys
import urllib.error
import urllib.request

URLS = ("http://127.0.0.1:8000/health/live", "http://127.0.0.1:9090/health/live")
TIMEOUT_S = 2

for url in URLS:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            sys.exit(0 if response.status == 200 else 1)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error}")
    except OSError:
        continue  # this role does not listen there
sys.exit("neither the API port nor the metrics port responds")
